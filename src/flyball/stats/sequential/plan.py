"""The planner: what the judge of rollouts finds at a given traffic, and how soon, by simulation.

Thousands of steps are drawn: to how many units something first happened by each look, with either
version (``crowd.Crowd.by``; Poisson, as many units contribute a little each). They are judged by
the judge's own tests (``critical``), with the levels of the whole rollout. Each step stands alone,
as if nothing had been seen before it. In a real rollout what earlier steps showed counts as well,
so that it decides as soon or sooner.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from flyball.domain.judging import Promises
from flyball.stats.sequential.critical import ENGAGING
from flyball.stats.sequential.outlook import Harm, StepOutlook
from flyball.stats.sequential.simulated import Step, Traffic, Worse

POWER = 0.8
"""A change is found where it is in so many of the rollouts."""

ROLLOUTS = 200
"""Simulated for each number: shares are known to 3 or 4 in 100."""

_CLOSE = 1.05
"""How closely the smallest change that is found is found itself."""

_LARGEST = 1000.0
_SHARES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)

HARMS: tuple[tuple[str, str, Worse], ...] = (
    ("errors", "2x", Worse(errors=2.0)),
    ("errors", "5x", Worse(errors=5.0)),
    ("errors", "20x", Worse(errors=20.0)),
    ("errors", "50% of answers", Worse(failing=0.5)),
    ("latency", "p95 +30%", Worse(slower=1.3)),
    ("clicks", "-10%", Worse(clicks=0.9)),
    ("clicks", "-30%", Worse(clicks=0.7)),
)
"""What, by how much, and such a challenger."""

_CHANGES: tuple[tuple[str, Callable[[float], Worse]], ...] = (
    ("errors", lambda times: Worse(errors=times)),
    ("latency", lambda times: Worse(slow=times)),
    ("clicks", lambda times: Worse(clicks=1.0 / times)),
    ("purchases", lambda times: Worse(purchases=1.0 / times)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long a step lasts, seconds: what counts for nothing first, the least and the most."""

    warm_up_s: float
    interval_s: float
    deadline_s: float


def outlook(
    traffic: Traffic,
    promises: Promises,
    shares: Sequence[float],
    *,
    pace: Pace,
    seed: int,
    rollouts: int = ROLLOUTS,
) -> tuple[StepOutlook, ...]:
    """What each step finds, how soon, and how long a good version needs to pass it.

    Args:
        traffic: of the champion; somebody must be asking.
        promises: what the rollout is held to.
        shares: of the steps, each in (0, 1).
        seed: the same one, the same outlook.
        rollouts: how many are simulated for each number.
    """

    def step(share: float) -> Step:
        return Step(
            traffic, promises, share, interval_s=pace.interval_s, seed=seed, rollouts=rollouts
        )

    return tuple(_outlook(step(share), pace, step) for share in shares)


def _outlook(step: Step, pace: Pace, at: Callable[[float], Step]) -> StepOutlook:
    passed = step.fates(Worse()).passed + pace.warm_up_s
    median = float(np.median(passed))
    within = median <= pace.deadline_s
    return StepOutlook(
        share=step.share,
        requests_per_second=step.requests_per_second,
        finds={what: _found_from(step, what, worse, pace) for what, worse in _CHANGES},
        harms=tuple(_harm(step, what, size, worse, pace.deadline_s) for what, size, worse in HARMS),
        healthy=float(np.mean(passed <= pace.deadline_s)),
        healthy_s=_finite(median),
        within_deadline=within,
        share_needed=None if within else _share_needed(step.share, at, pace),
    )


def _harm(step: Step, what: str, size: str, worse: Worse, deadline_s: float) -> Harm:
    fates = step.fates(worse, until_s=deadline_s)
    found = (fates.found <= fates.passed) & (fates.found <= deadline_s)
    passed = (fates.passed < fates.found) & (fates.passed <= deadline_s)
    seconds = _finite(float(np.median(np.where(found, fates.found, math.inf))))
    return Harm(
        what=what,
        size=size,
        found=float(np.mean(found)),
        passed=float(np.mean(passed)),
        seconds=seconds,
        requests=None if seconds is None else seconds * step.requests_per_second,
    )


def _found_from(step: Step, what: str, worse: Callable[[float], Worse], pace: Pace) -> float | None:
    """The smallest change that is found: times as often, or of what people do the share lost."""
    least = _smallest(step, what, worse, pace.deadline_s) if step.sees(what) else None
    return 1.0 - 1.0 / least if least is not None and what in ENGAGING else least


def _smallest(
    step: Step, what: str, worse: Callable[[float], Worse], deadline_s: float
) -> float | None:
    """The least change that is found by the deadline with ``POWER``, by halving; None for none."""

    def found(times: float) -> bool:
        return step.found(what, worse(times), until_s=deadline_s) >= POWER

    if not found(_LARGEST):
        return None
    low, high = 1.0, _LARGEST
    while high / low > _CLOSE:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if found(middle) else (middle, high)
    return high


def _share_needed(share: float, at: Callable[[float], Step], pace: Pace) -> float | None:
    """The least larger share at which most good versions pass by the deadline."""
    for other in _SHARES:
        if other > share:
            passed = at(other).fates(Worse()).passed + pace.warm_up_s
            if float(np.median(passed)) <= pace.deadline_s:
                return other
    return None


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None
