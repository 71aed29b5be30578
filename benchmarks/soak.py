"""An hour of steady load: does anything grow, slow down or fail?

    python -m benchmarks.soak [--minutes 60] [--data DIR]      (make soak)

First wrk finds the highest rate of two workers with all of the product on. Then the open-loop
generator asks at 60% of it, with and without filters. Held are: latency (the p99 of a minute of the
last quarter against the first, medians), memory (of all workers together) and errors. A table row
stands for five minutes, or for one where the whole is short. The first minute warms and does not
count. Exits 1 where something does not hold, 2 if the data or wrk is not there.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.open_loop.counts import Latencies
from benchmarks.open_loop.load import stretches
from benchmarks.serving import wrk
from benchmarks.serving.contenders import flyball
from benchmarks.serving.world import World, made
from benchmarks.steam_data import default_data
from benchmarks.table import Line, judged

SHARE = 0.6
GROWTH = 0.05
FLAT = 1.5
"""The p99 of the last minutes may be so many times that of the first: minutes differ by chance."""

FLOOR_MS = 2.0
"""Below this a p99 is what the machine's scheduler makes of it: it may double and mean nothing."""

HIGHEST_S = 10.0
MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute.

    Attributes:
        load: what was asked and answered.
        memory: of all workers together, MB.
        cpu_us: of the processor, an answer.
    """

    load: Latencies
    memory: float
    cpu_us: float


def bodies(world: World) -> Path:
    """Requests with and without filters, half and half."""
    path = world.data / "both.jsonl"
    path.write_text(world.bodies.read_text() + world.filtered.read_text())
    return path


def soaked(world: World, minutes: int, console: Console) -> tuple[float, list[Minute]]:
    """The rate that was asked for, and what each minute was like; the first one is left out."""
    with flyball(world) as running:
        asked = bodies(world)
        wrk.measured(running, asked, world.headers, seconds=2.0)
        highest = wrk.measured(running, asked, world.headers, seconds=HIGHEST_S).rate
        rate = SHARE * highest
        console.print(
            f"the highest rate is {highest:,.0f}/s; {minutes} minutes at {rate:,.0f}/s begin"
        )
        found: list[Minute] = []
        spent = running.cpu_s()
        for load in stretches(
            running.url,
            asked,
            world.headers,
            rate=rate,
            seconds=MINUTE_S * (minutes + 1),
            every=MINUTE_S,
        ):
            now = running.cpu_s()
            cpu_us = 1e6 * (now - spent) / max(1, load.answered)
            found.append(Minute(load, running.pss_mb(), cpu_us))
            spent = now
            console.print(f"minute {len(found) - 1}: {said(found[-1])}", highlight=False)
        return rate, found[1:]


def said(minute: Minute) -> str:
    """In a line."""
    load = minute.load
    return (
        f"{load.answered:,} answered, {load.failed} failed, p50 {load.p50:.2f} ms, "
        f"p99 {load.p99:.2f} ms, {minute.memory:.0f} MB, {minute.cpu_us:.0f} us of CPU"
    )


def report(minutes: Sequence[Minute], rate: float) -> Table:
    """A row for every five minutes, or one where there are few."""
    table = Table(title=f"{len(minutes)} minutes at {rate:,.0f} requests a second")
    for title in ("minutes", "answered", "failed", "p50 ms", "p99 ms", "most ms", "MB", "CPU us"):
        table.add_column(title, justify="right")
    step = 5 if len(minutes) >= 20 else 1
    for start in range(0, len(minutes), step):
        part = minutes[start : start + step]
        loads = [minute.load for minute in part]
        table.add_row(
            f"{start + 1} to {start + len(part)}",
            f"{sum(load.answered for load in loads):,}",
            str(sum(load.failed for load in loads)),
            f"{statistics.median(load.p50 for load in loads):.2f}",
            f"{statistics.median(load.p99 for load in loads):.2f}",
            f"{max(load.most for load in loads):.1f}",
            f"{statistics.median(minute.memory for minute in part):.0f}",
            f"{statistics.median(minute.cpu_us for minute in part):.0f}",
        )
    return table


def verdict(minutes: Sequence[Minute], rate: float) -> list[Line]:
    """What must hold, of the first and the last quarter."""
    quarter = max(1, len(minutes) // 4)
    first, last = minutes[:quarter], minutes[-quarter:]
    before = statistics.median(minute.load.p99 for minute in first)
    after = statistics.median(minute.load.p99 for minute in last)
    memory = [statistics.median(minute.memory for minute in part) for part in (first, last)]
    answered = sum(minute.load.answered for minute in minutes)
    return [
        Line(
            what="failed requests", values=[sum(m.load.failed for m in minutes)], limit=0, unit=""
        ),
        Line(
            what="requests answered of those due",
            values=[answered / (rate * MINUTE_S * len(minutes))],
            least=0.999,
            unit="x",
        ),
        Line(
            what="p99, the last quarter of the first",
            values=[max(after, FLOOR_MS) / max(before, FLOOR_MS)],
            limit=FLAT,
            unit="x",
        ),
        Line(
            what="memory, the last quarter of the first",
            values=[memory[1] / memory[0]],
            limit=1.0 + GROWTH,
            unit="x",
        ),
    ]


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--data", type=Path, default=default_data())
    chosen = parser.parse_args()
    source = chosen.data / "steam-200k.csv"
    if not source.exists() or not wrk.installed() or chosen.minutes < 1:
        print("needs wrk, steam-200k.csv (--data) and a minute at least", file=sys.stderr)
        return 2
    console = Console(width=None if sys.stdout.isatty() else 120)
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder:
        rate, minutes = soaked(made(Path(folder), source), chosen.minutes, console)
    console.print(report(minutes, rate))
    return judged("Soak", verdict(minutes, rate))


if __name__ == "__main__":
    sys.exit(main())
