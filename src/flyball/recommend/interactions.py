"""Who had to do with what: the sparse matrix every recommender learns from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from flyball.errors import InvalidRequest, TrainingError

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, eq=False, slots=True)
class Pairs:
    """The rows of a frame as indices into sorted ids.

    Attributes:
        users: shape (n_users,), distinct ids, sorted.
        items: shape (n_items,), distinct ids, sorted.
        rows: shape (n,), index into ``users`` of each row of the frame.
        columns: shape (n,), index into ``items`` of each row of the frame.
    """

    users: NDArray[np.str_]
    items: NDArray[np.str_]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]

    @classmethod
    def from_frame(cls, frame: pl.DataFrame) -> Self:
        """Read ``user_id`` and ``item_id`` (any type; as text) and, if there, check ``weight``.

        Raises:
            TrainingError: a column is missing, an id is null, or a weight is not above zero.
        """
        missing = [name for name in ("user_id", "item_id") if name not in frame.columns]
        if missing:
            raise TrainingError(
                f"interactions lack {', '.join(missing)} (columns: {', '.join(frame.columns)}); "
                "rename the columns to user_id and item_id"
            )
        if "weight" in frame.columns:
            _require_positive(frame["weight"])
        users, rows = _encoded(frame["user_id"])
        items, columns = _encoded(frame["item_id"])
        return cls(users, items, rows, columns)

    def matrix(self, where: NDArray[np.bool_] | None = None) -> csr_matrix:
        """Binary float32 matrix (n_users, n_items) of the rows ``where`` is true (default: all).

        Duplicates collapse. Column indices are sorted within each row.
        """
        rows = self.rows if where is None else self.rows[where]
        columns = self.columns if where is None else self.columns[where]
        ones = np.ones(len(rows), dtype=np.float32)
        shape = (len(self.users), len(self.items))
        matrix = csr_matrix((ones, (rows, columns)), shape=shape)
        matrix.data[:] = 1.0  # SciPy adds duplicates up
        return matrix


@dataclass(frozen=True, eq=False, slots=True)
class Interactions:
    """Users by items: 1 where the user had to do with the item, else 0.

    Attributes:
        users: shape (n_users,), ids, sorted; row ``r`` of the matrix is ``users[r]``.
        items: shape (n_items,), ids, sorted; column ``c`` is ``items[c]``.
        matrix: float32, shape (n_users, n_items), binary. Not to be written to.

    Raises:
        InvalidRequest: the ids do not fit the matrix.
    """

    users: NDArray[np.str_]
    items: NDArray[np.str_]
    matrix: csr_matrix

    def __post_init__(self) -> None:
        if self.matrix.shape != (len(self.users), len(self.items)):
            raise InvalidRequest(
                f"a matrix of shape {self.matrix.shape} does not fit {len(self.users)} users and "
                f"{len(self.items)} items; pass one id for each row and column"
            )

    @classmethod
    def from_frame(cls, frame: pl.DataFrame) -> Self:
        """From columns ``user_id``, ``item_id`` and optionally ``weight``.

        Each distinct pair counts once, whatever its weight (which must be finite and above zero).

        Raises:
            TrainingError: a column is missing, an id is null, or a weight is not above zero.
        """
        pairs = Pairs.from_frame(frame)
        return cls(pairs.users, pairs.items, pairs.matrix())

    def require_trainable(self) -> None:
        """Refuse what no model can learn from.

        Raises:
            TrainingError: there is no interaction, or a value is not finite.
        """
        if self.matrix.nnz == 0:
            raise TrainingError(
                f"no interactions to learn from ({len(self.users)} users, {len(self.items)} "
                "items); ingest at least one batch with rows"
            )
        wrong = int(np.count_nonzero(~np.isfinite(self.matrix.data)))
        if wrong:
            raise TrainingError(
                f"{wrong} of {self.matrix.nnz} interactions are not finite numbers; "
                "remove or correct these rows and ingest again"
            )


def _encoded(ids: pl.Series) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """The distinct ids, sorted, and each row's index among them."""
    import polars as pl

    if ids.null_count():
        raise TrainingError(
            f"{ids.null_count()} of {len(ids)} rows have no {ids.name}; "
            "remove or correct these rows and ingest again"
        )
    texts = ids.cast(pl.String)
    distinct = texts.unique().sort()
    codes = texts.cast(pl.Enum(distinct)).to_physical().to_numpy().astype(np.int64)
    return np.array(distinct.to_list(), dtype=np.str_), codes


def _require_positive(weights: pl.Series) -> None:
    """Raise unless every weight is a finite number above zero."""
    if not weights.dtype.is_numeric():
        raise TrainingError(f"weight is {weights.dtype}, not a number; cast it or drop the column")
    values: NDArray[Any] = weights.to_numpy()
    wrong = int(np.count_nonzero(~(np.isfinite(values) & (values > 0))))
    if wrong or weights.null_count():
        raise TrainingError(
            f"{max(wrong, weights.null_count())} of {len(weights)} weights are null, not finite "
            "or not above zero; remove these rows, or drop the weight column to count every row"
        )
