"""Latency at a fixed rate, as players feel it: measured from when each request was due.

    python -m benchmarks.latency [--data DIR] [--rate 1000] [--seconds 20] [--rounds 5]

The floor of ``benchmarks.serving`` and Flyball in turn, each in fresh processes, asked by the
open-loop generator (``benchmarks.open_loop``) 1,000 times a second. First the generator proves
itself: the floor is stopped for a second (SIGSTOP) in the middle of a run, and a tenth of all
latencies must show it, though no more connections than usual saw it.
Exits 1 where a number falls short, 2 if the data is not there.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.open_loop.counts import Latencies
from benchmarks.open_loop.load import whole
from benchmarks.serving.contenders import ALL, FILTERED, FLOOR, FLYBALL, Contender
from benchmarks.serving.world import World, made
from benchmarks.steam_data import default_data
from benchmarks.table import Line, judged

P50_MS, P99_MS = 2.0, 8.0
PAUSE_S, PROOF_S = 1.0, 10.0
WARM_S = 2.0
COLUMNS = ("p50", "p90", "p99", "p99.9", "most", "answered", "failed", "CPU us", "sent late")


def contender(name: str) -> Contender:
    """By its name."""
    return next(each for each in ALL if each.name == name)


def measured(
    world: World, asked: Contender, rate: float, seconds: float
) -> tuple[Latencies, float]:
    """One round; also the microseconds of the processor that an answer cost."""
    with asked.running(world) as running:
        bodies = asked.bodies(world)
        whole(running.url, bodies, world.headers, rate=rate, seconds=WARM_S)
        spent = running.cpu_s()
        found = whole(running.url, bodies, world.headers, rate=rate, seconds=seconds)
        return found, 1e6 * (running.cpu_s() - spent) / max(1, found.answered)


def stopped(world: World, rate: float) -> Latencies:
    """The floor, with all its processes stopped for a second in the middle of the run."""
    with contender(FLOOR).running(world) as running:

        def pause() -> None:
            for pid in running.pids:
                os.kill(pid, signal.SIGSTOP)
            threading.Event().wait(PAUSE_S)
            for pid in running.pids:
                os.kill(pid, signal.SIGCONT)

        timer = threading.Timer(PROOF_S / 2, pause)
        timer.start()
        try:
            return whole(running.url, world.bodies, world.headers, rate=rate, seconds=PROOF_S)
        finally:
            timer.join()


def report(found: dict[str, list[tuple[Latencies, float]]], rate: float) -> Table:
    """A row a round."""
    table = Table(title=f"Latency at {rate:,.0f} requests a second, ms")
    table.add_column("server")
    for title in COLUMNS:
        table.add_column(title, justify="right")
    for name, rounds in found.items():
        for one, cpu in rounds:
            table.add_row(
                name,
                *(f"{ms:.2f}" for ms in (one.p50, one.p90, one.p99, one.p999, one.most)),
                *(f"{one.answered:,}", str(one.failed), f"{cpu:.0f}", f"{one.late_ms:.2f}"),
            )
    return table


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0)
    chosen = parser.parse_args()
    source = chosen.data / "steam-200k.csv"
    if not source.exists():
        print(f"no {source}; pass --data DIR", file=sys.stderr)
        return 2
    found: dict[str, list[tuple[Latencies, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder:
        world = made(Path(folder), source)
        proof = stopped(world, chosen.rate)
        for _ in range(chosen.rounds):
            for name in (FLOOR, FLYBALL, FILTERED):
                one = measured(world, contender(name), chosen.rate, chosen.seconds)
                found[name].append(one)
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(report(found, chosen.rate))
    ours = [one for one, _ in found[FLYBALL]]
    failed = sum(one.failed for rounds in found.values() for one, _ in rounds)
    # Of 10 s a second stood still: the last hundredth were due in its first tenth.
    seen = Line(
        what="the generator sees a pause of 1 s: p99", values=[proof.p99], least=850, unit="ms"
    )
    return judged(
        f"Open loop, {chosen.rate:,.0f}/s",
        [
            Line(what="Flyball, p50", values=[x.p50 for x in ours], limit=P50_MS, unit="ms"),
            Line(what="Flyball, p99", values=[x.p99 for x in ours], limit=P99_MS, unit="ms"),
            Line(what="failed requests", values=[failed], limit=0, unit=""),
            seen,
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
