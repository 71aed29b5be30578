"""Whether units are worth more or less with the challenger: for numbers of no known shape.

With A = 1 for the challenger's units and s its share, (A - s) (Y - m) has mean s (1 - s) times the
difference of the versions' means, whatever constant m is, and whatever the hour does to worth: it
is the inverse-propensity-weighted difference, each step weighted by its precision s (1 - s), and
centred at the step's mean (the augmented estimator with a constant regression). Its sum divided by
its spread is held against the boundary of the one-sided normal mixture (Robbins, 1970; Howard,
Ramdas, McAuliffe and Sekhon, Annals of Statistics 49, 2021, proposition 6), which makes an
asymptotic confidence sequence (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform
central limit theory and asymptotic confidence sequences", Annals of Statistics 52, 2024): its
promise is one for large numbers, so with too few it says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from flyball.domain.judging import Worth
from flyball.errors import InvalidRequest
from flyball.stats.sequential.crossings import crossing

LEAST = 25.0
"""Units of worth, times s (1 - s), from which on sums are near enough to normal: 526 at a share of
5%, 100 at one of a half. A few very large worths count as few."""

_SHARPEST = 0.0033
"""Square of the mixture's width: sharpest at 5,000 units for an alpha of 0.001 (Waudby-Smith and
others, appendix on tuning: (-2 ln alpha + ln(1 - 2 ln alpha)) / 5,000)."""

_WIDEST = 20.0
"""Ratios of worth are looked for up to e^20."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a unit is worth with each version.

    Attributes:
        champion, challenger: means, weighted alike over the steps.
        ratio: the challenger's over the champion's; NaN where that is not above 0.
        low, high: asymptotic confidence sequence of the ratio.
    """

    champion: float
    challenger: float
    ratio: float
    low: float
    high: float


def log_evidence(worth: Sequence[Worth], *, ratio: float = 1.0, more: bool = True) -> float:
    """Asymptotic log e-value about the challenger's mean over the champion's.

    Against "at most ``ratio``" (``more``), or against "at least ``ratio``" (not ``more``).

    Args:
        worth: sums by step; a unit belongs to one step, with all that it was worth.
        ratio: above 0.

    Returns:
        0 where there is too little (``LEAST``).

    Raises:
        InvalidRequest: ``ratio`` is not above 0, or a share is not in (0, 1).
    """
    if not 0.0 < ratio < math.inf:
        raise InvalidRequest(f"a ratio of worth is above 0 and finite, not {ratio}")
    return _evidence(worth, ratio, more=more) if _known(worth) >= LEAST else 0.0


def _evidence(worth: Sequence[Worth], ratio: float, *, more: bool) -> float:
    """``log_evidence``, however little there is."""
    score, spread, units = _score(worth, ratio)
    if spread <= 0.0:  # all are worth the same
        return 0.0
    time = units * _SHARPEST
    x = (score if more else -score) / math.sqrt(spread / units) * math.sqrt(_SHARPEST)
    x /= math.sqrt(time + 1.0)
    return math.log(2.0) - 0.5 * math.log1p(time) + _half_normal(x)


def difference(worth: Sequence[Worth], alpha: float) -> Difference:
    """The means, and the confidence sequence of their ratio at 1 - ``alpha``.

    Raises:
        InvalidRequest: ``alpha`` is not in (0, 1), or a share is not.
    """
    if not 0.0 < alpha < 1.0:
        raise InvalidRequest(f"alpha is in (0, 1), not {alpha}")
    level = math.log(2.0 / alpha) if _known(worth) >= LEAST else math.inf
    champion, challenger = _means(worth)
    estimate = challenger / champion if champion > 0.0 else math.nan
    inside = math.log(estimate) if estimate > 0.0 else 0.0

    def above(effect: float) -> bool:
        return _evidence(worth, math.exp(effect), more=True) >= level

    def below(effect: float) -> bool:
        return _evidence(worth, math.exp(effect), more=False) >= level

    low, high = crossing(above, inside, -_WIDEST), crossing(below, inside, _WIDEST)
    return Difference(
        champion=champion,
        challenger=challenger,
        ratio=estimate,
        low=0.0 if low <= -_WIDEST else math.exp(low),
        high=math.inf if high >= _WIDEST else math.exp(high),
    )


def _known(worth: Sequence[Worth]) -> float:
    """How many units of equal worth there seem to be (Kish, 1965), times s (1 - s)."""
    known = 0.0
    for each in worth:
        if not 0.0 < each.share < 1.0:
            raise InvalidRequest(f"{each}: a share lies in (0, 1)")
        squares = each.challenger.squares + each.champion.squares
        if squares > 0.0:
            total = each.challenger.total + each.champion.total
            known += each.share * (1.0 - each.share) * total**2 / squares
    return known


def _score(worth: Sequence[Worth], ratio: float = 1.0) -> tuple[float, float, int]:
    """The weighted sum of differences, its variance, and the units, as if the champion's units
    had been worth ``ratio`` times as much.

    The variance is what the draw makes of these worths, or what was seen if that is more: an arm
    that has no buyer yet shows no spread, and is still uncertain.
    """
    score, spread, units = 0.0, 0.0, 0
    for each in worth:
        share, own, other = each.share, each.challenger, each.champion
        count, earned = own.count + other.count, other.total * ratio
        if not count:
            continue
        mean = (own.total + earned) / count
        score += (1.0 - share) * (own.total - own.count * mean)
        score -= share * (earned - other.count * mean)
        about = _about(own.squares, own.total, own.count, mean)
        of_others = _about(other.squares * ratio * ratio, earned, other.count, mean)
        drawn = share * (1.0 - share) * (about + of_others)
        spread += max(drawn, (1.0 - share) ** 2 * about + share**2 * of_others)
        units += count
    return score, spread, units


def _about(squares: float, total: float, count: int, mean: float) -> float:
    """The sum of squared distances from ``mean``."""
    return max(0.0, squares - 2.0 * mean * total + count * mean * mean)


def _means(worth: Sequence[Worth]) -> tuple[float, float]:
    """Of champion and challenger, steps weighted by precision and size."""
    weight = champion = challenger = 0.0
    for each in worth:
        if each.champion.count and each.challenger.count:
            part = each.share * (1.0 - each.share) * (each.champion.count + each.challenger.count)
            weight += part
            champion += part * each.champion.total / each.champion.count
            challenger += part * each.challenger.total / each.challenger.count
    return (champion / weight, challenger / weight) if weight else (0.0, 0.0)


def _half_normal(x: float) -> float:
    """x^2 / 2 + ln of the normal distribution function at x, without overflow."""
    if x > -25.0:
        return 0.5 * x * x + math.log(0.5 * math.erfc(-x / math.sqrt(2.0)))
    return -math.log(-x * math.sqrt(2.0 * math.pi))  # the first term of Mills' ratio
