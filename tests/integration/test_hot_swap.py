"""Real workers on one socket, supervised, under load: versions change, processes die, users win."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from toy import MODEL, Load, ToyHome, until

from flyball.domain.deployment import loaded
from flyball.domain.routing import SlotPhase
from flyball.domain.validation import Verdict
from flyball.executors.supervisor import Supervisor
from flyball.serving.server import listening, url_of

WORKERS = 2


class Fleet:
    """Two supervised workers on one socket."""

    def __init__(self, home: ToyHome, sock: socket.socket) -> None:
        self.home = home
        self.url = url_of(sock)
        children = [home.worker(n, sock.fileno()) for n in range(WORKERS)]
        self.supervisor = Supervisor(children)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.supervisor.run, args=(self.stop,))

    def pids(self) -> set[int]:
        return {pid for pid in self.supervisor.pids().values() if pid is not None}

    def is_loaded(self, version: str) -> bool:
        found = self.home.statuses()
        verdict = loaded(self.home.route(), version, found)[0]
        return len(found) == WORKERS and verdict is Verdict.PASS


@pytest.fixture
def home(tmp_path: Path) -> ToyHome:
    return ToyHome(tmp_path / "home")


@pytest.fixture
def fleet(home: ToyHome) -> Iterator[Fleet]:
    home.serve(home.publish("answer 0"))
    with listening("127.0.0.1", 0) as sock:
        fleet = Fleet(home, sock)
        fleet.thread.start()
        try:
            until(lambda: home.all_applied(home.route(), WORKERS), 60)
            yield fleet
        finally:
            fleet.stop.set()
            fleet.thread.join()


def test_twenty_swaps_under_load_fail_no_request(home, fleet):
    """Each answer is consistent, and every worker acknowledges each swap within about a second."""
    answers = {home.route().champion: "answer 0"}
    waits = []
    with Load(fleet.url).running() as load:
        until(lambda: load.answers)
        for number in range(1, 21):
            version = home.publish(f"answer {number}")
            answers[version.name] = f"answer {number}"
            home.load(version)
            until(lambda name=version.name: fleet.is_loaded(name))
            started = time.monotonic()
            route = home.switch()
            until(lambda route=route: home.all_applied(route, WORKERS))
            waits.append(time.monotonic() - started)
            until(lambda name=version.name: load.answers[-1][0] == name)
    assert load.failures == []
    assert {(version, answer) for version, answer, _ in load.answers} == set(answers.items())
    assert sorted(waits)[len(waits) // 2] < 1.0


def test_a_swap_is_final_once_acknowledged(home, fleet):
    """When all workers have reported a route, no answer is from before it."""
    version = home.publish("answer 1")
    home.load(version)
    until(lambda: fleet.is_loaded(version.name))
    route = home.switch()
    until(lambda: home.all_applied(route, WORKERS))
    with httpx.Client(base_url=fleet.url) as client:
        got = {client.get("/v1/answer").json()["model_version"] for _ in range(50)}
    assert got == {version.name}
    assert {status.slot(MODEL, route.live).phase for status in home.statuses()} == {SlotPhase.READY}


def test_a_damaged_artifact_leaves_the_old_version_serving(home, fleet):
    """Its slot says why; it is tried again when the route changes."""
    old = home.route().champion
    version = home.publish("answer 1")
    home.corrupt(version)
    route = home.load(version)

    def failed() -> bool:
        found = [status.slot(MODEL, route.live.other) for status in home.statuses()]
        return [s and s.phase for s in found] == [SlotPhase.FAILED] * WORKERS

    with Load(fleet.url).running() as load:
        until(failed)
        home.switch()
        until(lambda: len(load.answers) > 100)
    slot = home.statuses()[0].slot(MODEL, route.live.other)
    assert "constant.json" in slot.detail
    assert load.failures == []
    assert {version for version, _, _ in load.answers} == {old}
    assert httpx.get(f"{fleet.url}/health/ready").status_code == 200


def test_a_killed_worker_is_replaced_while_the_other_serves(home, fleet):
    """``kill -9`` of one worker loses what it was answering, and nothing after that."""
    before = fleet.pids()
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(fleet.pids()) == 1)
    with Load(fleet.url).running() as load:
        until(lambda: len(fleet.pids()) == WORKERS and victim not in fleet.pids(), 60)
        new = (fleet.pids() - before).pop()
        until(lambda: any(s.worker.endswith(f":{new}") and s.applied for s in home.statuses()), 60)
        answered = len(load.answers)
        until(lambda: len(load.answers) > answered + 200)
    assert load.failures == []


def test_workers_stopped_one_by_one_fail_no_request(home, fleet):
    """A rolling restart under load: SIGTERM drains a worker, the supervisor starts a new one."""
    with Load(fleet.url).running() as load:
        for old in sorted(fleet.pids()):
            os.kill(old, signal.SIGTERM)
            until(lambda old=old: len(fleet.pids() - {old}) == WORKERS, 60)
            until(lambda: home.all_applied(home.route(), WORKERS), 60)
        answered = len(load.answers)
        until(lambda: len(load.answers) > answered + 200)
    assert load.failures == []
