"""What players had to do with so far: the questions that a recommender answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from flyball.errors import InvalidRequest


@dataclass(eq=False, slots=True)
class History:
    """One user's items, for the hot path (so it is not frozen); not changed once made.

    Attributes:
        items: shape (n,), distinct item indices, in any order.
        hours: shape (n,), how much of each; NaN where unknown. None: unknown of all.
        days: shape (n,), when, in days since 1970-01-01. None: unknown of all.
        as_of: the day for which recommendations are asked; None: now.
        counts: what its items count, by the model that found out: one that is asked for scores is
            asked for their reasons next.
    """

    items: NDArray[np.integer[Any]]
    hours: NDArray[np.float32] | None = None
    days: NDArray[np.float32] | None = None
    as_of: float | None = None
    counts: dict[object, NDArray[np.float32] | None] = field(
        default_factory=dict, init=False, repr=False
    )

    def __len__(self) -> int:
        return len(self.items)

    def without(self, place: int) -> Self:
        """The history without the item at one place."""
        return type(self)(
            np.delete(self.items, place),
            None if self.hours is None else np.delete(self.hours, place),
            None if self.days is None else np.delete(self.days, place),
            self.as_of,
        )


@dataclass(frozen=True, eq=False, slots=True)
class Histories:
    """Many of them.

    Attributes:
        matrix: float32, shape (n, n_items), binary, column indices sorted within each row.
        hours, days: shape (nnz,), as of ``History``, in the order of ``matrix.data``.
        as_of: shape (n,), as of ``History``; None: now for all.

    Raises:
        InvalidRequest: the shapes do not fit each other.
    """

    matrix: csr_matrix
    hours: NDArray[np.float32] | None = None
    days: NDArray[np.float32] | None = None
    as_of: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        for name, values, size in (
            ("hours", self.hours, self.matrix.nnz),
            ("days", self.days, self.matrix.nnz),
            ("as_of", self.as_of, self.matrix.shape[0]),
        ):
            if values is not None and values.shape != (size,):
                raise InvalidRequest(
                    f"{name} of shape {values.shape} do not fit histories that need ({size},)"
                )

    def __len__(self) -> int:
        return int(self.matrix.shape[0])

    @property
    def n_items(self) -> int:
        """How many items there are to recommend."""
        return int(self.matrix.shape[1])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Shape (n,): how many items each has."""
        return np.asarray(np.diff(self.matrix.indptr), dtype=np.int64)

    def __getitem__(self, rows: slice | NDArray[np.integer[Any]]) -> Histories:
        """Some of them, in the order asked for."""
        matrix, taken = rows_of(self.matrix, rows)
        return Histories(
            matrix,
            None if self.hours is None else self.hours[taken],
            None if self.days is None else self.days[taken],
            None if self.as_of is None else self.as_of[rows],
        )

    def one(self, row: int) -> History:
        """One of them."""
        part = slice(self.matrix.indptr[row], self.matrix.indptr[row + 1])
        return History(
            self.matrix.indices[part],
            None if self.hours is None else self.hours[part],
            None if self.days is None else self.days[part],
            None if self.as_of is None else float(self.as_of[row]),
        )

    def kept(self, cells: NDArray[np.bool_]) -> Histories:
        """Each without some of its items; ``cells`` has shape (nnz,), true for what stays."""
        indptr = np.concatenate([[0], np.cumsum(cells)])[self.matrix.indptr]
        parts = (self.matrix.data[cells], self.matrix.indices[cells], indptr)
        return Histories(
            csr_matrix(parts, shape=self.matrix.shape),
            None if self.hours is None else self.hours[cells],
            None if self.days is None else self.days[cells],
            self.as_of,
        )

    @classmethod
    def of(cls, histories: Sequence[History], n_items: int) -> Self:
        """From single ones. Hours, days and days asked for stay where every history has them."""
        orders = [np.argsort(history.items, kind="stable") for history in histories]
        lengths = [len(history) for history in histories]
        indices = _joined([h.items[o] for h, o in zip(histories, orders, strict=True)], np.int32)
        indptr = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        ones = np.ones(len(indices), dtype=np.float32)
        optional: dict[str, NDArray[np.float32] | None] = {}
        for name in ("hours", "days"):
            parts = [getattr(history, name) for history in histories]
            whole = all(part is not None for part in parts)
            optional[name] = (
                _joined([p[o] for p, o in zip(parts, orders, strict=True)], np.float32)
                if whole
                else None
            )
        asked = [history.as_of for history in histories]
        as_of = None if None in asked else np.array(asked, dtype=np.float32)
        matrix = csr_matrix((ones, indices, indptr), shape=(len(histories), n_items))
        return cls(matrix, optional["hours"], optional["days"], as_of)


def rows_of(
    matrix: csr_matrix, rows: slice | NDArray[np.integer[Any]]
) -> tuple[csr_matrix, NDArray[np.int64]]:
    """Some rows of a sparse matrix, and where their cells stood in its ``data``."""
    starts, stops = matrix.indptr[:-1][rows], matrix.indptr[1:][rows]
    if isinstance(rows, slice) and rows.step in (None, 1) and len(starts):
        taken = np.arange(starts[0], stops[-1], dtype=np.int64)
    else:
        lengths = (stops - starts).astype(np.int64)
        ends = np.cumsum(lengths)
        shift = np.repeat(starts.astype(np.int64) - (ends - lengths), lengths)
        taken = np.arange(lengths.sum(), dtype=np.int64) + shift
    indptr = np.concatenate([[0], np.cumsum(stops - starts)])
    parts = (matrix.data[taken], matrix.indices[taken], indptr)
    return csr_matrix(parts, shape=(len(starts), matrix.shape[1])), taken


def moved(matrix: csr_matrix, place: NDArray[np.integer[Any]], n_items: int) -> csr_matrix:
    """The columns of a sparse matrix at rising places of a wider one."""
    parts = (matrix.data, place[matrix.indices].astype(np.int32), matrix.indptr)
    return csr_matrix(parts, shape=(matrix.shape[0], n_items))


def _joined(parts: Sequence[NDArray[Any]], dtype: type[np.generic]) -> NDArray[Any]:
    return np.concatenate([*parts, np.empty(0)]).astype(dtype)
