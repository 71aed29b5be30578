"""Measures of distributions: numbers on intervals, values by count."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from flyball.domain.text import many
from flyball.stats.calibration import histogram_shift
from flyball.stats.distances import JENSEN_SHANNON, Histogram
from flyball.stats.sketches import Numbers
from flyball.steps.measures.evidence import (
    Comparison,
    Evidence,
    batches,
    figure,
    percent,
    unjudged,
)

PARTS = 12
"""Intervals of a number that are compared, of about equal counts in the history."""

TAILS = 50
"""The first and the last of so many parts are intervals too: a wrong unit fills them first."""

SEVERE_MOVE = 0.25
"""A quarter of the rows would have to hold something else: another column, unit or population."""

SEVERE_OTHERS = 0.5
"""Items and texts of many values: what people choose changes by itself, by the season."""

SAME_FACTOR = 0.3
"""Quartiles whose factors differ so little (in logarithms) moved by one factor: a unit."""

Floats = NDArray[np.float64]
K = TypeVar("K")


def histogram(
    c: Comparison,
    measure: str,
    now: Floats,
    past: Sequence[Floats | None],
    cause: str,
    *,
    severe_at: float = SEVERE_MOVE,
) -> Iterator[Evidence]:
    """Evidence of a histogram; none where the batch has no value, or all values have one bin."""
    if not now.sum():
        return
    known = [(row, c.clusters[i]) for i, row in enumerate(past) if row is not None and row.sum()]
    if not known:
        yield unjudged(measure, None, many(round(now.sum()), "value"))
        return
    table = np.array([row for row, _ in known])
    shift = histogram_shift(table, now, [cluster for _, cluster in known], c.cluster)
    if shift is None:
        return
    usual = Histogram(counts=table.sum(axis=0).tolist())
    observed = JENSEN_SHANNON(usual, Histogram(counts=now.tolist()))
    each = [JENSEN_SHANNON(usual, Histogram(counts=row.tolist())) for row in table]
    yield Evidence(
        measure=measure, observed=observed, expected=float(np.mean(each)),
        p_value=shift.p_value, effect=shift.distance, severe_at=severe_at,
        seen=f"{percent(shift.distance)} of the values would have to change to look like "
        f"{batches(len(known))} (Jensen-Shannon distance {observed:.3f}, usually "
        f"{np.mean(each):.3f})",
        cause=cause,
    )  # fmt: skip


def numbers(
    c: Comparison, measure: str, now: Numbers, past: Sequence[Numbers | None]
) -> Iterator[Evidence]:
    """The distribution of numbers."""
    usual = Numbers.merged(each for each in past if each is not None)
    if not now.sizes:
        return
    if not usual.sizes:
        yield unjudged(measure, None, many(now.count, "value"))
        return
    cuts = cuts_of(usual, PARTS)
    history = [None if each is None else each.counts(cuts) for each in past]
    name = measure.partition(":")[2]
    yield from histogram(c, measure, now.counts(cuts), history, _moved(usual, now, name))


def values(
    c: Comparison,
    measure: str,
    now: Mapping[K, float],
    past: Sequence[Mapping[K, float] | None],
    cause: str,
) -> Iterator[Evidence]:
    """The distribution of values, each counted by itself."""
    keys = list(dict.fromkeys(key for counts in (now, *past) if counts for key in counts))
    rows = [None if counts is None else _laid_out(counts, keys) for counts in past]
    yield from histogram(c, measure, _laid_out(now, keys), rows, cause)


def cuts_of(usual: Numbers, parts: int) -> Floats:
    """Cuts of the history, some for its tails, and its ends: what lies outside is new."""
    if usual.min is None or usual.max is None:
        return np.empty(0)
    with np.errstate(over="ignore"):  # below the least number there is none but -inf
        low = np.nextafter(usual.min, -np.inf)
    tails = usual.cuts(TAILS)
    return np.unique(np.concatenate(([low], tails[:1], tails[-1:], usual.cuts(parts), [usual.max])))


def _laid_out(counts: Mapping[K, float], keys: Sequence[K]) -> Floats:
    return np.array([counts.get(key, 0) for key in keys], dtype=np.float64)


def _moved(usual: Numbers, now: Numbers, name: str) -> str:
    """What happened to a number, by how its quartiles moved."""
    before, after = (np.array(each.quantiles((0.25, 0.5, 0.75))) for each in (usual, now))
    if (before > 0).all() and (after > 0).all():
        factors = np.log(after) - np.log(before)
        typical = float(np.median(factors))
        if np.ptp(factors) <= SAME_FACTOR and abs(typical) > math.log(1.5):
            times, word = math.exp(abs(typical)), "larger" if typical > 0 else "smaller"
            factor = figure(float(f"{times:.3g}"))
            return f"values of {name} look {factor} times {word}: a unit may have changed"
    (low, middle, high), (lower, median, higher) = (
        [figure(quartile) for quartile in each] for each in (after, before)
    )
    return (
        f"values of {name} moved: median {middle}, usually {median}; quartiles "
        f"{low} and {high}, usually {lower} and {higher}"
    )
