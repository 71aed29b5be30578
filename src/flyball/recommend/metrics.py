"""Ranking metrics over all items, training items masked; always one value per user.

Nothing is sampled: negatives drawn at random can turn the order of two models around (Krichene and
Rendle, "On sampled metrics for item recommendation", KDD 2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flyball.errors import InvalidRequest, ValidationError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from flyball.recommend.protocols import Scorer
    from flyball.recommend.split import Fold

CHUNK_BYTES = 64 * 2**20
"""Memory for one chunk of users while ranking."""

CELL_BYTES = 32
"""What one (user, item) cell needs at most: scores, sort keys and their temporaries."""


@dataclass(frozen=True, eq=False, slots=True)
class Ranking:
    """The best unseen items of every test user.

    Attributes:
        users: shape (n,), rows of the fold with at least one held-out item, rising.
        items: int32, shape (n, depth), best first; -1 where a user has fewer unseen items.
        hits: bool, shape (n, depth), whether that item was held out.
        held_out: shape (n,), how many items of the user were held out; at least 1.
        known: bool, shape (n_items,), whether any training interaction has the item.
    """

    users: NDArray[np.int64]
    items: NDArray[np.int32]
    hits: NDArray[np.bool_]
    held_out: NDArray[np.int64]
    known: NDArray[np.bool_]

    @property
    def depth(self) -> int:
        """How many places are ranked."""
        return int(self.items.shape[1])

    def require_depth(self, k: int) -> None:
        """Raise ``InvalidRequest`` unless ``k`` places are ranked."""
        if not 1 <= k <= self.depth:
            raise InvalidRequest(
                f"k = {k} asked of a ranking of depth {self.depth}; rank with depth={max(k, 1)}"
            )


def rank(model: Scorer, fold: Fold, *, depth: int = 20, chunk_bytes: int = CHUNK_BYTES) -> Ranking:
    """Rank all items for every user with held-out items; their training items are masked.

    Works through the users in chunks of ``chunk_bytes`` (at least one user each). Equal scores are
    ordered by item index.

    Raises:
        InvalidRequest: ``depth`` is below 1.
        ValidationError: the model scored an item NaN, or scored another number of items.
    """
    if depth < 1:
        raise InvalidRequest(f"a ranking needs at least one place; depth is {depth}")
    users = fold.test_users
    n_items = len(fold.train.items)
    items = np.full((len(users), depth), -1, dtype=np.int32)
    hits = np.zeros((len(users), depth), dtype=np.bool_)
    step = max(1, chunk_bytes // (CELL_BYTES * max(1, n_items)))
    for start in range(0, len(users), step):
        part = slice(start, start + step)
        scores = _unseen_scores(model, fold.train.matrix[users[part]])
        best = top_k(scores, depth)
        held = fold.test[users[part]].toarray() > 0
        items[part, : best.shape[1]] = best
        hits[part, : best.shape[1]] = np.take_along_axis(held, best, axis=1) & (best >= 0)
    held_out = np.diff(fold.test.indptr)[users].astype(np.int64)
    known = np.bincount(fold.train.matrix.indices, minlength=n_items) > 0
    return Ranking(users, items, hits, held_out, np.asarray(known, dtype=np.bool_))


def top_k(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Indices of the ``k`` best along the last axis, best first; equal scores by rising index.

    Args:
        scores: float32, shape (..., n_items), without NaN; ``-inf`` masks an item.
        k: places; fewer come back where there are fewer items.

    Returns:
        int64, shape (..., min(k, n_items)); -1 in place of masked items.
    """
    n_items = scores.shape[-1]
    k = min(k, n_items)
    keys = _sort_keys(scores)
    keys.partition(n_items - k, axis=-1)
    best = np.sort(keys[..., n_items - k :], axis=-1)[..., ::-1]
    index = _LOW_BITS - (best & _LOW_BITS)
    return np.asarray(np.where(best >> 32 == _MASKED, -1, index))


