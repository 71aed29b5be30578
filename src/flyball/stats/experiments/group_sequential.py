"""Tests with a few planned looks: boundaries, and an honest estimate after stopping early.

The score of a test with drift d has, after information I (one over the squared standard error), the
mean d*I and the variance I; what is gained between two looks is independent of the past. Every
probability here follows from that by integrating over the scores with which a test goes on.

Sources: Armitage, McPherson and Rowe, "Repeated significance tests on accumulating data", JRSS A
132, 1969 (the recursion); Lan and DeMets, "Discrete sequential boundaries for clinical trials",
Biometrika 70, 1983 (spending), and Statistics in Medicine 8, 1989 (spending by the calendar);
Jennison and Turnbull, "Group Sequential Methods", 2000, chapters 7, 8 and 19; Tsiatis, Rosner and
Mehta, "Exact confidence intervals following a group sequential test", Biometrics 40, 1984.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from flyball.domain.ab_test import Spending
from flyball.errors import InvalidRequest

Floats = NDArray[np.float64]

FARTHEST = 8.0
"""The highest boundary: beyond it a normal variable is once in 10**15."""

_REACH = 9.0
"""Standard deviations of a score that are looked at."""

_POINTS = 8
"""Of Gauss and Legendre in each panel; a panel is as wide as one standard deviation of a step."""

_MOST_PANELS = 500
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(_POINTS)
_LEAST_GAIN = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An effect, with its confidence interval and the p-value of "there is none"."""

    value: float
    low: float
    high: float
    p_value: float


def spent(fraction: float, alpha: float, spending: Spending) -> float:
    """The two-sided error spent by a part of the horizon, up to ``alpha`` at 1.

    Lan and DeMets (1983), each side with half of ``alpha``.

    Args:
        fraction: in [0, 1].
    """
    if fraction <= 0.0:
        return 0.0
    if spending is Spending.POCOCK:
        return alpha * math.log1p((math.e - 1.0) * fraction)
    return 4.0 * float(ndtr(ndtri(alpha / 4.0) / math.sqrt(fraction)))


def critical_values(
    information: Sequence[float],
    fractions: Sequence[float],
    *,
    alpha: float = 0.05,
    spending: Spending = Spending.OBRIEN_FLEMING,
) -> tuple[float, ...]:
    """The boundaries of |z| at the looks so far; those of earlier looks never change.

    Args:
        information: shape (k,), at each look, rising; only the ratios matter.
        fractions: shape (k,), of the horizon (time or users) that is over, rising, at most 1. They
            say how much error may be spent and need not be in proportion to the information.
        alpha: two-sided error of the whole test, in (0, 1).

    Raises:
        InvalidRequest: the looks do not rise, or something is out of range.
    """
    _check(information, fractions, alpha)
    allowed = [0.0, *(spent(fraction, alpha, spending) for fraction in fractions)]
    found: list[float] = []
    walk = _Walk(information)
    for stage, (before, after) in enumerate(pairwise(allowed)):
        found.append(walk.bound(stage, (after - before) / 2.0))
        walk.go_on(stage, found[-1])
    return tuple(found)


def crossings(
    information: Sequence[float], bounds: Sequence[float], *, drift: float = 0.0
) -> tuple[Floats, Floats]:
    """The probabilities of stopping at each look, above and below.

    Args:
        information, bounds: shape (k,).
        drift: the effect, in the unit of the estimate.

    Returns:
        Two arrays of shape (k,); what they lack of 1 is the probability of never crossing.
    """
    walk = _Walk(information, drift)
    above, below = np.empty(len(bounds)), np.empty(len(bounds))
    for stage, bound in enumerate(bounds):
        score = bound * math.sqrt(information[stage])
        above[stage], below[stage] = walk.above(stage, score), walk.below(stage, -score)
        walk.go_on(stage, bound)
    return above, below


def power(
    effect: float,
    information: float,
    fractions: Sequence[float],
    *,
    alpha: float = 0.05,
    spending: Spending = Spending.OBRIEN_FLEMING,
) -> float:
    """The probability to find an effect, with so much information at the horizon."""
    planned = [information * fraction for fraction in fractions]
    bounds = critical_values(planned, fractions, alpha=alpha, spending=spending)
    above, below = crossings(planned, bounds, drift=abs(effect))
    return float(above.sum() + below.sum())


def detectable(
    information: float,
    fractions: Sequence[float],
    *,
    wanted: float = 0.8,
    alpha: float = 0.05,
    spending: Spending = Spending.OBRIEN_FLEMING,
) -> float:
    """The effect that is found with probability ``wanted``, in the unit of the estimate."""
    planned = [information * fraction for fraction in fractions]
    bounds = critical_values(planned, fractions, alpha=alpha, spending=spending)

    def short(effect: float) -> float:
        above, below = crossings(planned, bounds, drift=effect)
        return float(above.sum() + below.sum()) - wanted

    return float(brentq(short, 0.0, _REACH / math.sqrt(information)))


