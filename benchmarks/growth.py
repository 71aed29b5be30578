"""How the cost of each model grows with users, items and interactions, up to ten million of these.

    python -m benchmarks.growth [--families ease,als] [--axes items] [--picture growth.svg]

The data are made (``benchmarks.interactions_made``). Each fit has a process of its own and one
thread; one that needs more than two minutes of the processor or 6 GB is stopped, and its family is
not measured further along that axis. Times of fits are of the processor, so that a busy machine
adds little. The growth is the slope in a log-log plot: cost goes as size to that power. EASE on
20,000 items is measured once more, on two cores and by the clock. Exits 1 where that takes more
than 90 s or 6 GB.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from benchmarks.growth_picture import picture
from benchmarks.interactions_made import made, read, write
from benchmarks.table import Line, judged
from flyball import plugins
from flyball.errors import TrainingError

DATED = ("trending", "markov", "popularity")
UNDATED = ("feature_ease", "ease", "sparse_ease", "als", "rp3beta", "item_knn", "popularity")
"""The most accurate first, as ``benchmarks.accuracy`` finds them."""

FAMILIES = tuple(reversed(UNDATED)) + DATED[:2]
CPU_S, BYTES = 120, 6_000_000_000
PLAYERS = 300


class Size(NamedTuple):
    """How much data."""

    users: int
    items: int
    interactions: int


AXES = {
    "users": [Size(n, 5_000, 10 * n) for n in (10_000, 100_000, 1_000_000)],
    "items": [Size(100_000, n, 1_000_000) for n in (1_000, 5_000, 20_000, 100_000)],
    "interactions": [Size(100_000, 5_000, n) for n in (300_000, 1_000_000, 10_000_000)],
}
"""One changes, the others stay; with users come their interactions, ten each."""

LARGE = Size(100_000, 20_000, 1_000_000)


@dataclass(frozen=True)
class Cost:
    """Of one family at one size.

    Attributes:
        cpu, wall: seconds of the fit, of the processor and of the clock.
        mib: peak memory of the process, the data included.
        score: seconds to score all items for one player, the median.
        stopped: why there is nothing of these; empty where there is.
    """

    cpu: float = np.nan
    wall: float = np.nan
    mib: float = np.nan
    score: float = np.nan
    stopped: str = ""


def measured(family: str, path: Path, threads: int) -> Cost:
    """Fit in this process, within the limits; so many threads of BLAS."""
    with threadpool_limits(limits=threads):
        return _measured(family, path, threads)


def _measured(family: str, path: Path, threads: int) -> Cost:
    data, kind = read(path), plugins.model(family)
    spent = int(time.process_time())
    resource.setrlimit(resource.RLIMIT_CPU, (spent + threads * CPU_S, spent + threads * CPU_S + 5))
    resource.setrlimit(resource.RLIMIT_DATA, (BYTES, BYTES))
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        model: Any = kind.fit(data, kind.Config())
    except MemoryError:
        return Cost(stopped=f"> {BYTES / 1e9:g} GB")
    except TrainingError as error:
        return Cost(stopped="refused" if "at most" in str(error) else str(error))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = peak_mib()
    histories = data.histories()
    times = []
    for row in np.random.default_rng(0).integers(0, len(histories), PLAYERS):
        history = histories.one(int(row))
        began = time.perf_counter()
        model.score(history)
        times.append(time.perf_counter() - began)
    return Cost(cpu, wall, peak, float(np.median(times)))


def peak_mib() -> float:
    """The most memory this process held at once. (``ru_maxrss`` may be that of its parent.)"""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def in_own_process(family: str, path: Path, threads: int = 1) -> Cost:
    """``measured`` in a fresh process; what stopped it, if anything did."""
    command = [sys.executable, "-m", "benchmarks.growth", "--measure", family, str(path)]
    command.append(str(threads))
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return Cost(stopped=f"> {CPU_S} s")
    if done.returncode:
        raise SystemExit(f"{family} ended with {done.returncode}")
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


Costs = dict[tuple[str, Size], Cost]


def along(axes: Sequence[str], families: Sequence[str], console: Console) -> Costs:
    """Every family at every size of these axes, as far as it goes."""
    costs: Costs = {}
    beyond: set[tuple[str, str]] = set()
    with tempfile.TemporaryDirectory(prefix="flyball-growth-") as folder:
        for axis in axes:
            for size in AXES[axis]:
                wanted = [f for f in families if (f, size) not in costs and (axis, f) not in beyond]
                path = Path(folder) / "data.npz"
                if wanted:
                    write(made(*size), path)
                for family in wanted:
                    costs[family, size] = in_own_process(family, path)
                    console.print(f"{family} {tuple(size)}: {said(costs[family, size])}")
                beyond |= {
                    (axis, f) for f in families if (f, size) in costs and costs[f, size].stopped
                }
    return costs


def said(cost: Cost) -> str:
    """Seconds, memory and microseconds; or why not."""
    return cost.stopped or f"{cost.cpu:.3g} s, {cost.mib:.0f} MiB, {1e6 * cost.score:.0f} µs"


def growth(costs: Costs, family: str, axis: str, what: str) -> float:
    """The slope of log cost by log size, over the sizes with a cost; NaN of fewer than two."""
    points = [(getattr(size, axis), costs.get((family, size))) for size in AXES[axis]]
    known = [(n, getattr(c, what)) for n, c in points if c is not None and not c.stopped]
    if len(known) < 2:
        return float("nan")
    x, y = np.log(np.array(known)).T
    return float(np.polyfit(x, y, 1)[0])


def report(costs: Costs, axis: str, families: Sequence[str]) -> Table:
    """Of one axis: a row a family, a column a size, and the growth of each."""
    table = Table(title=f"Growth with {axis} (fit: seconds of one core, peak; one player)")
    table.add_column("model")
    sizes = AXES[axis]
    for size in sizes:
        title = f"{getattr(size, axis):,} {axis}"
        table.add_column(title, justify="right")
    for title in ("time goes as", "memory as", "scoring as"):
        table.add_column(title, justify="right")
    for family in families:
        found = [costs.get((family, size)) for size in sizes]
        slopes = [growth(costs, family, axis, what) for what in ("cpu", "mib", "score")]
        table.add_row(
            family,
            *("" if cost is None else said(cost) for cost in found),
            *("" if np.isnan(slope) else f"n^{slope:.2f}" for slope in slopes),
        )
    return table


def advice(costs: Costs, axis: str, order: Sequence[str]) -> str:
    """Which family from which size on: the most accurate that stays within the limits."""
    chosen: dict[str, list[int]] = {}
    for size in AXES[axis]:
        within = [f for f in order if (f, size) in costs and not costs[f, size].stopped]
        if within:
            chosen.setdefault(within[0], []).append(getattr(size, axis))
    parts = [f"{family} to {max(sizes):,}" for family, sizes in chosen.items()]
    return f"{axis}: " + (", past that ".join(parts) or "nothing was measured")


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--axes", default=",".join(AXES))
    parser.add_argument("--picture", type=Path, help="an SVG file to write")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        family, path, threads = asked.measure
        print(json.dumps(asdict(measured(family, Path(path), int(threads)))))
        return 0
    families, axes = asked.families.split(","), asked.axes.split(",")
    costs = along(axes, families, Console(stderr=True))
    console = Console(width=None if sys.stdout.isatty() else 190)
    for axis in axes:
        console.print(report(costs, axis, families))
    for name, order in (("where rows are not dated", UNDATED), ("where they are", DATED)):
        for axis in axes:
            console.print(f"What to use, {name}, by {advice(costs, axis, order)}")
    if asked.picture:
        lines = {
            (axis, family): [
                (getattr(size, axis), cost.cpu, cost.mib)
                for size in AXES[axis]
                if (cost := costs.get((family, size))) is not None and not cost.stopped
            ]
            for axis in axes
            for family in families
        }
        asked.picture.write_text(picture(lines), encoding="utf-8")
    return judged("EASE on 20,000 items", large_ease()) if "ease" in families else 0


def large_ease() -> list[Line]:
    """What is asked of it, on two cores."""
    with tempfile.TemporaryDirectory(prefix="flyball-growth-") as folder:
        path = Path(folder) / "data.npz"
        write(made(*LARGE), path)
        cost = in_own_process("ease", path, threads=2)
    if cost.stopped:
        raise SystemExit(f"EASE on {LARGE.items:,} items: {cost.stopped}")
    return [
        Line(what="fit", values=[cost.wall], limit=90, unit="s"),
        Line(what="... of the processor", values=[cost.cpu], unit="s"),
        Line(what="peak RSS, data too", values=[cost.mib * 2**20 / 1e9], limit=6, unit="GB"),
    ]


if __name__ == "__main__":
    sys.exit(main())
