"""Quantiles of a latency histogram that hold at all times at once.

A quantile is above x just where more than 1 - q of all are. So evidence on the rate of answers
slower than x is evidence on the quantile (Howard and Ramdas, "Sequential estimation of quantiles
with applications to A/B testing and best-arm identification", Bernoulli 28, 2022, by inversion of
a test of each rate). Counts above x fall with x, so that a bound which errs, errs at the quantile
itself: looking at every x costs nothing. A histogram tells no more than its buckets: the one that
holds x counts for neither side.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence

from flyball.errors import InvalidRequest
from flyball.stats import latency
from flyball.stats.sequential import rate


def log_evidence_slower(counts: Sequence[int], q: float, limit_s: float) -> float:
    """Log e-value against "the ``q``-th quantile is at most ``limit_s`` seconds".

    Only answers that were surely slower count: those of buckets that begin at the limit or later.

    Raises:
        InvalidRequest: ``q`` is not in (0, 1), or ``counts`` is not a histogram.
    """
    _check(counts, q)
    first = latency.bucket(limit_s) + 1
    return rate.log_evidence_above(sum(counts[first:]), sum(counts), 1.0 - q)


def log_evidence_quicker(counts: Sequence[int], q: float, limit_s: float) -> float:
    """Log e-value against "the ``q``-th quantile is above ``limit_s`` seconds".

    Only answers that were surely no slower count: those of buckets that end at the limit or before.

    Raises:
        InvalidRequest: ``q`` is not in (0, 1), or ``counts`` is not a histogram.
    """
    _check(counts, q)
    end = bisect_right(latency.BOUNDS, limit_s)
    slower = sum(counts[end:])
    return rate.log_evidence_below(slower, sum(counts), 1.0 - q)


def interval(counts: Sequence[int], q: float, alpha: float) -> tuple[float, float]:
    """Confidence sequence of the ``q``-th quantile, seconds: bounds of buckets.

    Returns:
        ``(low, high)``; 0 and infinity where nothing is known on that side.

    Raises:
        InvalidRequest: ``q`` or ``alpha`` is not in (0, 1), or ``counts`` is not a histogram.
    """
    if not 0.0 < alpha < 1.0:
        raise InvalidRequest(f"alpha is in (0, 1), not {alpha}")
    _check(counts, q)
    total, bounds, level = sum(counts), latency.BOUNDS, math.log(2.0 / alpha)
    above = [total]  # then how many are above each bound
    for count in counts[:-1]:
        above.append(above[-1] - count)
    rising = _first(
        lambda b: rate.log_evidence_above(above[b + 1], total, 1.0 - q) < level, len(bounds)
    )
    falling = _first(
        lambda b: rate.log_evidence_below(above[b + 1], total, 1.0 - q) >= level, len(bounds)
    )
    low = bounds[rising - 1] if rising else 0.0
    return low, bounds[falling] if falling < len(bounds) else math.inf


def _first(holds: Callable[[int], bool], end: int) -> int:
    """The first place in [0, end) from which on ``holds`` does; ``end`` where it never does."""
    low, high = 0, end
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _check(counts: Sequence[int], q: float) -> None:
    if not 0.0 < q < 1.0:
        raise InvalidRequest(f"a quantile to be judged lies in (0, 1), e.g. 0.95; not at {q}")
    if len(counts) != latency.BUCKETS:
        raise InvalidRequest(
            f"a latency histogram has {latency.BUCKETS} counts, not {len(counts)}; "
            "it was written by another version: start a new window"
        )
