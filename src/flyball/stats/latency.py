"""Latency histograms that add up: across requests, seconds, workers and machines.

A histogram is a list of ``BUCKETS`` counts, ready for JSON. The bounds are the same everywhere and
never stored: they grow by a constant ratio from 0.1 ms to 60 s, so that any quantile in that range
is known within ``RELATIVE_ERROR``. (Masson, Rim and Lee, "DDSketch", VLDB 2019, with fixed ends.)
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from flyball.errors import InvalidRequest

LOWEST = 1e-4
"""Seconds; what is quicker counts as this."""

HIGHEST = 60.0
"""Seconds; what is slower counts as this."""

STEPS = 140
"""Buckets between ``LOWEST`` and ``HIGHEST``."""

RATIO = (HIGHEST / LOWEST) ** (1 / STEPS)
"""Upper over lower bound of a bucket, about 1.0997."""

RELATIVE_ERROR = math.sqrt(RATIO) - 1.0
"""The most a quantile within the range is off, about 4.9%."""

BOUNDS: tuple[float, ...] = (*(LOWEST * RATIO**step for step in range(STEPS)), HIGHEST)
"""Upper bounds, seconds, inclusive: of the bucket below the range, then of each step."""

BUCKETS = len(BOUNDS) + 1
"""Counts in a histogram: one below the range, ``STEPS`` within it, one above."""


def empty() -> list[int]:
    """A histogram of nothing."""
    return [0] * BUCKETS


def bucket(seconds: float) -> int:
    """Where a latency is counted. For the hot path: ``counts[bucket(seconds)] += 1``."""
    return bisect_left(BOUNDS, seconds)


def add(counts: Sequence[int], seconds: ArrayLike) -> list[int]:
    """``counts`` with one or many latencies added; a new list.

    Args:
        counts: a histogram.
        seconds: any shape; each finite and at least 0.

    Raises:
        InvalidRequest: a latency is negative or not finite, or ``counts`` is not a histogram.
    """
    values = np.asarray(seconds, dtype=np.float64).ravel()
    wrong = values[~(np.isfinite(values) & (values >= 0.0))]
    if len(wrong):
        raise InvalidRequest(
            f"{len(wrong)} latencies are negative or not finite (first: {wrong[0]}); "
            "measure with a monotonic clock"
        )
    places = np.searchsorted(np.asarray(BOUNDS), values, side="left")
    return merge(counts, np.bincount(places, minlength=BUCKETS).tolist())


def merge(*histograms: Sequence[int]) -> list[int]:
    """The histogram of all their latencies together; of none, the empty one.

    Raises:
        InvalidRequest: one of them is not a histogram of this module.
    """
    for counts in histograms:
        if len(counts) != BUCKETS:
            raise InvalidRequest(
                f"a latency histogram has {BUCKETS} counts, not {len(counts)}; "
                "it was written by another version: start a new window"
            )
    return [sum(column) for column in zip(empty(), *histograms, strict=True)]


def quantile(counts: Sequence[int], q: float) -> float | None:
    """The ``q``-th quantile in seconds, or None for the empty histogram.

    The smallest latency that at least the share ``q`` of all do not exceed (numpy's method
    "inverted_cdf"), within ``RELATIVE_ERROR`` where it lies in [LOWEST, HIGHEST]; outside, the
    nearer end.

    Raises:
        InvalidRequest: ``q`` is not in [0, 1], or ``counts`` is not a histogram.
    """
    if not 0.0 <= q <= 1.0:
        raise InvalidRequest(f"quantile {q} must lie between 0 and 1, e.g. 0.95")
    totals = np.cumsum(merge(counts))
    total = int(totals[-1])
    if total == 0:
        return None
    wanted = max(1, math.ceil(q * total))
    place = int(np.searchsorted(totals, wanted, side="left"))
    if place == 0:
        return LOWEST
    if place == BUCKETS - 1:
        return HIGHEST
    return math.sqrt(BOUNDS[place - 1] * BOUNDS[place])