def at_stopping(
    information: Sequence[float],
    bounds: Sequence[float],
    z: float,
    *,
    alpha: float = 0.05,
) -> Estimate:
    """The median-unbiased effect and its interval, where a test stopped: at a boundary, or the end.

    Outcomes are ordered by stage, as Tsiatis, Rosner and Mehta (1984) do: crossing above at an
    earlier look says more than crossing later. The interval leaves 0 out exactly where the test
    crossed a boundary, if it stopped nowhere else before its end.

    Args:
        information: shape (k,), up to the look at which it stopped.
        bounds: shape (k,); the last is not used.
        z: the estimate over its standard error at the last look.
    """

    def at_least(drift: float) -> float:
        walk, earlier = _Walk(information, drift), 0.0
        for stage, bound in enumerate(bounds[: len(information) - 1]):
            earlier += walk.above(stage, bound * math.sqrt(information[stage]))
            walk.go_on(stage, bound)
        last = len(information) - 1
        return earlier + walk.above(last, z * math.sqrt(information[last]))

    def solved(probability: float) -> float:
        unit = 1.0 / math.sqrt(information[-1])
        wide = max(10.0 / math.sqrt(information[0]), 10.0 * unit)
        low, high = z * unit - wide, z * unit + wide
        return float(brentq(lambda d: at_least(d) - probability, low, high, xtol=unit * 1e-6))

    surprise = at_least(0.0)
    return Estimate(
        value=solved(0.5),
        low=solved(alpha / 2.0),
        high=solved(1.0 - alpha / 2.0),
        p_value=min(1.0, 2.0 * min(surprise, 1.0 - surprise)),
    )


class _Walk:
    """The score of a test that still goes on: where it may be, and with what probability."""

    def __init__(self, information: Sequence[float], drift: float = 0.0) -> None:
        self._steps = np.diff(np.asarray([0.0, *information], dtype=float))
        self._information, self._drift = information, drift
        self._scores, self._mass = np.zeros(1), np.ones(1)

    def above(self, stage: int, score: float) -> float:
        """That it goes on until ``stage`` and is then above ``score``."""
        return float(self._mass @ ndtr((self._moved(stage) - score) / self._deviation(stage)))

    def below(self, stage: int, score: float) -> float:
        """That it goes on until ``stage`` and is then below ``score``."""
        return float(self._mass @ ndtr((score - self._moved(stage)) / self._deviation(stage)))

    def bound(self, stage: int, probability: float) -> float:
        """The z above which it comes at ``stage`` with this probability."""
        root = math.sqrt(self._information[stage])
        if self.above(stage, FARTHEST * root) >= probability:
            return FARTHEST

        def excess(z: float) -> float:
            return self.above(stage, z * root) - probability

        return float(brentq(excess, 0.0, FARTHEST, xtol=1e-10))

    def go_on(self, stage: int, bound: float) -> None:
        """Take the step to ``stage``, and keep what stays within the bound."""
        if stage + 1 >= len(self._steps):
            return
        end = bound * math.sqrt(self._information[stage])
        middle = self._drift * self._information[stage]
        reach = _REACH * math.sqrt(self._information[stage])
        low, high = max(-end, middle - reach), min(end, middle + reach)
        if low >= high:  # so far off that it has crossed for certain
            self._scores, self._mass = np.zeros(1), np.zeros(1)
            return
        finest = math.sqrt(min(self._steps[stage], self._steps[stage + 1]))
        scores, weights = _panels(low, high, finest)
        deviation = self._deviation(stage)
        off = (scores[:, None] - self._moved(stage)[None, :]) / deviation
        density = np.exp(-0.5 * off * off) @ self._mass / (deviation * math.sqrt(2.0 * math.pi))
        self._scores, self._mass = scores, weights * density

    def _moved(self, stage: int) -> Floats:
        return np.asarray(self._scores + self._drift * self._steps[stage])

    def _deviation(self, stage: int) -> float:
        return math.sqrt(self._steps[stage])


def _panels(low: float, high: float, width: float) -> tuple[Floats, Floats]:
    """Points and weights of Gauss and Legendre in panels of about this width."""
    count = max(1, min(_MOST_PANELS, math.ceil((high - low) / width)))
    ends = np.linspace(low, high, count + 1)
    half = (ends[1:] - ends[:-1]) / 2.0
    points = (ends[:-1] + half)[:, None] + half[:, None] * _NODES[None, :]
    return points.ravel(), (half[:, None] * _WEIGHTS[None, :]).ravel()


def _check(information: Sequence[float], fractions: Sequence[float], alpha: float) -> None:
    for problem in _problems(information, fractions, alpha):
        raise InvalidRequest(problem)


def _problems(
    information: Sequence[float], fractions: Sequence[float], alpha: float
) -> Iterator[str]:
    if not 0.0 < alpha < 1.0:
        yield f"an error of {alpha} must lie between 0 and 1, e.g. 0.05"
    if len(information) != len(fractions) or not len(information):
        yield f"{len(information)} looks have {len(fractions)} fractions; give one each"
    if any(not after >= before * (1 + _LEAST_GAIN) for before, after in pairwise(information)):
        yield "each look must add information; leave out those that do not"
    if not min(information, default=1.0) > 0.0 or not max(information, default=1.0) < math.inf:
        yield "information must be above 0 and finite; wait for both versions to have users"
    if any(not after > before for before, after in pairwise((0.0, *fractions))):
        yield f"fractions {tuple(fractions)} of the horizon must rise from above 0"
    if max(fractions, default=0.0) > 1.0:
        yield f"fractions {tuple(fractions)} of the horizon must end at 1 or before"
