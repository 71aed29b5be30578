"""An acknowledged event outlives everything that happens to the processes, database and disk."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from gameday_home import opened
from gameday_processes import KEY, until

from flyball.serving.server import listening, url_of
from flyball.storage.spool_files import listed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SERVING = (sys.executable, "-m", "flyball.serving", "--log-level", "error")
WORKERS = 2


@dataclass
class Senders:
    """Clients that send batches without a pause until the server is gone, or they are stopped.

    Each batch comes by a connection of its own, so that no worker gets all of them.
    """

    url: str
    acknowledged: list[str] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    slowest: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self, count: int = 4) -> Iterator[Senders]:
        threads = [threading.Thread(target=self._send, args=(n,)) for n in range(count)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self.stop.set()
            for thread in threads:
                thread.join()

    def _send(self, sender: int) -> None:
        single = httpx.Limits(max_keepalive_connections=0)
        with (
            httpx.Client(base_url=self.url, timeout=60, limits=single) as client,
            suppress(httpx.TransportError),
        ):
            for batch in itertools.count():
                if self.stop.is_set():
                    return
                ids = [f"{sender}-{batch}-{n}" for n in range(20)]
                started = time.monotonic()
                answer = client.post("/v1/events", json=[purchase(id) for id in ids])
                self.slowest = max(self.slowest, time.monotonic() - started)
                if answer.status_code == 200:
                    self.acknowledged += ids
                else:
                    self.refused.append(answer.status_code)


def purchase(id: str, game: str = "game-1", user: str = "somebody") -> dict[str, str]:
    return {"event_id": id, "type": "purchase", "user_id": user, "game_id": game}


@dataclass(frozen=True)
class Workers:
    """Workers on one socket."""

    sock: socket.socket
    processes: list[subprocess.Popen[bytes]]

    @property
    def url(self) -> str:
        return url_of(self.sock)

    def killed(self) -> None:
        """``kill -9``, all of them; nobody listens any more."""
        for process in self.processes:
            process.send_signal(signal.SIGKILL)
        for process in self.processes:
            process.wait()
        self.sock.close()


@contextmanager
def workers(home: Path) -> Iterator[Workers]:
    """Two workers on one socket, both ready to take events."""
    with listening("127.0.0.1", 0) as sock:
        argv = [*SERVING, "--home", str(home), "--fd", str(sock.fileno())]
        started = {"pass_fds": (sock.fileno(),), "env": os.environ | {"FLYBALL_PRIVACY__KEY": KEY}}
        running = Workers(sock, [subprocess.Popen(argv, **started) for _ in range(WORKERS)])
        try:
            target = opened(home).platform.target
            assert until(lambda: len(target.workers()) == WORKERS, 60)
            yield running
        finally:
            running.killed()


def stored(home: Path) -> set[str]:
    events, cursor = opened(home).platform.events.after(0)
    ids: list[str] = []
    while events:
        ids += [event.event_id for event in events]
        events, cursor = opened(home).platform.events.after(cursor)
    assert len(ids) == len(set(ids))
    return set(ids)


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Somebody else writes to the database, and does not come to an end."""
    with closing(sqlite3.connect(home / "flyball.sqlite", isolation_level=None)) as database:
        database.execute("PRAGMA busy_timeout = 30000")
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty installation: taking events needs no model."""
    made = tmp_path / "home"
    assert opened(made).platform.events.last() == 0
    return made


class TestAnAcknowledgedEvent:
    def test_outlives_kill_9_of_every_process_at_any_moment(self, home):
        with workers(home) as running:
            senders = Senders(running.url)
            with senders.running():
                until(lambda: len(senders.acknowledged) > 2_000)
                running.killed()
        assert set(senders.acknowledged) <= stored(home)
        assert senders.refused == []

    def test_outlives_kill_9_while_it_waits_on_disk(self, home):
        with workers(home) as running:
            senders = Senders(running.url)
            with locked(home), senders.running():
                assert until(lambda: len(listed(home / "spool")) == WORKERS, 60)
                until(lambda: len(senders.acknowledged) > 2_000)
                running.killed()
        before = stored(home)
        assert len(set(senders.acknowledged) - before) > 1_000
        with workers(home):
            assert until(lambda: not listed(home / "spool"), 60)
        assert set(senders.acknowledged) <= stored(home)


class TestADatabaseThatIsLockedForTenSeconds:
    def test_keeps_nobody_waiting_so_long_and_loses_nothing(self, home):
        with workers(home) as running:
            senders = Senders(running.url)
            with senders.running():
                until(lambda: len(senders.acknowledged) > 500)
                with locked(home):
                    before = len(senders.acknowledged)
                    threading.Event().wait(10)
                    meanwhile = len(senders.acknowledged) - before
                assert meanwhile > 1_000
                until(lambda: not listed(home / "spool"), 60)
            assert until(lambda: not listed(home / "spool"), 60)
            assert httpx.get(f"{running.url}/health").json()["spool"] == {"waiting": 0}
        assert senders.refused == []
        assert senders.slowest < 8
        assert set(senders.acknowledged) == stored(home)


class TestAFullDisk:
    def test_refuses_events_with_507_and_goes_on_recommending(self, reference, small_disk):
        home = reference.copied(small_disk("size=256m") / "home")
        with workers(home) as running, httpx.Client(base_url=running.url, timeout=60) as client:
            assert until(lambda: client.get("/health/ready").status_code == 200, 60)
            filler = home.parent / "filler"
            with filler.open("wb", buffering=0) as file, suppress(OSError):
                while file.write(bytes(1 << 16)):
                    pass
            answers = [client.post("/v1/events", json=batch(n)) for n in range(40)]
            taken = [n for n, answer in enumerate(answers) if answer.status_code == 200]
            statuses = {answer.status_code for answer in answers[len(taken) :]}
            assert (statuses, taken) == ({507}, list(range(len(taken))))
            assert "disk is full" in answers[-1].json()["detail"]
            for player in range(20):
                shown = client.get(f"/v1/recommendations/player-{player:05}?k=5")
                assert (shown.status_code, len(shown.json()["items"])) == (200, 5)
            filler.unlink()
            assert until(lambda: client.post("/v1/events", json=batch(40)).status_code == 200, 30)
            assert until(lambda: not listed(home / "spool"), 60)
            wanted = {event["event_id"] for n in [*taken, 40] for event in batch(n)}
        assert wanted <= stored(home)


def batch(number: int) -> list[dict[str, str]]:
    """Enough that the last free bytes of a disk do not do."""
    return [purchase(f"{number}-{n}-{'x' * 90}") for n in range(200)]
