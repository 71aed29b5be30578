"""What another policy would have earned, from what was logged under this one.

Each row is one choice (an item at a place of a list) with the probability with which it was made.
Weighted by how much more often the candidate makes it, the rewards are the candidate's. Where few
choices are also the candidate's, or a few weigh as much as all others, there is no evidence, and it
says so.

Sources: SNIPS: Swaminathan and Joachims, "The self-normalized estimator for counterfactual
learning", NeurIPS 2015. Doubly robust: Dudik, Langford and Li, "Doubly robust policy evaluation and
learning", ICML 2011, with self-normalised weights (Thomas and Brunskill, ICML 2016). Errors: the
jackknife over users (Efron, "The jackknife, the bootstrap and other resampling plans", 1982),
because the choices of one user depend on one another. Effective sample size: Kish, "Survey
sampling", 1965. That the mean weight is 1 where all is supported: Li, Chen, Kleban and Gupta,
"Counterfactual estimation and optimization of click metrics in search engines", WWW 2015.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from flyball.errors import InvalidRequest

Floats = NDArray[np.float64]

LEAST_USERS = 100
"""Users of whom some choice is also the candidate's."""

LEAST_EFFECTIVE = 50.0
"""Users that the weighted ones are worth: with fewer, intervals are too narrow."""

MOST_OF_ONE = 0.1
"""Part of all weight that one user may have."""

LEAST_SUPPORT = 0.95
"""Mean weight that must be possible: less, and some of the candidate's choices are never logged."""

MOST_SUPPORT = 1.05
"""Mean weight that must be possible: more, and the logged probabilities are wrong."""


_COLUMNS = (
    *("rewards", "propensities", "target"),
    *("expected", "expected_target", "expected_logging"),
)


