"""Histories as sequences: the items of each user by day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flyball.recommend.histories import Histories

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Sequences:
    """Users' items in order, right-padded.

    Attributes:
        items: int64, shape (n, length); 0 beyond a user's last, where nothing looks.
        lengths: shape (n,), how many items of each are theirs.
        days: float32, the shape of ``items``. None: unknown.
    """

    items: Ints
    lengths: Ints
    days: NDArray[np.float32] | None

    @property
    def inside(self) -> NDArray[np.bool_]:
        """The shape of ``items``: whether a place is a user's, and no padding."""
        return np.asarray(np.arange(self.items.shape[1]) < self.lengths[:, None])


def in_order(histories: Histories, ties: NDArray[np.floating] | None = None) -> Ints:
    """The places of all items, shape (nnz,): user by user, by day; ties by item index.

    Args:
        histories: where days are not known, all are ties.
        ties: shape (nnz,), numbers that order the items of one day instead.
    """
    owners = np.repeat(np.arange(len(histories)), histories.lengths)
    by = histories.matrix.indices if ties is None else ties
    if histories.days is None:
        return np.lexsort((by, owners))
    return np.lexsort((by, histories.days, owners))


def newest(histories: Histories, order: Ints, length: int) -> Sequences:
    """The newest ``length`` items of each user, by the order given."""
    indptr = histories.matrix.indptr.astype(np.int64)
    lengths = np.minimum(histories.lengths, length)
    width = int(lengths.max(initial=0))
    places = (indptr[1:] - lengths)[:, None] + np.arange(width)
    inside = np.arange(width) < lengths[:, None]
    cells = order[np.where(inside, places, 0)] if len(order) else np.zeros_like(places)
    items = np.where(inside, histories.matrix.indices[cells] if len(order) else 0, 0)
    days = None
    if histories.days is not None:
        days = np.where(inside, histories.days[cells] if len(order) else 0, np.float32(0))
    return Sequences(items.astype(np.int64), lengths, days)
