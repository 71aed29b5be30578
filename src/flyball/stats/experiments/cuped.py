"""The difference of two versions, with what was known of the users before taken out of the noise.

CUPED (Deng, Xu, Kohavi and Walker, "Improving the sensitivity of online controlled experiments by
utilizing pre-experiment data", WSDM 2013): what a user did before the test can't be an effect of
it, and tells much of what they do in it. Subtracting the part that it tells leaves the difference
unbiased and makes it less uncertain. Ratios (value per impression) are made linear in the users by
the delta method (their appendix B; Deng, Knoblich and Lu, KDD 2018).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flyball.errors import InvalidRequest

Floats = NDArray[np.float64]

LEAST_USERS = 2
"""Of each version; intervals are sound from some hundreds on."""


@dataclass(frozen=True, eq=False, slots=True)
class Arm:
    """The users of one version; a user is one row.

    Args:
        worth: shape (n,), n >= 2: what each did in the test (clicks, USD).
        chances: shape (n,), of a ratio: what it is divided by (impressions), not negative, not all
            0. None: the metric is a mean over users.
        before: shape (n,) or (n, p), what was known of them before; None: nothing. For users of
            whom nothing is known write 0 there and 1 in a column "is new".

    Raises:
        InvalidRequest: shapes differ, too few users, a number that is not finite.
    """

    worth: Floats
    chances: Floats | None = None
    before: Floats | None = None

    def __post_init__(self) -> None:
        worth = _numbers(self.worth, 1, "worth")
        object.__setattr__(self, "worth", worth)
        if len(worth) < LEAST_USERS:
            raise InvalidRequest(
                f"a version with {len(worth)} users can't be compared; wait for {LEAST_USERS}"
            )
        if self.chances is not None:
            chances = _numbers(self.chances, 1, "chances")
            if len(chances) != len(worth) or (chances < 0).any() or not chances.sum() > 0:
                raise InvalidRequest(
                    "chances must be as many as users, none negative, and not all 0; leave out "
                    "users to whom nothing was shown"
                )
            object.__setattr__(self, "chances", chances)
        if self.before is not None:
            before = np.asarray(self.before, dtype=np.float64)
            before = _numbers(before[:, None] if before.ndim == 1 else before, 2, "before")
            if len(before) != len(worth):
                raise InvalidRequest(
                    f"{len(before)} rows of what was known before are not of the {len(worth)} users"
                )
            object.__setattr__(self, "before", before)

    @property
    def users(self) -> int:
        """How many."""
        return len(self.worth)

    @property
    def value(self) -> float:
        """The metric: the mean, or the ratio of the sums."""
        if self.chances is None:
            return float(self.worth.mean())
        return float(self.worth.sum() / self.chances.sum())

    def shares(self) -> Floats:
        """Shape (n,): the metric is their mean, up to terms that vanish with many users."""
        if self.chances is None:
            return self.worth
        return self.value + (self.worth - self.value * self.chances) / float(self.chances.mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """B - A.

    Attributes:
        value: the estimate, in the metric's unit.
        error: its standard error.
        a, b: the metric of each version, as seen.
        users_a, users_b: how many.
        reduction: the part of the variance that what was known before took away, in [0, 1].
    """

    value: float
    error: float
    a: float
    b: float
    users_a: int
    users_b: int
    reduction: float

    @property
    def relative(self) -> float | None:
        """The difference as a part of A's metric; None where that is 0."""
        return self.value / self.a if self.a else None


def difference(a: Arm, b: Arm) -> Difference:
    """The difference of the two metrics, adjusted where both arms know something of before.

    One slope serves both arms: it is learnt within them, so the test's own effect has no part in
    it. The variances of the arms need not be equal.

    Raises:
        InvalidRequest: one metric is a mean and the other a ratio, or the columns of ``before``
            differ.
    """
    if (a.chances is None) is not (b.chances is None):
        raise InvalidRequest("a mean and a ratio cannot be compared; give chances for both or none")
    first, second = a.shares(), b.shares()
    plain = _variance(first) + _variance(second)
    value = b.value - a.value
    variance = plain
    if a.before is not None and b.before is not None:
        slope = _slope([(first, a.before), (second, b.before)])
        gap = b.before.mean(axis=0) - a.before.mean(axis=0)
        adjusted = _variance(first - a.before @ slope) + _variance(second - b.before @ slope)
        if adjusted < plain:
            value, variance = value - float(gap @ slope), adjusted
    return Difference(
        value=value,
        error=math.sqrt(variance),
        a=a.value,
        b=b.value,
        users_a=a.users,
        users_b=b.users,
        reduction=1.0 - variance / plain if plain > 0 else 0.0,
    )


def _slope(arms: list[tuple[Floats, Floats]]) -> Floats:
    """Shape (p,): of worth on what was known before, within the arms, by least squares."""
    columns = {before.shape[1] for _, before in arms}
    if len(columns) != 1:
        raise InvalidRequest("both versions need the same columns of what was known before")
    worth = np.concatenate([shares - shares.mean() for shares, _ in arms])
    before = np.concatenate([known - known.mean(axis=0) for _, known in arms])
    scale = before.std(axis=0)
    usable = scale > 0.0
    slope = np.zeros(before.shape[1])
    if usable.any():
        scaled = before[:, usable] / scale[usable]
        slope[usable] = np.linalg.lstsq(scaled, worth, rcond=None)[0] / scale[usable]
    return slope


def _variance(shares: Floats) -> float:
    """Of their mean."""
    return float(shares.var(ddof=1) / len(shares))


def _numbers(values: ArrayLike, dimensions: int, what: str) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != dimensions or not np.isfinite(found).all():
        raise InvalidRequest(
            f"{what} must be finite numbers, one row a user, not of shape {found.shape}; leave out "
            "users without them"
        )
    return found
