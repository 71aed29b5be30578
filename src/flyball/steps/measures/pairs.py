"""Measures of how columns go together: shuffled labels leave each column as it is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from flyball.stats.calibration import level_shift
from flyball.stats.dispersion import expected_effect
from flyball.stats.pairs import Moments, Split
from flyball.stats.sketches import Numbers
from flyball.steps.measures.distributions import cuts_of, values
from flyball.steps.measures.evidence import Comparison, Evidence, batches, unjudged

PARTS = 6
"""Intervals of a number that are compared beside each value of another column."""

DEVIATION = 0.1
"""Expected standard deviation of a correlation after Fisher's transformation."""

SEVERE_CORRELATION = 0.5
"""Two numbers that are no longer what they were to each other."""

CAUSE = (
    "the two columns go together otherwise than before: labels may have been shuffled, or some "
    "values of one changed"
)


def pairs(c: Comparison) -> Iterator[Evidence]:
    """Every pair of columns that the batch has."""
    for found in _every(c):
        yield replace(found, pair=tuple(found.measure.partition(":")[2].split(",")))


def _every(c: Comparison) -> Iterator[Evidence]:
    for split in c.current.splits:
        past = [next((s for s in p.splits if (s.by, s.of) == (split.by, split.of)), None)
                for p in c.history]  # fmt: skip
        yield from _numbers(c, split, past)
    for crossed in c.current.crossed:
        key = (crossed.first, crossed.second)
        tables = [next((x.counts for x in p.crossed if (x.first, x.second) == key), None)
                  for p in c.history]  # fmt: skip
        yield from values(c, f"joint:{key[0]},{key[1]}", crossed.counts, tables, CAUSE)
    for moments in c.current.moments:
        key = (moments.first, moments.second)
        earlier = [next((m for m in p.moments if (m.first, m.second) == key), None)
                   for p in c.history]  # fmt: skip
        yield from _correlation(c, moments, earlier)


def _numbers(c: Comparison, now: Split, past: Sequence[Split | None]) -> Iterator[Evidence]:
    usual = Numbers.merged(n for split in past if split is not None for n in split.parts.values())
    cuts = cuts_of(usual, PARTS)

    def table(split: Split) -> dict[tuple[str, int], float]:
        return {(name, place): float(rows) for name, numbers in split.parts.items()
                for place, rows in enumerate(numbers.counts(cuts))}  # fmt: skip

    tables = [None if split is None else table(split) for split in past]
    yield from values(c, f"joint:{now.by},{now.of}", table(now), tables, CAUSE)


def _correlation(c: Comparison, now: Moments, past: Sequence[Moments | None]) -> Iterator[Evidence]:
    """Pearson's r after Fisher's transformation (Biometrika 10, 1915), on effective rows."""
    measure, r = f"correlation:{now.first},{now.second}", now.correlation
    if r is None:
        return
    seen = f"the correlation of {now.first} and {now.second} is {r:.2f}"
    known = [m.correlation for m in past if m is not None and m.correlation is not None]
    if not known:
        yield unjudged(measure, r, seen)
        return
    levels = [_transformed(each) for each in known]
    expected = math.tanh(float(np.mean(levels)))
    noise = math.sqrt(expected_effect(c.cluster) / max(1.0, now.rows - 3.0))
    yield Evidence(
        measure=measure, observed=r, expected=expected, effect=abs(r - expected),
        p_value=level_shift(levels, _transformed(r), noise=noise, prior_deviation=DEVIATION),
        severe_at=SEVERE_CORRELATION,
        seen=f"{seen}, usually {expected:.2f} by {batches(len(known))}",
        cause=CAUSE,
    )  # fmt: skip


def _transformed(r: float) -> float:
    return math.atanh(max(-0.999, min(0.999, r)))
