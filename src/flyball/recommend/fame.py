"""How popular an item may become, by what is known of it: for items that nobody has yet.

What describes an item says more than whom it may please: a free game by a known studio finds more
players than the tenth puzzle of its kind. A new item scored by its neighbours alone is taken to be
as popular as they are; this corrects for what they are not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags

from flyball.errors import InvalidRequest
from flyball.recommend.newcomers import Newcomers
from flyball.recommend.tfidf import tfidf

RIDGE = 0.3
"""Of the regression. Chosen, as ``POWER``, on Steam games older than those that are reported."""

POWER = 0.5
"""How far the expectation is trusted: 0 not at all, 1 entirely."""

MOST = 10.0
"""No item counts more than so many times, or less than so small a part, of its neighbours."""


def expected_users(
    features: csr_matrix, counts: NDArray[np.int64], *, ridge: float = RIDGE
) -> NDArray[np.float64]:
    """How many users items described like this have.

    Ridge regression of log(1 + users) on the TF-IDF rows of the items that have users (Hoerl and
    Kennard, "Ridge regression", Technometrics 1970).

    Args:
        features: counts, shape (n_items, n_features), as ``tfidf.tfidf`` takes them.
        counts: shape (n_items,), users of each; at least one is above 0.
        ridge: above 0; more of it trusts what describes few items less.

    Returns:
        Shape (n_items,), at least 0, for known items too.

    Raises:
        TrainingError: a feature count is negative or not finite.
        InvalidRequest: the counts do not fit the features, none is above 0, or ridge is not.
    """
    from sklearn.linear_model import Ridge

    fits = counts.shape == (features.shape[0],)
    known = np.flatnonzero(counts > 0) if fits else np.empty(0, dtype=np.int64)
    if not len(known) or not ridge > 0:
        raise InvalidRequest(
            f"{counts.shape} counts and ridge = {ridge} do not fit features of "
            f"{features.shape[0]} items; pass one count for each, some above 0"
        )
    rows = tfidf(features).astype(np.float64)
    fitted = Ridge(alpha=ridge, solver="sparse_cg", tol=1e-8)
    fitted.fit(rows[known], np.log1p(counts[known]))
    highest = float(np.log1p(counts.max()))
    return np.asarray(np.expm1(np.clip(fitted.predict(rows), 0.0, highest)))


def by_fame(
    newcomers: Newcomers,
    features: csr_matrix,
    counts: NDArray[np.int64],
    *,
    power: float = POWER,
) -> Newcomers:
    """New items, counting more where more users are expected than their neighbours have.

    Row i of the likeness is multiplied by ``(expected_i / mean users of its neighbours) ^ power``,
    kept within 1 / ``MOST`` and ``MOST``; neighbours have at least one user. So a linear model
    stays linear.

    Args:
        features, counts: as of ``expected_users``, of the items of ``newcomers``.
        power: 0 to 1.

    Raises:
        TrainingError, InvalidRequest: as ``expected_users``.
    """
    if not 0 <= power <= 1:
        raise InvalidRequest(f"power = {power:g} is out of range; choose one from 0 to 1")
    expected = expected_users(features, counts)[newcomers.items]
    likeness = newcomers.likeness
    sums = np.asarray(likeness.sum(axis=1)).ravel()
    neighbours = np.maximum(likeness @ counts.astype(np.float64) / sums, 1.0)
    factors = np.clip((expected / neighbours) ** power, 1 / MOST, MOST)
    scaled = csr_matrix(diags(factors) @ likeness, dtype=np.float32)
    scaled.sort_indices()
    return Newcomers(newcomers.items, scaled)
