"""Steps of rollouts, drawn by thousands and judged by the judge's tests: the planner's engine."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flyball.domain.judging import Promises
from flyball.stats import latency
from flyball.stats.sequential import critical
from flyball.stats.sequential.critical import Hits
from flyball.stats.sequential.crowd import Crowd

HORIZON_S = 30 * 86400.0
"""What is not decided after this is not decided."""

_FIRST_S, _GROWTH = 0.25, 1.15
"""Looks in simulated time: the first, and how far apart the next ones are."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """The champion's traffic.

    Attributes:
        asking, clicking, buying: how often each unit asks, clicks, buys.
        error_share: of the answers, those that fail, in (0, 1).
        latency: the histogram of the answers (``flyball.stats.latency``).
    """

    asking: Crowd
    clicking: Crowd
    buying: Crowd
    error_share: float
    latency: Sequence[int]

    @property
    def p95_s(self) -> float:
        """What is slow: the 95th percentile."""
        return latency.quantile(self.latency, 0.95) or 0.0

    def slower(self, seconds: float) -> float:
        """The share of answers that take longer; within a bucket by a straight line in log time."""
        counts, total = self.latency, sum(self.latency)
        place = min(bisect_right(latency.BOUNDS, seconds), latency.BUCKETS - 1)
        low = latency.BOUNDS[place - 1] if place else latency.LOWEST / latency.RATIO
        beyond = math.log(max(seconds, low) / low) / math.log(latency.RATIO)
        above = sum(counts[place + 1 :]) + counts[place] * (1.0 - min(1.0, beyond))
        return above / total if total else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Worse:
    """A challenger; by itself just as good as the champion.

    Attributes:
        errors, slow, clicks, purchases: how many times as often as with the champion.
        failing: the share of its answers that fail, where it is more.
        slower: how many times as long each answer takes.
    """

    errors: float = 1.0
    failing: float = 0.0
    slow: float = 1.0
    clicks: float = 1.0
    purchases: float = 1.0
    slower: float = 1.0


@dataclass(frozen=True, slots=True)
class Fates:
    """How simulated steps went, each of shape (rollouts,), seconds, infinite where never.

    Attributes:
        found: when the challenger was found to be worse, had the step lasted so long.
        passed: when the step would have been passed, had nothing been found.
    """

    found: Floats
    passed: Floats


class Step:
    """One step at one share, simulated again and again.

    Args:
        interval_s: the least time of a step.
        seed: the same one, the same fates.
        rollouts: how many each time.
    """

    def __init__(
        self,
        traffic: Traffic,
        promises: Promises,
        share: float,
        *,
        interval_s: float,
        seed: int,
        rollouts: int,
    ) -> None:
        self.share, self.requests_per_second = share, share * traffic.asking.per_second
        self._traffic, self._promises = traffic, promises
        self._seed, self._rollouts = seed, rollouts
        looks = math.ceil(math.log(HORIZON_S / _FIRST_S) / math.log(_GROWTH))
        self.times: Floats = _FIRST_S * np.power(_GROWTH, np.arange(looks + 1), dtype=np.float64)
        self._asked = self.requests_per_second * self.times
        self._may_pass = (self.times >= interval_s) & (self._asked >= promises.min_requests)
        crowds = (traffic.asking, traffic.asking, traffic.clicking, traffic.buying)
        names = (*critical.RARER, *critical.ENGAGING)
        self._lines = {
            what: critical.lines(what, promises, share, _most(crowd))
            for what, crowd in zip(names, crowds, strict=True)
        }
        self._levels = critical.levels(promises, 2.0 * float(self._asked[-1]) + 100.0)

    def sees(self, what: str) -> bool:
        """Whether it happens at all with the champion: nobody clicks less than never."""
        crowds = {"clicks": self._traffic.clicking, "purchases": self._traffic.buying}
        return what not in crowds or crowds[what].per_second > 0.0

    def fates(self, worse: Worse, *, until_s: float = HORIZON_S) -> Fates:
        """How rollouts of such a challenger go, if nothing else were looked at until the end."""
        rng, traffic = np.random.default_rng(self._seed), self._traffic
        looks = int(np.searchsorted(self.times, until_s, side="right"))
        hits = {what: self._hits(rng, what, worse, looks) for what in self._lines}
        slower = traffic.slower(self._promises.max_p95_s / worse.slower)
        asked = np.broadcast_to(self._asked[:looks], hits["errors"].own.shape)
        late = self._drawn(rng, self._asked[:looks] * slower)
        failures = self._drawn(rng, self._asked[:looks] * self._failing(worse))
        compared = {what: each.compared(hits[what]) for what, each in self._lines.items()}
        kept = {
            "errors": self._levels.errors.crossed(asked, failures),
            "latency": self._levels.p95.crossed(asked, late),
        }
        broken = self._levels.broken.crossed(asked, hits["errors"].own)
        passed = critical.passes(compared, kept, self._promises) & self._may_pass[:looks]
        return Fates(self._first(critical.fails(compared, broken)), self._first(passed))

    def found(self, what: str, worse: Worse, *, until_s: float) -> float:
        """The share of such challengers that show their harm to this measure until then."""
        looks = int(np.searchsorted(self.times, until_s, side="right"))
        hits = self._hits(np.random.default_rng(self._seed), what, worse, looks)
        shown = self._lines[what].compared(hits)
        return float(np.mean((shown.harm & ~shown.tolerable).any(axis=1)))

    def _failing(self, worse: Worse) -> float:
        return min(1.0, max(worse.failing, self._traffic.error_share * worse.errors))

    def _hits(self, rng: np.random.Generator, what: str, worse: Worse, looks: int) -> Hits:
        """To whom it happens with each version by each of the first looks."""
        traffic = self._traffic
        crowd, one, other = traffic.asking, 1.0, 1.0
        match what:
            case "errors":
                one, other = traffic.error_share, self._failing(worse)
            case "latency":
                one = traffic.slower(traffic.p95_s)
                other = min(1.0, worse.slow * traffic.slower(traffic.p95_s / worse.slower))
            case "clicks":
                crowd, other = traffic.clicking, worse.clicks
            case _:
                crowd, other = traffic.buying, worse.purchases
        times = self.times[:looks]
        own = self._drawn(rng, self.share * crowd.times(other).by(times))
        champion = self._drawn(rng, (1.0 - self.share) * crowd.times(one).by(times))
        return Hits(total=own + champion, own=own)

    def _drawn(self, rng: np.random.Generator, expected: Floats) -> Floats:
        """Counts that rise to these expectations; shape (rollouts, looks)."""
        steps = np.diff(expected, prepend=0.0).clip(min=0.0)
        drawn = rng.poisson(steps, size=(self._rollouts, len(steps)))
        return np.cumsum(drawn, axis=1, dtype=np.float64)

    def _first(self, holds: npt.NDArray[np.bool_]) -> Floats:
        """When it first holds; infinite where never."""
        times: Floats = self.times[np.argmax(holds, axis=1)]
        return np.where(holds.any(axis=1), times, math.inf)


def _most(crowd: Crowd) -> float:
    """The largest total of units to look a line up for: twice all that there may be, and spare."""
    return 2.0 * float(crowd.by(HORIZON_S)) + 100.0
