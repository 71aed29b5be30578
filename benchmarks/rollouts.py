"""The judge of rollouts on thousands of made ones: good versions kept, bad ones found, how fast.

    python -m benchmarks.rollouts [--rollouts 2000] [--processes 2] [--minutes 10] [--seed 1]

Each rollout stays ``--minutes`` at 5%, 25% and 50% of 100 requests a second, whatever is judged, so
that every judge sees the same stream (``rollouts_.streams`` says how wild that is). The judge looks
every second. Beside it: the fixed-sample test with Bonferroni's correction, with the same looks and
with one a minute; Kayenta's Mann-Whitney classifier; and a fixed threshold (``rollouts_.others``).
Every seed gives the same streams, in any number of processes.

Exits 1 where good versions are rolled back more often than promised, or bad ones are found less
often or later than by the fixed-sample test with the same looks.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import stats

from benchmarks.rollouts_ import others, ours
from benchmarks.rollouts_.streams import BAD, HEALTHY, Population, Scenario, Stream, made
from benchmarks.table import Line, judged
from flyball.domain.judging import Measure

FLYBALL, SAME_LOOKS, MINUTES = "Flyball", "Bonferroni, every second", "Bonferroni, every minute"
KAYENTA, FIXED = "Kayenta", "99% of 50 answers"
JUDGES = (FLYBALL, SAME_LOOKS, MINUTES, KAYENTA, FIXED)
PASSES_OF = 200
WHATS = {Measure.FAILED: "errors", Measure.SLOW: "latency", Measure.CLICKED: "clicks"}


@dataclass(frozen=True)
class Found:
    """One judge on one rollout: requests by the verdict; infinite where it never said "worse".

    Attributes:
        challenger, total: requests that the challenger, and both versions, had answered.
    """

    challenger: float
    total: float


@dataclass(frozen=True)
class Result:
    """One rollout.

    Attributes:
        found: by judge; judges that have nothing to say of the scenario are absent.
        why: what the judge failed it for; ``""``: it did not.
        suspect: a proper split was called improper.
        passed: of some good versions: by step, after how many seconds it was passed (None: not).
    """

    found: Mapping[str, Found]
    why: str
    suspect: bool
    passed: Sequence[int | None] = ()


def result(scenario: Scenario, number: int, *, seed: int, minutes: int) -> Result:
    """Make a rollout and let everybody judge it."""
    rng = np.random.default_rng([seed, (HEALTHY, *BAD).index(scenario), number])
    stream = made(scenario, people(), rng, step_s=60 * minutes)
    ruling = ours.ruling(stream, rng)
    seconds = {FLYBALL: ruling.second, **_others(stream, scenario.measure)}
    total = np.cumsum(stream.requests, axis=1)

    def found(second: int | None) -> Found:
        if second is None:
            return Found(math.inf, math.inf)
        return Found(float(total[1, second]), float(total[:, second].sum()))

    passed = ours.passed(stream) if scenario == HEALTHY and number < PASSES_OF else ()
    each = {name: found(second) for name, second in seconds.items()}
    return Result(each, ruling.why, ruling.suspect, passed)


@cache
def people() -> Population:
    """The same users in every rollout; made once by each process."""
    return Population.made()


def _others(stream: Stream, measure: Measure | None) -> dict[str, int | None]:
    """What other judges say; of a bad version, by the measure that it is bad in."""
    whats = list(ours.HARMS) if measure is None else [WHATS[measure]]
    kayentas = list(WHATS) if measure is None else [measure]
    found = {
        SAME_LOOKS: _earliest(others.bonferroni(stream, what, every_s=1) for what in whats),
        MINUTES: _earliest(others.bonferroni(stream, what, every_s=60) for what in whats),
        KAYENTA: others.kayenta(stream, kayentas),
    }
    if measure in (None, Measure.FAILED):
        found[FIXED] = others.threshold(stream)
    return found


def _earliest(seconds: Iterable[int | None]) -> int | None:
    return min((each for each in seconds if each is not None), default=None)


def share_found(results: Sequence[Result], judge: str) -> float:
    """Of rollouts that a judge calls worse."""
    return sum(math.isfinite(each.found[judge].total) for each in results) / len(results)


def median(results: Sequence[Result], judge: str, *, challenger: bool = False) -> float:
    """Requests until the verdict; those never found count as later than all others."""
    by = (each.found[judge] for each in results)
    return statistics.median(f.challenger if challenger else f.total for f in by)


def interval(results: Sequence[Result], judge: str) -> tuple[float, float]:
    """Clopper and Pearson's interval of ``share_found`` (Biometrika 26, 1934)."""
    count = round(share_found(results, judge) * len(results))
    bounds = stats.binomtest(count, len(results)).proportion_ci(0.95, "exact")
    return float(bounds.low), float(bounds.high)


