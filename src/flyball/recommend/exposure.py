"""How much room new items get beside known ones: a share of places that is set, not left to chance.

What new items would earn cannot be measured before anybody could have had them. So their scores
keep their order, and are scaled as a whole until they take no more than a stated share of places.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from flyball.recommend.histories import Histories
from flyball.recommend.newcomers import Covering, Newcomers
from flyball.recommend.protocols import Recommender

K = 10
USERS = 500
"""Users asked at most, evenly spread."""

HALVINGS = 14


def covering_within(
    model: Recommender, newcomers: Newcomers, histories: Histories, share: float
) -> Covering:
    """The model with new items, which take at most ``share`` of the places in lists of ten from
    known items that score above 0.

    Args:
        newcomers: of the items of ``model``.
        histories: of those who will be shown them; empty ones say nothing, and are passed over.
        share: of all places, in [0, 1].

    Returns:
        ``newcomers`` as they are where they keep to the share by themselves; else their likeness
        times one factor below 1, to about a thousandth of it.
    """
    some = np.flatnonzero(histories.lengths)
    chosen = some[np.unique(np.linspace(0, len(some) - 1, num=min(USERS, len(some)), dtype=int))]
    known, new = _best(model, newcomers, histories[chosen])
    if taken(known, new, 1.0) <= share:
        return Covering(model, newcomers)
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if taken(known, new, middle) <= share else (low, middle)
    scaled = csr_matrix(newcomers.likeness * np.float32(max(low, 2.0**-HALVINGS)))
    return Covering(model, Newcomers(newcomers.items, scaled))


def taken(known: NDArray[np.float32], new: NDArray[np.float32], factor: float) -> float:
    """The share of the best ten places that new items take if their scores are multiplied.

    A place counts as taken where a known item with a score above 0 had to leave it: who has too few
    of these for a full list loses nothing to a new item.

    Args:
        known, new: shape (n, up to 10), the best scores of each kind, best first.
    """
    if not len(known):
        return 0.0
    scores = np.concatenate([known, new * np.float32(factor)], axis=1)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :K]
    worthy = known > 0
    kept = (best < known.shape[1]) & (np.take_along_axis(scores, best, axis=1) > 0)
    displaced = worthy.sum(axis=1) - kept.sum(axis=1)
    return float(displaced.sum() / (K * len(known)))


def _best(
    model: Recommender, newcomers: Newcomers, histories: Histories
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    scores = model.predict(histories)
    new = scores @ csr_matrix(newcomers.likeness.T)
    rows = np.repeat(np.arange(len(histories)), histories.lengths)
    scores[rows, histories.matrix.indices] = -np.inf
    scores[:, newcomers.items] = -np.inf
    return _top(scores), _top(np.asarray(new, dtype=np.float32))


def _top(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    k = min(K, scores.shape[1])
    best = np.partition(scores, scores.shape[1] - k, axis=1)[:, scores.shape[1] - k :]
    return np.asarray(np.sort(best, axis=1)[:, ::-1])
