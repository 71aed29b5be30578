"""A histogram that counts several things of the same duration at once."""

from __future__ import annotations

from bisect import bisect_left

from prometheus_client import Histogram


class Durations(Histogram):
    """The package's histogram; what it counts in is written once for many."""

    def observe_many(self, seconds: float, count: int) -> None:
        """``observe(seconds)``, ``count`` times."""
        self._sum.inc(seconds * count)
        self._buckets[bisect_left(self._upper_bounds, seconds)].inc(count)