def tables(results: Mapping[Scenario, Sequence[Result]]) -> list[Table]:
    """All judges beside each other."""
    good = Table(title=f"{len(results[HEALTHY])} good versions")
    bad = Table(title="Bad versions: share found; median requests to the verdict, of all / its own")
    for table, first in ((good, "rolled back by"), (bad, "judge")):
        table.add_column(first)
    for name in ("share", "95% interval"):
        good.add_column(name, justify="right")
    for judge in JUDGES:
        low, high = interval(results[HEALTHY], judge)
        share = share_found(results[HEALTHY], judge)
        good.add_row(judge, f"{share:.2%}", f"{low:.2%} to {high:.2%}")
    for scenario in BAD:
        bad.add_column(scenario.name, justify="right")
    for judge in JUDGES:
        cells = [_cell(results[scenario], judge) for scenario in BAD]
        bad.add_row(judge, *cells, end_section=True)
    return [good, bad]


def _cell(results: Sequence[Result], judge: str) -> str:
    if judge not in results[0].found:
        return "-"
    total, own = median(results, judge), median(results, judge, challenger=True)
    when = f"{total:,.0f} / {own:,.0f}" if math.isfinite(total) else "most never"
    return f"{share_found(results, judge):.1%}\n{when}"


def lines(results: Mapping[Scenario, Sequence[Result]]) -> list[Line]:
    """The numbers that were asked for."""
    good = results[HEALTHY]
    skewed = sum(each.suspect for each in good)
    found = [
        Line(
            what="good versions rolled back",
            values=[100 * share_found(good, FLYBALL)],
            limit=100 * ours.PROMISES.false_alarm,
            unit="%",
        ),
        Line(what="proper splits called improper", values=[100 * skewed / len(good)], unit="%"),
    ]
    for scenario in BAD:
        each = results[scenario]
        found.append(
            Line(
                what=f"{scenario.name}: found",
                values=[100 * share_found(each, FLYBALL)],
                least=100 * share_found(each, SAME_LOOKS),
                unit="%",
            )
        )
        limit = median(each, SAME_LOOKS)
        if math.isfinite(median(each, FLYBALL)) or math.isfinite(limit):
            what = f"{scenario.name}: requests to the verdict"
            values = [median(each, FLYBALL)]
            found.append(Line(what=what, values=values, limit=limit, unit="requests"))
    return found


def told(results: Mapping[Scenario, Sequence[Result]]) -> list[str]:
    """What tables do not say."""
    good = results[HEALTHY]
    reasons = Counter(each.why for each in good if each.why)
    said = [f"good versions were rolled back for: {dict(reasons) or 'nothing'}"]
    for step, share in enumerate(ours.SHARES):
        times = [math.inf if t is None else t for t in (e.passed[step] for e in good if e.passed)]
        passed = sum(map(math.isfinite, times)) / len(times)
        said.append(
            f"good versions at {share:.0%}: {passed:.1%} of {len(times)} passed the step in its "
            f"time, half of them within {statistics.median(times):.0f} s (looks every 10 s)"
        )
    return said


def main() -> int:
    """Judge all rollouts, print the tables; returns the exit code."""
    parser = argparse.ArgumentParser(description="The judge of rollouts on made ones")
    parser.add_argument("--rollouts", type=int, default=2000, help="of each kind")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--minutes", type=int, default=10, help="in each step")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    began, numbers = time.perf_counter(), range(chosen.rollouts)
    console = Console(width=None if sys.stdout.isatty() else 150)
    results = {}
    context = get_context("spawn")
    with ProcessPoolExecutor(chosen.processes, mp_context=context) as pool:
        for scenario in (HEALTHY, *BAD):
            one = partial(result, scenario, seed=chosen.seed, minutes=chosen.minutes)
            results[scenario] = list(pool.map(one, numbers, chunksize=5))
            console.print(f"{scenario.name}: {time.perf_counter() - began:.0f} s", style="dim")
    for table in tables(results):
        console.print(table)
    for line in told(results):
        console.print(line)
    return judged("Rollouts, beside the fixed-sample test with the same looks", lines(results))


if __name__ == "__main__":
    sys.exit(main())
