"""Counts of latencies: even buckets, so that any quantile is exact to one of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

STEP_S = 1e-5
"""Seconds a bucket is wide."""

BUCKETS = 200_000
"""Up to 2 s; what is slower is in the last one, and ``most`` knows how slow it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """What one stretch of load was like.

    Attributes:
        answered: requests that were answered with 200.
        failed: all others that were due: refused, broken off, or never answered.
        p50, p90, p99, p999, most: milliseconds from when a request was due to its whole answer.
        late_ms: milliseconds that the generator itself sent late while a connection was free, at
            the 99th percentile: what it adds to the latencies at most.
    """

    answered: int
    failed: int
    p50: float
    p90: float
    p99: float
    p999: float
    most: float
    late_ms: float


class Counts:
    """How many latencies fell into each bucket."""

    def __init__(self) -> None:
        self.counts = [0] * BUCKETS
        self.most_s = 0.0
        self.total = 0

    def add(self, seconds: float) -> None:
        """Count one."""
        place = int(seconds / STEP_S)
        self.counts[place if place < BUCKETS else BUCKETS - 1] += 1
        self.total += 1
        self.most_s = max(self.most_s, seconds)

    def quantiles_ms(self, wanted: Sequence[float]) -> list[float]:
        """The least latency that so large a share does not exceed; ``wanted`` rises. NaN of none.

        Milliseconds, at the upper end of its bucket; beyond the buckets, the slowest of all.
        """
        if not self.total:
            return [math.nan] * len(wanted)
        found: list[float] = []
        below, place = 0, -1
        for share in wanted:
            enough = max(1, math.ceil(share * self.total))
            while below < enough:
                place += 1
                below += self.counts[place]
            slow = place == BUCKETS - 1
            found.append(1e3 * (self.most_s if slow else (place + 1) * STEP_S))
        return found


def summed(latencies: Counts, late: Counts, failed: int) -> Latencies:
    """The figures of one stretch."""
    p50, p90, p99, p999 = latencies.quantiles_ms((0.5, 0.9, 0.99, 0.999))
    return Latencies(
        answered=latencies.total,
        failed=failed,
        p50=p50,
        p90=p90,
        p99=p99,
        p999=p999,
        most=1e3 * latencies.most_s,
        late_ms=late.quantiles_ms((0.99,))[0],
    )
