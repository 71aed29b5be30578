"""Events: how many a second are acknowledged, each on disk before its sender hears of it.

Two supervised workers serve the games application on SQLite; no model need be deployed. Clients
send batches of 100 events over 16 connections without a pause; every event has an id of its own
(random, the worst order for an index). Afterwards some batches are sent again: each event must be
told to be a duplicate. In the end exactly the acknowledged events must be in the database. The rate
counts from the first request to the last answer.

    python -m benchmarks.events [--seconds 5] [--rounds 5] [--rate 24000]
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import os
import random
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from benchmarks.hot_swap import SERVING, WORKERS
from benchmarks.table import Line, judged
from flyball import Flyball
from flyball.executors.supervisor import Child, Supervisor
from flyball.serving.server import listening, url_of
from flyball.wiring import Platform

BATCH, CONNECTIONS, AGAIN = 100, 16, 20
LEAST = 20_000
KINDS = ("impression", "impression", "impression", "click", "play", "purchase")
JSON = {"content-type": "application/json"}


@dataclass
class Flood:
    """What the clients of one round sent, and what they were told."""

    url: str
    bodies: Iterator[bytes]
    seconds: list[float] = field(default_factory=list)
    accepted: int = 0
    failures: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self) -> float:
        """Send everything; the seconds it took."""
        threads = [threading.Thread(target=self._client) for _ in range(CONNECTIONS)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - started

    def _client(self) -> None:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        while (body := self._next()) is not None:
            started = time.perf_counter()
            connection.request("POST", "/v1/events", body, JSON)
            answer = connection.getresponse()
            said = answer.read()
            seconds = time.perf_counter() - started
            with self.lock:
                self.seconds.append(seconds)
                if answer.status == 200:
                    self.accepted += msgspec.json.decode(said)["accepted"]
                else:
                    self.failures.append(said.decode())
        connection.close()

    def _next(self) -> bytes | None:
        with self.lock:
            return next(self.bodies, None)


@contextmanager
def serving(platform: Platform) -> Iterator[tuple[str, list[int]]]:
    """Two workers; where they are reached, and their process ids."""
    with listening("127.0.0.1", 0) as sock:
        argv = [*SERVING, "--home", str(platform.home), "--fd", str(sock.fileno())]
        children = [
            Child(name=f"worker {n}", argv=argv, pass_fds=(sock.fileno(),)) for n in range(WORKERS)
        ]
        stop, pause = threading.Event(), threading.Event()
        thread = threading.Thread(target=Supervisor(children).run, args=(stop,))
        thread.start()
        try:
            deadline = time.monotonic() + 60
            while len(found := platform.target.workers()) < WORKERS:
                if time.monotonic() > deadline:
                    raise SystemExit("the workers did not start in 60 s")
                pause.wait(0.05)
            yield url_of(sock), [int(status.worker.rpartition(":")[2]) for status in found]
        finally:
            stop.set()
            thread.join()


def batches(count: int, rng: random.Random) -> tuple[list[bytes], set[str]]:
    """Bodies of requests, and the ids of all their events."""
    ids: set[str] = set()
    bodies = []
    for _ in range(count):
        events = [
            {
                "event_id": str(uuid.UUID(int=rng.getrandbits(128))),
                "type": rng.choice(KINDS),
                "user_id": f"player-{rng.randrange(50_000):05}",
                "game_id": f"game-{rng.randrange(5_000)}",
                "recommendation_id": f"{rng.getrandbits(136):034x}.1.0.0-01234567-89abcdef",
                "value": round(rng.random() * 60, 2),
                "timestamp": "2026-05-01T12:00:00.250Z",
            }
            for _ in range(BATCH)
        ]
        ids.update(str(event["event_id"]) for event in events)
        bodies.append(msgspec.json.encode(events))
    return bodies, ids


def cpu_seconds(pids: list[int]) -> float:
    """User and system time of some processes."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def stored(flyball: Flyball) -> Iterator[str]:
    """The ids of all events in the database."""
    events, cursor = flyball.platform.events.after(0)
    while events:
        yield from (event.event_id for event in events)
        events, cursor = flyball.platform.events.after(cursor)


def measured(flyball: Flyball, *, rounds: int, count: int) -> int:
    """Flood the workers; the exit code."""
    rng = random.Random()
    rates, cpu, p50, p99 = [], [], [], []
    told: set[str] = set()
    wrong: list[str] = []
    before = set(stored(flyball))
    with serving(flyball.platform) as (url, pids):
        for _ in range(rounds):
            bodies, ids = batches(count, rng)
            flood, used = Flood(url, iter(bodies)), cpu_seconds(pids)
            rates.append(len(ids) / flood.send())
            cpu.append((cpu_seconds(pids) - used) / len(ids) * 1e6)
            cuts = statistics.quantiles(flood.seconds, n=100)
            p50.append(cuts[49] * 1e3)
            p99.append(cuts[98] * 1e3)
            told |= ids
            wrong += flood.failures
            again = Flood(url, itertools.islice(iter(bodies), AGAIN))
            again.send()
            wrong += again.failures
            if (flood.accepted, again.accepted) != (len(ids), 0):
                wrong.append(f"{flood.accepted} and {again.accepted} accepted of {len(ids)} and 0")
    differ = len(told ^ (set(stored(flyball)) - before))
    for line in wrong[:5]:
        print(f"  {line}")
    lines = [
        Line(what="acknowledged events a second", values=rates, unit="/s", least=LEAST),
        Line(what="CPU of both workers for an event", values=cpu, unit="us"),
        Line(what="latency of a batch, p50", values=p50, unit="ms"),
        Line(what="latency of a batch, p99", values=p99, unit="ms"),
        Line(what="wrong answers", values=[len(wrong)], limit=0, unit=""),
        Line(what="events lost, or stored unasked", values=[differ], limit=0, unit=""),
    ]
    return judged(f"batches of {BATCH} events, {CONNECTIONS} connections, 2 workers", lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="of a round, at --rate")
    parser.add_argument("--rate", type=int, default=30_000, help="events a second made ready")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--home", type=Path, help="keep the home here, or use it again")
    arguments = parser.parse_args()
    count = max(AGAIN, int(arguments.seconds * arguments.rate) // BATCH)
    with tempfile.TemporaryDirectory() as folder:
        home = arguments.home or Path(folder) / "home"
        with Flyball(home=home) as flyball:
            return measured(flyball, rounds=arguments.rounds, count=count)


if __name__ == "__main__":
    sys.exit(main())
