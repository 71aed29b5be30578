"""Leakage: whether what a model is judged by was kept from what it learnt from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flyball.recommend.interactions import Interactions

if TYPE_CHECKING:
    import polars as pl
    from scipy.sparse import csr_matrix

    from flyball.recommend.split import Fold


def shared_pairs(fold: Fold) -> int:
    """Pairs of a user and an item that stand in train and in test."""
    return int(fold.train.matrix.multiply(fold.test).nnz)


def later_rows(fold: Fold) -> int | None:
    """Training rows dated after the last day for which anything is foretold; None: not dated."""
    if fold.as_of is None or fold.train.days is None or not len(fold.as_of):
        return None
    return int((fold.train.days > float(fold.as_of.max())).sum())


def missing_pairs(
    held: Interactions, users: NDArray[np.str_], items: NDArray[np.str_], matrix: csr_matrix
) -> int:
    """Pairs of ``matrix`` (users by items) that ``held`` does not have, by their ids."""
    rows, columns = _place(held.users, users), _place(held.items, items)
    owners = np.repeat(np.arange(len(users)), np.diff(matrix.indptr))
    row, column = rows[owners], columns[matrix.indices]
    width = max(1, len(held.items))
    whose = np.repeat(np.arange(len(held.users)), np.diff(held.matrix.indptr)).astype(np.int64)
    there = whose * width + held.matrix.indices
    found = (row >= 0) & (column >= 0) & np.isin(row * width + column, there)
    return int((~found).sum())


def changed_after(pairs: pl.DataFrame, day: float, *, seed: int) -> pl.DataFrame:
    """The pairs with those after ``day`` changed: other items and other hours, the same days.

    As many pairs of each user on each day as before, so that a split by time cuts at the same day.

    Args:
        pairs: ``user_id``, ``item_id``, ``hours`` and ``day`` (a date); each pair once.
        day: in days since 1970-01-01.
        seed: of the change.
    """
    import polars as pl

    later = pairs["day"].to_physical().to_numpy() > day
    chosen = np.flatnonzero(later)
    users, items = pairs["user_id"].to_list(), pairs["item_id"].to_list()
    others = np.random.default_rng(seed).permutation(chosen)
    taken = set(zip(users, items, strict=True))
    for place, other in zip(chosen.tolist(), others.tolist(), strict=True):
        new = (users[place], pairs["item_id"][other])
        if new not in taken:
            taken.add(new)
            items[place] = new[1]
    hours = pl.when(pl.Series(later)).then(pl.col("hours") * 2 + 1).otherwise(pl.col("hours"))
    typed = hours.cast(pairs.schema["hours"])
    return pairs.with_columns(pl.Series("item_id", items, dtype=pl.String), typed.alias("hours"))


def same_rows(one: Interactions, other: Interactions) -> bool:
    """Whether both have the same users' same items, with the same hours and days."""
    return bool(one.frame().equals(other.frame()))


def _place(ids: NDArray[np.str_], wanted: NDArray[np.str_]) -> NDArray[np.int64]:
    """Where each wanted id stands among the sorted ids; -1: it does not."""
    if not len(ids):
        return np.full(len(wanted), -1, dtype=np.int64)
    found = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return np.where(ids[found] == wanted, found, -1).astype(np.int64)
