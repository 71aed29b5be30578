"""How sure we may be of a mean difference between two models on the same users."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flyball.errors import InvalidRequest

CHUNK_DRAWS = 2**20
"""Draws held in memory at a time (16 MB with the values they pick)."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its confidence interval, all in the unit of the values.

    Attributes:
        mean: of the sample itself.
        low: lower end.
        high: upper end.
    """

    mean: float
    low: float
    high: float


def paired_bootstrap(
    a: ArrayLike,
    b: ArrayLike,
    *,
    seed: int,
    resamples: int = 2000,
    confidence: float = 0.95,
) -> Interval:
    """Percentile bootstrap interval of mean(a - b), pairs resampled together.

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13. The same
    arguments give the same interval. Memory does not grow with ``resamples`` times n. With fewer
    than about 30 pairs the interval is somewhat too narrow.

    Args:
        a: shape (n,), n >= 2, for example NDCG of each user under the candidate.
        b: shape (n,), the same users under the champion.
        seed: of the resampling.
        resamples: how many; at least 100.
        confidence: in (0, 1).

    Raises:
        InvalidRequest: shapes differ, there are fewer than two pairs, a value is not finite, or
            ``resamples`` or ``confidence`` is out of range.
    """
    differences = _differences(a, b)
    if resamples < 100:
        raise InvalidRequest(f"{resamples} resamples say too little; ask for at least 100")
    if not 0.0 < confidence < 1.0:
        raise InvalidRequest(f"confidence {confidence} must lie between 0 and 1, e.g. 0.95")
    means = _resampled_means(differences, resamples, np.random.default_rng(seed))
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(means, [tail, 1.0 - tail])
    return Interval(mean=float(differences.mean()), low=float(low), high=float(high))


def _differences(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise InvalidRequest(
            f"a paired comparison needs two lists of the same users, not shapes {first.shape} "
            f"and {second.shape}; compare both models on one split"
        )
    if len(first) < 2:
        raise InvalidRequest(
            f"an interval needs at least two pairs, not {len(first)}; compare on more users"
        )
    differences = first - second
    wrong = int(np.count_nonzero(~np.isfinite(differences)))
    if wrong:
        raise InvalidRequest(
            f"{wrong} of {len(differences)} differences are not finite; "
            "leave out users without a value under both models"
        )
    return differences


def _resampled_means(
    values: NDArray[np.float64], resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Means (resamples,) of samples of ``len(values)`` with replacement."""
    size = len(values)
    means = np.empty(resamples)
    step = max(1, CHUNK_DRAWS // size)
    for start in range(0, resamples, step):
        stop = min(start + step, resamples)
        draws = rng.integers(0, size, size=(stop - start, size))
        means[start:stop] = values[draws].mean(axis=1)
    return means
