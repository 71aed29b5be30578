"""The full ranking of every test user: what each metric is made of.

All items are ranked and the training items masked. Nothing is sampled: negatives drawn at random
can turn the order of two models around (Krichene and Rendle, "On sampled metrics for item
recommendation", KDD 2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flyball.errors import InvalidRequest, ValidationError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from flyball.recommend.histories import Histories
    from flyball.recommend.protocols import Scorer
    from flyball.recommend.split import Fold

CHUNK_BYTES = 64 * 2**20
"""Memory for one chunk of users while ranking."""

CELL_BYTES = 32
"""What one (user, item) cell needs at most: scores, sort keys and their temporaries."""


@dataclass(frozen=True, eq=False, slots=True)
class Ranking:
    """Where the held-out items of every test user stand, and what stands on top.

    The *full list* of a user has every item but their training items, best first; equal scores are
    ordered by item index. Places count from 1.

    Attributes:
        users: shape (n,), rows of the fold with at least one held-out item, rising.
        items: int32, shape (n, depth), the top of each full list; -1 where it is shorter.
        hits: bool, shape (n, depth), whether that item was held out.
        held_out: shape (n,), how many items of the user were held out; at least 1.
        unseen: shape (n,), the length of the full list.
        wanted: int32, shape (sum of held_out,), the held-out items: user by user, each user's best
            placed first.
        places: int32, like ``wanted``: the place of each in the full list.
        midranks: float64, like ``wanted``: the same, but equal scores share their mean place.
        popularity: shape (n_items,), how many users have the item in training.
        n_trained: users with at least one training item.
    """

    users: NDArray[np.int64]
    items: NDArray[np.int32]
    hits: NDArray[np.bool_]
    held_out: NDArray[np.int64]
    unseen: NDArray[np.int64]
    wanted: NDArray[np.int32]
    places: NDArray[np.int32]
    midranks: NDArray[np.float64]
    popularity: NDArray[np.int64]
    n_trained: int

    @property
    def depth(self) -> int:
        """How many places of each list are kept."""
        return int(self.items.shape[1])

    @property
    def known(self) -> NDArray[np.bool_]:
        """Shape (n_items,): whether any training interaction has the item."""
        return np.asarray(self.popularity > 0)

    @property
    def owners(self) -> NDArray[np.int64]:
        """Like ``wanted``: the index into ``users`` of whose item it is."""
        return np.repeat(np.arange(len(self.users)), self.held_out)

    @property
    def orders(self) -> NDArray[np.int64]:
        """Like ``wanted``: 1 for a user's best placed held-out item, 2 for the next, and so on."""
        before = np.cumsum(self.held_out) - self.held_out
        return np.asarray(np.arange(1, len(self.wanted) + 1) - np.repeat(before, self.held_out))

    def require_depth(self, k: int) -> None:
        """Raise ``InvalidRequest`` unless ``k`` places are kept."""
        if not 1 <= k <= self.depth:
            raise InvalidRequest(
                f"k = {k} asked of a ranking of depth {self.depth}; rank with depth={max(k, 1)}"
            )


def rank(model: Scorer, fold: Fold, *, depth: int = 20, chunk_bytes: int = CHUNK_BYTES) -> Ranking:
    """Rank all items for every user with held-out items; their training items are masked.

    Works through the users in chunks of ``chunk_bytes`` (at least one user each).

    Raises:
        InvalidRequest: ``depth`` is below 1, or a pair of the fold is in both train and test.
        ValidationError: a score is not finite, or the model scored another number of items.
    """
    if depth < 1:
        raise InvalidRequest(f"a ranking needs at least one place; depth is {depth}")
    users = fold.test_users
    n_items = len(fold.train.items)
    items = np.full((len(users), depth), -1, dtype=np.int32)
    placed = [(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0))]
    step = max(1, chunk_bytes // (CELL_BYTES * max(1, n_items)))
    for start in range(0, len(users), step):
        part = users[start : start + step]
        scores = _unseen_scores(model, fold.histories(part))
        best = top_k(scores, depth)
        items[start : start + step, : best.shape[1]] = best
        placed.append(_placed(scores, fold.test[part]))
    wanted, places, midranks = (np.concatenate(column) for column in zip(*placed, strict=True))
    held_out = np.diff(fold.test.indptr)[users].astype(np.int64)
    sizes = np.diff(fold.train.matrix.indptr)
    return Ranking(
        users=users,
        items=items,
        hits=_hits(items.shape, held_out, places),
        held_out=held_out,
        unseen=n_items - sizes[users].astype(np.int64),
        wanted=wanted,
        places=places,
        midranks=midranks,
        popularity=np.bincount(fold.train.matrix.indices, minlength=n_items),
        n_trained=int(np.count_nonzero(sizes)),
    )


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


def _unseen_scores(model: Scorer, histories: Histories) -> NDArray[np.float32]:
    """The model's scores with the items of each history at ``-inf``."""
    matrix = histories.matrix
    scores = model.predict(histories)
    if scores.shape != matrix.shape:
        raise ValidationError(
            f"{type(model).__name__} scored {scores.shape} where {matrix.shape} was asked; "
            "it was fitted on another catalogue: train it on this one"
        )
    wrong = scores.size - int(np.count_nonzero(np.isfinite(scores)))
    if wrong:
        raise ValidationError(
            f"{type(model).__name__} scored {wrong} items NaN or infinite and cannot be ranked; "
            "train it again"
        )
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    scores[rows, matrix.indices] = -np.inf
    return scores


def _placed(
    scores: NDArray[np.float32], held: csr_matrix
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """``wanted``, ``places`` and ``midranks`` of some users.

    One sort of each row answers for all its held-out items; it costs about as much as ``top_k``.
    """
    rows = np.repeat(np.arange(held.shape[0]), np.diff(held.indptr))
    values = scores[rows, held.indices]
    if np.isneginf(values).any():
        raise InvalidRequest(
            f"{int(np.isneginf(values).sum())} pairs of the fold are in both train and test; "
            "make it with Fold.from_frame or a split, which keep them in train only"
        )
    rising = np.sort(scores, axis=-1)
    below, up_to = np.empty_like(rows), np.empty_like(rows)
    for row, (start, stop) in enumerate(pairwise(held.indptr.tolist())):
        below[start:stop] = rising[row].searchsorted(values[start:stop], side="left")
        up_to[start:stop] = rising[row].searchsorted(values[start:stop], side="right")
    above, tied = scores.shape[1] - up_to, up_to - below
    earlier = np.zeros_like(rows)  # of the equal scores, those with a lower index
    for pair in np.flatnonzero(tied > 1):
        row, item = rows[pair], held.indices[pair]
        earlier[pair] = np.count_nonzero(scores[row, :item] == values[pair])
    places = above + earlier + 1
    order = np.lexsort((places, rows))
    midranks = above + (tied + 1) / 2
    return (
        held.indices[order].astype(np.int32),
        places[order].astype(np.int32),
        midranks[order],
    )


def _hits(
    shape: tuple[int, ...], held_out: NDArray[np.int64], places: NDArray[np.int32]
) -> NDArray[np.bool_]:
    hits = np.zeros(shape, dtype=np.bool_)
    owners = np.repeat(np.arange(shape[0]), held_out)
    shown = places <= shape[1]
    hits[owners[shown], places[shown] - 1] = True
    return hits
