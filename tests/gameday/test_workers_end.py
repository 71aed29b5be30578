"""Workers that are killed, hang or grow: what callers notice of it, and how the next one comes."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest
from structlog.testing import capture_logs

from bare_server import COMMAND
from flyball.executors.supervisor import Backoff, Child, Supervisor
from flyball.serving.memory import RECYCLED
from flyball.serving.server import listening

QUICK = Backoff(first_s=0.1, most_s=1.0, healthy_s=60)


def until(holds: Callable[[], object], seconds: float = 30.0) -> None:
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not holds():
        assert time.monotonic() < deadline, "the awaited condition did not come true in time"
        pause.wait(0.02)


class Fleet:
    """Supervised workers on one socket."""

    def __init__(self, supervisor: Supervisor, sock: socket.socket) -> None:
        self.supervisor = supervisor
        self.port: int = sock.getsockname()[1]

    def pids(self) -> list[int]:
        return [pid for pid in self.supervisor.pids().values() if pid is not None]

    def ask(self, path: str) -> int:
        """The status of one request on a new connection."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            client.request("GET", path)
            return client.getresponse().status
        finally:
            client.close()

    def connections(self, pid: int) -> int:
        """How many clients a worker has."""
        found = psutil.Process(pid).net_connections("tcp")
        return sum(each.status == psutil.CONN_ESTABLISHED for each in found)


@contextmanager
def a_fleet(workers: int, *, hangs_after_s: float = 0.0, **options: Any) -> Iterator[Fleet]:
    """So many workers that answer."""
    with listening("127.0.0.1", 0) as sock:
        argv = [*COMMAND, "--fd", str(sock.fileno())]
        for name, value in options.items():
            argv += [f"--{name}", json.dumps(value)]
        children = [
            Child(
                name=f"worker-{number}",
                argv=argv,
                pass_fds=(sock.fileno(),),
                hangs_after_s=hangs_after_s,
                again_at_once=(RECYCLED,),
            )
            for number in range(workers)
        ]
        supervisor, stop = Supervisor(children, backoff=QUICK), threading.Event()
        thread = threading.Thread(target=supervisor.run, args=(stop,))
        thread.start()
        fleet = Fleet(supervisor, sock)
        try:
            until(lambda: len(fleet.pids()) == workers and fleet.ask("/echo") == 200)
            yield fleet
        finally:
            stop.set()
            thread.join(60)
            assert not thread.is_alive()


class Callers:
    """Clients that keep their connections and ask again and again."""

    def __init__(self, fleet: Fleet, count: int) -> None:
        self._fleet, self.answered, self.failures = fleet, 0, []
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._ask) for _ in range(count)]

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        client = http.client.HTTPConnection("127.0.0.1", self._fleet.port, timeout=20)
        while not self._stop.is_set():
            try:
                client.request("GET", "/wait?seconds=0.005")
                answer = client.getresponse()
                answer.read()
                assert answer.status == 200
            except (OSError, http.client.HTTPException) as error:
                client.close()
                with self._lock:
                    self.failures.append(repr(error))
            else:
                with self._lock:
                    self.answered += 1
        client.close()


def test_a_killed_worker_takes_only_what_it_was_doing_with_it():
    """Those it had a connection with see one failure each; all others see nothing."""
    with a_fleet(2) as fleet, Callers(fleet, 24) as callers:
        until(lambda: sum(map(fleet.connections, fleet.pids())) == 24 and callers.answered > 500)
        before = fleet.pids()
        victim = max(before, key=fleet.connections)
        held = fleet.connections(victim)
        os.kill(victim, signal.SIGKILL)
        at_the_kill = callers.answered
        until(lambda: callers.answered > at_the_kill + 500)
        until(lambda: len(fleet.pids()) == 2 and victim not in fleet.pids())
        assert 1 <= len(callers.failures) <= held
        assert set(before) - {victim} <= set(fleet.pids())
    assert 1 <= len(callers.failures) <= held


def test_a_worker_that_hangs_is_ended_shown_and_replaced(capfd):
    """Its event loop is stuck: it answers nobody, and would not for ever."""
    with capture_logs() as lines, a_fleet(1, hangs_after_s=2.0) as fleet:
        (stuck,) = fleet.pids()
        with pytest.raises((OSError, http.client.HTTPException)):
            fleet.ask("/hang")
        until(lambda: fleet.pids() not in ([], [stuck]))
        assert fleet.ask("/echo") == 200
    (hung,) = [line for line in lines if "hangs" in line["event"]]
    assert (hung["process"], hung["pid"], hung["silent_s"]) == ("worker-0", stuck, 2.0)
    (ended,) = [line for line in lines if "is started again" in line["event"]]
    assert ended["ended_with"] == "signal SIGABRT"
    assert "in hang" in capfd.readouterr().err  # where it was


def test_a_worker_that_only_works_hard_is_left_alone():
    with a_fleet(1, hangs_after_s=2.0) as fleet:
        before = fleet.pids()
        for _ in range(4):
            assert fleet.ask("/work?seconds=0.9") == 200
        assert fleet.pids() == before


def test_a_worker_that_grew_is_replaced_without_a_failed_request(tmp_path):
    limit = 400_000_000
    recycling = {"home": str(tmp_path), "limit": limit, "settled_s": 0.5, "look_every_s": 0.2}
    with (
        capture_logs() as lines,
        a_fleet(2, recycling={**recycling, "apart_s": 3.0}) as fleet,
        Callers(fleet, 8) as callers,
    ):
        before = fleet.pids()
        until(lambda: callers.answered > 3000)  # they have settled
        assert fleet.ask(f"/hold?bytes={limit}") == 200
        until(lambda: len(set(fleet.pids()) - set(before)) == 1)
        until(lambda: all(map(fleet.connections, fleet.pids())) or callers.answered > 6000)
        assert len(set(fleet.pids()) & set(before)) == 1
    assert callers.failures == []
    (asked,) = [line for line in lines if line["log_level"] == "warning"]
    assert "asked to be started again" in asked["event"]
    assert asked["ended_with"] == f"exit code {RECYCLED}"