def ndcg(ranking: Ranking, k: int) -> NDArray[np.float64]:
    """NDCG@k of each user, in [0, 1].

    DCG@k = sum over places i = 1..k of hit_i / log2(i + 1), divided by that of the ideal list,
    which has hits at its first min(k, held-out items) places (Jarvelin and Kekalainen, "Cumulated
    gain-based evaluation of IR techniques", TOIS 2002, binary gains).

    Raises:
        InvalidRequest: fewer than ``k`` places are ranked.
    """
    ranking.require_depth(k)
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discounts)[np.minimum(k, ranking.held_out) - 1]
    return np.asarray(ranking.hits[:, :k] @ discounts / ideal, dtype=np.float64)


def recall(ranking: Ranking, k: int) -> NDArray[np.float64]:
    """Recall@k of each user, in [0, 1]: hits among the first k / all held-out items.

    The divisor is the number of held-out items, not min(k, that number): a user with more than k
    held-out items cannot reach 1.

    Raises:
        InvalidRequest: fewer than ``k`` places are ranked.
    """
    ranking.require_depth(k)
    return np.asarray(ranking.hits[:, :k].sum(axis=1) / ranking.held_out, dtype=np.float64)


def hit_rate(ranking: Ranking, k: int) -> NDArray[np.float64]:
    """Hit@k of each user: 1 if any of the first k was held out, else 0.

    Raises:
        InvalidRequest: fewer than ``k`` places are ranked.
    """
    ranking.require_depth(k)
    return np.asarray(ranking.hits[:, :k].any(axis=1), dtype=np.float64)


def coverage(ranking: Ranking, k: int) -> float:
    """Coverage@k, in [0, 1]: the share of the items known from training that anyone is shown.

    Distinct known items in the first k places of any test user / items with at least one training
    interaction; 0 if there are none. (Catalogue coverage of Ge, Delgado-Battenfeld and Jannach,
    "Beyond accuracy", RecSys 2010, on the items a model can have learnt.)

    Raises:
        InvalidRequest: fewer than ``k`` places are ranked.
    """
    ranking.require_depth(k)
    shown = np.unique(ranking.items[:, :k])
    n_shown = int(ranking.known[shown[shown >= 0]].sum())
    return n_shown / max(1, int(ranking.known.sum()))


_LOW_BITS = np.int64(0xFFFFFFFF)
_MASKED = np.int64(-0x7F800000 - 1)
"""The high half of the key of ``-inf``: its bits with the magnitude flipped."""


def _sort_keys(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """One distinct integer per score that sorts by score, then by falling index.

    The bits of a float32 sort like a signed integer once the magnitude of negatives is flipped.
    With the index in the low half no two keys are equal, so a partial sort has one answer.
    """
    bits = (scores + np.float32(0.0)).view(np.int32)  # adding 0 makes -0.0 equal to 0.0
    bits ^= (bits >> 31) & np.int32(0x7FFFFFFF)
    keys = bits.astype(np.int64)
    keys <<= 32
    keys |= _LOW_BITS - np.arange(scores.shape[-1], dtype=np.int64)
    return keys


def _unseen_scores(model: Scorer, histories: csr_matrix) -> NDArray[np.float32]:
    """The model's scores with the items of each history at ``-inf``."""
    scores = model.predict(histories)
    if scores.shape != histories.shape:
        raise ValidationError(
            f"{type(model).__name__} scored {scores.shape} where {histories.shape} was asked; "
            "it was fitted on another catalogue: train it on this one"
        )
    if np.isnan(scores).any():
        raise ValidationError(
            f"{type(model).__name__} scored {int(np.isnan(scores).sum())} items NaN and cannot "
            "be ranked; train it again"
        )
    rows = np.repeat(np.arange(histories.shape[0]), np.diff(histories.indptr))
    scores[rows, histories.indices] = -np.inf
    return scores