@dataclass(frozen=True, eq=False, slots=True)
class Logged:
    """Choices that were made; a choice is one row.

    Args:
        users: shape (n,), who they were made for; any type that can be sorted.
        rewards: shape (n,), what came of them, finite.
        propensities: shape (n,), with what probability they were made, in (0, 1].
        target: shape (n,), with what probability the candidate makes them, in [0, 1].
        expected: shape (n,), the reward that a model expects of the choice; it must not have been
            learnt from the same users. None: there is no model.
        expected_target: shape (n,), the reward that it expects of the candidate's choice there.
        expected_logging: shape (n,), what it expects there of all choices that could have been
            logged, by their probabilities. None: as ``expected``, which leaves in the chance of
            which of them was.

    Raises:
        InvalidRequest: shapes differ, or a number is out of range; says which.
    """

    users: NDArray[np.generic]
    rewards: Floats
    propensities: Floats
    target: Floats
    expected: Floats | None = None
    expected_target: Floats | None = None
    expected_logging: Floats | None = None

    def __post_init__(self) -> None:
        users = np.asarray(self.users)
        object.__setattr__(self, "users", users)
        for name in _COLUMNS:
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, _numbers(given, len(users), name))
        if not len(users) or users.ndim != 1:
            raise InvalidRequest("there is no logged choice; wait until some are shown")
        if (self.propensities <= 0).any() or (self.propensities > 1).any():
            raise InvalidRequest("propensities must lie in (0, 1]: what was shown had a chance")
        if (self.target < 0).any() or (self.target > 1).any():
            raise InvalidRequest("the candidate's probabilities must lie in [0, 1]")
        if (self.expected is None) is not (self.expected_target is None):
            raise InvalidRequest("give what a model expects of both choices, or of neither")

    @property
    def weights(self) -> Floats:
        """Shape (n,): how much more often the candidate makes the choice."""
        return self.target / self.propensities


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the logs say of a candidate.

    Attributes:
        method: ``"snips"`` or ``"doubly robust"``.
        baseline: what was earned a choice.
        candidate: what it would have earned; None where nothing can be said.
        difference: candidate less baseline; low, high: its interval; error: its standard error.
            None likewise.
        users: of whom there are choices.
        effective_users: how many the weighted ones are worth.
        support: the mean weight: the part of the candidate's choices that could be logged.
        insufficient: why it proves nothing; empty where it does.
    """

    method: str
    baseline: float
    candidate: float | None
    difference: float | None
    low: float | None
    high: float | None
    error: float | None
    users: int
    effective_users: float
    support: float
    insufficient: str


def snips(logged: Logged, *, confidence: float = 0.95) -> Evidence:
    """The self-normalised estimate: rewards weighted, over the sum of the weights."""
    weights = logged.weights
    columns = [np.ones_like(weights), logged.rewards, weights, weights * logged.rewards]

    def values(sums: Floats) -> Floats:
        count, earned, weight, weighted = sums
        return np.stack([weighted / weight, earned / count])

    return _evidence("snips", logged, columns, values, confidence)


def doubly_robust(logged: Logged, *, confidence: float = 0.95) -> Evidence:
    """What a model expects of the candidate, corrected by how wrong it was where both chose alike.

    Sound where either the model or the propensities are right, and narrower than ``snips`` where
    the model is any good. The baseline is estimated in the same way, so that both share the chance
    of what happened to be logged, and it leaves their difference.

    Raises:
        InvalidRequest: there is no model's expectation.
    """
    if logged.expected is None or logged.expected_target is None:
        raise InvalidRequest("doubly robust needs what a model expects; use snips without one")
    weights, surprise = logged.weights, logged.rewards - logged.expected
    usual = logged.expected if logged.expected_logging is None else logged.expected_logging
    columns = [
        *(np.ones_like(weights), usual + surprise, weights),
        *(weights * surprise, logged.expected_target),
    ]

    def values(sums: Floats) -> Floats:
        count, earned, weight, surprised, expected = sums
        return np.stack([expected / count + surprised / weight, earned / count])

    return _evidence("doubly robust", logged, columns, values, confidence)


def _evidence(
    method: str,
    logged: Logged,
    columns: list[Floats],
    values: Callable[[Floats], Floats],
    confidence: float,
) -> Evidence:
    """An estimate that is a function of sums over rows: first the count, then rewards, weights."""
    _, row_users = np.unique(logged.users, return_inverse=True)
    by_user: Floats = np.stack(
        [np.bincount(row_users, weights=column) for column in columns], dtype=np.float64
    )
    count, weight = by_user[0], by_user[2]
    missing = _too_few(weight)
    if missing:
        return _nothing(method, float(by_user[1].sum() / count.sum()), by_user, missing)
    whole = by_user.sum(axis=1)
    candidate, baseline = values(whole)
    left_out = values(whole[:, None] - by_user)
    error, freedom = _jackknife(left_out[0] - left_out[1])
    reach = float(stdtrit(freedom, 0.5 + confidence / 2.0)) * error
    difference = float(candidate - baseline)
    return Evidence(
        method=method,
        candidate=float(candidate),
        baseline=float(baseline),
        difference=difference,
        low=difference - reach,
        high=difference + reach,
        error=error,
        users=len(count),
        effective_users=_effective(weight),
        support=float(weight.sum() / count.sum()),
        insufficient=_unsupported(count, weight, confidence),
    )


def _jackknife(left_out: Floats) -> tuple[float, float]:
    """The standard error, and its degrees of freedom: the users that it really rests on.

    Where a few users make most of the variance, the variance itself is little known; Student's
    quantile for that few (Satterthwaite's idea) keeps the interval honest.
    """
    off = (left_out - left_out.mean()) ** 2
    total = float(off.sum())
    users = len(off)
    if total <= 0.0:
        return 0.0, float(users - 1)
    resting_on = total**2 / float((off**2).sum())
    return math.sqrt(total * (users - 1) / users), max(1.0, resting_on - 1.0)


def _too_few(weight: Floats) -> str:
    used = int((weight > 0).sum())
    if used < LEAST_USERS:
        return f"{used} users were shown what the candidate would show; {LEAST_USERS} are needed"
    return ""


def _unsupported(count: Floats, weight: Floats, confidence: float) -> str:
    """Why the weights allow no conclusion; empty where they do."""
    effective, most = _effective(weight), float(weight.max() / weight.sum())
    if effective < LEAST_EFFECTIVE:
        return (
            f"the weighted users are worth {effective:.0f}; {LEAST_EFFECTIVE:.0f} are needed: "
            "wait, or explore more"
        )
    if most > MOST_OF_ONE:
        return f"one user has {most:.0%} of all weight; at most {MOST_OF_ONE:.0%} is sound"
    mean = float(weight.sum() / count.sum())
    error, freedom = _jackknife((weight.sum() - weight) / (count.sum() - count))
    reach = float(stdtrit(freedom, 0.5 + confidence / 2.0)) * error
    if mean + reach < LEAST_SUPPORT:
        return (
            f"only {mean:.0%} of what the candidate would show could be shown; explore among more "
            "items"
        )
    if mean - reach > MOST_SUPPORT:
        return f"the mean weight is {mean:.2f} and not 1: the logged probabilities are wrong"
    return ""


def _effective(weight: Floats) -> float:
    """Kish: how many users of equal weight these are worth."""
    squares = float((weight**2).sum())
    return float(weight.sum()) ** 2 / squares if squares else 0.0


def _nothing(method: str, baseline: float, by_user: Floats, why: str) -> Evidence:
    """No estimate."""
    count, weight = by_user[0], by_user[2]
    return Evidence(
        method=method,
        baseline=baseline,
        candidate=None,
        difference=None,
        low=None,
        high=None,
        error=None,
        users=len(count),
        effective_users=_effective(weight),
        support=float(weight.sum() / count.sum()),
        insufficient=why,
    )


def _numbers(values: ArrayLike, rows: int, what: str) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    if found.shape != (rows,) or not np.isfinite(found).all():
        raise InvalidRequest(
            f"{what} must be {rows} finite numbers, one for each logged choice, not of shape "
            f"{found.shape}"
        )
    return found
