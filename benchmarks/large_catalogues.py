"""Catalogues that are larger than Steam's: what they cost in time and memory.

    python -m benchmarks.large_catalogues [--rounds 5] [--seconds 10]

20,000 games with dense weights against 5,155, in turn, by wrk as in ``benchmarks.serving``: the
rate may fall to 0.4. And 100,000 games with 500 neighbours each, kept sparse, at 500 requests a
second from the open-loop generator: latency, and the memory of both workers together (Pss: what
they share counts once). Models are made of random weights (``serving.made_world``); everything
around them is the product, with all of it on. Exits 1 where a number falls short.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.open_loop.counts import Latencies
from benchmarks.open_loop.load import whole
from benchmarks.serving import wrk
from benchmarks.serving.contenders import flyball
from benchmarks.serving.made_world import made
from benchmarks.serving.world import World
from benchmarks.serving.wrk import Measured
from benchmarks.table import Line, judged

SMALL, LARGE, RATIO = 5_155, 20_000, 0.4
MANY, NEIGHBOURS, RATE = 100_000, 500, 500.0
P99_MS, MEMORY_MB = 25.0, 600.0
WARM_S = 2.0


def at_full_rate(world: World, seconds: float) -> Measured:
    """A round of wrk."""
    with flyball(world) as running:
        wrk.measured(running, world.bodies, world.headers, seconds=WARM_S)
        return wrk.measured(running, world.bodies, world.headers, seconds=seconds)


def at_fixed_rate(world: World, seconds: float) -> tuple[Latencies, float, float, float]:
    """A round of the open loop; also the memory of all workers in MB, what of it no file holds,
    and the microseconds of the processor that an answer cost."""
    with flyball(world) as running:
        whole(running.url, world.bodies, world.headers, rate=RATE, seconds=WARM_S)
        spent = running.cpu_s()
        found = whole(running.url, world.bodies, world.headers, rate=RATE, seconds=seconds)
        spent = running.cpu_s() - spent
        memory = running.pss_mb(), running.pss_mb("Pss_Anon")
        return found, *memory, 1e6 * spent / max(1, found.answered)


def dense_lines(folder: Path, rounds: int, seconds: float) -> list[Line]:
    """20,000 games beside 5,155."""
    worlds = [made(folder / str(size), size, None) for size in (SMALL, LARGE)]
    pairs = [[at_full_rate(world, seconds) for world in worlds] for _ in range(rounds)]
    shares = [large.rate / small.rate for small, large in pairs]
    failed = sum(one.refused + one.broken for pair in pairs for one in pair)
    found = [
        Line(what="20,000 games, rate of that of 5,155", values=shares, least=RATIO, unit="x"),
        Line(what="failed requests", values=[failed], limit=0, unit=""),
    ]
    for place, size in enumerate((SMALL, LARGE)):
        rates = [pair[place].rate for pair in pairs]
        found.append(Line(what=f"{size:,} games, requests", values=rates, unit="/s"))
        spent = [pair[place].cpu_us for pair in pairs]
        found.append(Line(what=f"{size:,} games, CPU a request", values=spent, unit="us"))
    return found


def sparse_lines(folder: Path, rounds: int, seconds: float) -> list[Line]:
    """100,000 games with 500 neighbours."""
    world = made(folder / str(MANY), MANY, NEIGHBOURS)
    found = [at_fixed_rate(world, seconds) for _ in range(rounds)]
    latencies, memory, own, spent = zip(*found, strict=True)
    name = "100,000 games"
    return [
        Line(what=f"{name}, p50", values=[x.p50 for x in latencies], unit="ms"),
        Line(what=f"{name}, p99", values=[x.p99 for x in latencies], limit=P99_MS, unit="ms"),
        Line(what=f"{name}, all workers, Pss", values=memory, limit=MEMORY_MB, unit="MB"),
        Line(what="of it in no file", values=own, unit="MB"),
        Line(what=f"{name}, CPU a request", values=spent, unit="us"),
        Line(what="failed requests", values=[sum(x.failed for x in latencies)], limit=0, unit=""),
    ]


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each round")
    parser.add_argument("--only", choices=("dense", "sparse"))
    chosen = parser.parse_args()
    if not wrk.installed():
        print("no wrk here (Debian: apt-get install wrk)", file=sys.stderr)
        return 2
    codes = []
    for kind, measure in {"dense": dense_lines, "sparse": sparse_lines}.items():
        if chosen.only in (None, kind):
            with tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder:
                found = measure(Path(folder), chosen.rounds, chosen.seconds)
            codes.append(judged(f"Large catalogues, {kind}", found))
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
