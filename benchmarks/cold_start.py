"""Cold start: from ``flyball up`` to workers that answer.

    python -m benchmarks.cold_start [--data DIR] [--rounds 5]

The home of ``benchmarks.serving``, whose version is verified, mapped and exercised at each start.
Each round is a ``flyball up --workers 2`` of its own; one more comes first, so that programs and
libraries are in the page cache. Judged is the time from the start of the worker processes to the
moment when all of them are ready; beside it, from the command itself, and to the first answer.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from benchmarks.loop import FLYBALL
from benchmarks.serving.processes import PATH, WORKERS, free_port
from benchmarks.serving.world import MODEL, World, made
from benchmarks.steam_data import default_data
from benchmarks.table import Line, judged
from flyball import Flyball, configuration
from flyball.domain.deployment import applied
from flyball.domain.routing import Route
from flyball.domain.validation import Verdict

GIVE_UP_S = 60.0
LIMIT_S = 2.0


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds of one start.

    Attributes:
        workers: from the start of the first worker process until all are ready.
        ready: the same from the start of ``flyball up``.
        answer: from there to the first recommendation.
    """

    workers: float
    ready: float
    answer: float


def started(world: World) -> Start:
    """Start, wait, stop."""
    ports = ["--port", str(port := free_port()), "--console-port", str(free_port())]
    command = [FLYBALL, "up", "--home", str(world.home), "--workers", str(WORKERS), *ports]
    began = now()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        answer = first_answer(f"http://127.0.0.1:{port}{PATH}", world) - began
        with Flyball(config=configuration.load(world.home, environ={})) as flyball:
            ready = all_ready(flyball)
        first = min(map(start_of, worker_pids(process.pid)))
        return Start(workers=ready - first, ready=ready - began, answer=answer)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def now() -> float:
    """Seconds since the machine started, the clock that the kernel notes starts of processes by."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def start_of(pid: int) -> float:
    """When a process was started, on the clock of ``now``; proc(5), field 22 of stat."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def first_answer(url: str, world: World) -> float:
    """When a recommendation came; on the clock of ``now``."""
    known = dict(line.split(": ", 1) for line in world.headers.read_text().splitlines())
    pause, end = threading.Event(), now() + GIVE_UP_S
    body = {"user_id": world.players[0], "k": 10}
    with httpx.Client(headers=known, timeout=GIVE_UP_S) as client:
        while now() < end:
            try:
                if client.post(url, json=body).status_code == 200:
                    return now()
            except httpx.TransportError:
                pass
            pause.wait(0.01)
    raise SystemExit(f"no recommendation within {GIVE_UP_S:g} s")


def all_ready(flyball: Flyball) -> float:
    """When the last worker had the version ready, as it reported; on the clock of ``now``."""
    pause, end = threading.Event(), now() + GIVE_UP_S
    while now() < end:
        found = flyball.platform.target.workers()
        route = flyball.platform.records.get(Route, MODEL)
        if len(found) == WORKERS and applied(route, found)[0] is Verdict.PASS:
            return now()
        pause.wait(0.01)
    raise SystemExit(f"the workers were not ready within {GIVE_UP_S:g} s")


def worker_pids(parent: int) -> list[int]:
    """The serving processes of a ``flyball up``."""
    children = psutil.Process(parent).children(recursive=True)
    return [child.pid for child in children if "flyball.serving" in child.cmdline()]


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    source = chosen.data / "steam-200k.csv"
    if not source.exists():
        print(f"no {source}; pass --data DIR", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder:
        world = made(Path(folder), source)
        started(world)  # programs and libraries come into the page cache
        found = [started(world) for _ in range(chosen.rounds)]
    return judged(
        f"Cold start of {WORKERS} workers, imports in the page cache",
        [
            Line(
                what="workers, from their start to ready",
                values=[one.workers for one in found],
                limit=LIMIT_S,
                unit="s",
            ),
            Line(what="flyball up to all ready", values=[one.ready for one in found], unit="s"),
            Line(
                what="flyball up to the first answer",
                values=[one.answer for one in found],
                unit="s",
            ),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
