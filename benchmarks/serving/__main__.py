"""Recommendations a second, beside servers that do less.

    python -m benchmarks.serving [--data DIR] [--rounds 5] [--seconds 10] [--only "floor; Flyball"]

Every contender serves the same EASE model of the 5,155 games of ``steam-200k.csv`` with two
processes on this machine's loopback, and is asked by wrk over 32 connections for ten games of a
random known player with some 20 games, JSON in and out. They take turns, in another order each
round, each in fresh processes. The floor (``floor.py``) does nothing but decode, score and encode.
Flyball runs as ``flyball up`` runs it: routing, access, limits, reasons, calibration, metrics, log.

All contenders must give the same lists; a round with an answer that was not 200 counts for
nothing. Exits 1 where a number falls short, 2 if the data or wrk is not there.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.serving import wrk
from benchmarks.serving.contenders import ALL, FASTAPI, FLOOR, FLYBALL, Contender, differing
from benchmarks.serving.scoring import Best
from benchmarks.serving.world import World, made
from benchmarks.serving.wrk import Measured
from benchmarks.steam_data import default_data
from benchmarks.table import Line, judged

WARM_S = 1.0
OF_FLOOR, OF_FASTAPI, P99_MS = 0.55, 1.6, 15.0

Rounds = dict[str, list[Measured]]
"""The rounds of each contender, by its name."""


def turn(world: World, contender: Contender, best: Best, seconds: float, threads: int) -> Measured:
    """Start one contender, warm it, measure it, end it."""
    with contender.running(world) as running:
        wrong = differing(world, contender, running, best)
        if wrong:
            raise SystemExit(f"{contender.name} answers other games than it must, to {wrong[:5]}")
        bodies = contender.bodies(world)
        wrk.measured(running, bodies, world.headers, seconds=WARM_S, threads=threads)
        return wrk.measured(running, bodies, world.headers, seconds=seconds, threads=threads)


def rounds_of(
    world: World, contenders: Sequence[Contender], rounds: int, seconds: float, threads: int
) -> Rounds:
    """All contenders in turn, in another order each round."""
    best, found = Best(world.data), defaultdict(list)
    for number in range(rounds):
        shift = number % len(contenders)
        for contender in (*contenders[shift:], *contenders[:shift]):
            one = turn(world, contender, best, seconds, threads)
            print(
                f"round {number + 1}, {contender.name}: {one.rate:,.0f}/s, p99 {one.p99:.1f} ms, "
                f"{one.cpu_us:.0f} us of CPU" + ("" if one.clean else f"; VOID: {one}"),
                file=sys.stderr,
                flush=True,
            )
            found[contender.name].append(one)
    return found


def report(found: Rounds) -> Table:
    """A row a contender: medians, and how far the rounds lie apart."""
    table = Table(title="POST /v1/recommendations: medians of the rounds")
    table.add_column("server")
    for title in (
        "requests/s", "min to max", "of the floor", "p50 ms", "p99 ms", "CPU us", "MB", "rounds"
    ):  # fmt: skip
        table.add_column(title, justify="right")
    floor = middle(found[FLOOR], "rate") if found.get(FLOOR) else float("nan")
    for name, whole in found.items():
        rounds = [one for one in whole if one.clean] or whole
        rates = [one.rate for one in rounds]
        table.add_row(
            name,
            f"{middle(rounds, 'rate'):,.0f}",
            f"{min(rates):,.0f} to {max(rates):,.0f}",
            f"{middle(rounds, 'rate') / floor:.2f}",
            *(f"{middle(rounds, value):.2f}" for value in ("p50", "p99")),
            *(f"{middle(rounds, value):.0f}" for value in ("cpu_us", "pss_mb")),
            str(len(rounds)),
        )
    return table


def middle(rounds: Sequence[Measured], value: str) -> float:
    """The median of one figure."""
    return statistics.median(float(getattr(one, value)) for one in rounds)


def lines(found: Rounds) -> list[Line]:
    """What is asked for beside what was measured."""
    ours, judgement = found[FLYBALL], []
    for other, least in ((FLOOR, OF_FLOOR), (FASTAPI, OF_FASTAPI)):
        pairs = zip(ours, found.get(other, []), strict=False)
        shares = [a.rate / b.rate for a, b in pairs if a.clean and b.clean]
        if shares:
            what = f"{FLYBALL}'s rate, times that of {other}"
            judgement.append(Line(what=what, values=shares, least=least, unit="x"))
    slowest = [one.p99 for one in ours]
    void = sum(not one.clean for rounds in found.values() for one in rounds)
    return [
        *judgement,
        Line(what=f"{FLYBALL}, p99 at full rate", values=slowest, limit=P99_MS, unit="ms"),
        Line(what="rounds with a failed request", values=[void], limit=0, unit=""),
    ]


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each round")
    parser.add_argument("--threads", type=int, default=2, help="of wrk")
    parser.add_argument("--only", default="", help="names of contenders, between semicolons")
    chosen = parser.parse_args()
    source = chosen.data / "steam-200k.csv"
    if not source.exists() or not wrk.installed():
        missing = "wrk (Debian: apt-get install wrk)" if source.exists() else f"{source} (--data)"
        print(f"not here: {missing}", file=sys.stderr)
        return 2
    names = [name.strip() for name in chosen.only.split(";") if name.strip()]
    contenders = [each for each in ALL if not names or each.name in names]
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder:
        world = made(Path(folder), source)
        found = rounds_of(world, contenders, chosen.rounds, chosen.seconds, chosen.threads)
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(report(found))
    return judged("The inference server", lines(found)) if found.get(FLYBALL) else 0


if __name__ == "__main__":
    sys.exit(main())
