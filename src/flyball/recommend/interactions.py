"""Who had to do with what, how much and when: what every recommender learns from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from flyball.errors import InvalidRequest, TrainingError
from flyball.recommend.histories import Histories, moved, rows_of

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
        hours: shape (n,), how much; NaN where unknown. None: the frame does not say.
        days: shape (n,), when, in days since 1970-01-01. None: the frame does not say of each row.
    """

    users: NDArray[np.str_]
    items: NDArray[np.str_]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    hours: NDArray[np.float32] | None = None
    days: NDArray[np.float32] | None = None

    @classmethod
    def from_frame(cls, frame: pl.DataFrame) -> Self:
        """Read ``user_id``, ``item_id`` (any type; as text), and ``hours`` and ``day`` if there.

        ``hours`` may be null or not finite: unknown. ``day`` (a date, a time or days since
        1970-01-01) counts where no row is without it.

        Raises:
            TrainingError: a column is missing, an id is null, or hours or days are no numbers.
        """
        missing = [name for name in ("user_id", "item_id") if name not in frame.columns]
        if missing:
            raise TrainingError(
                f"interactions lack {', '.join(missing)} (columns: {', '.join(frame.columns)}); "
                "rename the columns to user_id and item_id"
            )
        users, rows = _encoded(frame["user_id"])
        items, columns = _encoded(frame["item_id"])
        hours = _hours(frame["hours"]) if "hours" in frame.columns else None
        days = _days(frame["day"]) if "day" in frame.columns else None
        return cls(users, items, rows, columns, hours, days)

    def matrix(self, where: NDArray[np.bool_] | None = None) -> csr_matrix:
        """Binary float32 matrix (n_users, n_items) of the rows ``where`` is true (default: all).

        Duplicates collapse. Column indices are sorted within each row.
        """
        return self.interactions(where).matrix

    def interactions(self, where: NDArray[np.bool_] | None = None) -> Interactions:
        """The rows ``where`` is true (default: all); all users and items stay.

        Of a pair with several rows the hours are added and the first day counts.
        """
        chosen = np.arange(len(self.rows)) if where is None else np.flatnonzero(where)
        cells = self.rows[chosen] * len(self.items) + self.columns[chosen]
        order = np.argsort(cells, kind="stable")
        cells, chosen = cells[order], chosen[order]
        starts = np.flatnonzero(np.diff(cells, prepend=-1))
        distinct = cells[starts]
        rows, columns = np.divmod(distinct, max(1, len(self.items)))
        indptr = np.searchsorted(rows, np.arange(len(self.users) + 1))
        ones = np.ones(len(distinct), dtype=np.float32)
        shape = (len(self.users), len(self.items))
        matrix = csr_matrix((ones, columns.astype(np.int32), indptr.astype(np.int32)), shape=shape)
        hours = None if self.hours is None else _added(self.hours[chosen], starts)
        days = None if self.days is None else _earliest(self.days[chosen], starts)
        return Interactions(self.users, self.items, matrix, hours, days)


@dataclass(frozen=True, eq=False, slots=True)
class Interactions:
    """Users by items: 1 where the user had to do with the item, else 0.

    Attributes:
        users: shape (n_users,), ids, sorted; row ``r`` of the matrix is ``users[r]``.
        items: shape (n_items,), ids, sorted; column ``c`` is ``items[c]``. Some may have no
            interaction: they are new, and known by their features alone.
        matrix: float32, shape (n_users, n_items), binary, column indices sorted within each row.
            Not to be written to.
        hours: shape (nnz,), in the order of ``matrix.data``: how much (hours played); NaN where
            unknown. None: unknown of all.
        days: shape (nnz,), when, in days since 1970-01-01. None: unknown.
        features: float32, shape (n_items, n_features): how often each feature (a word of the
            title, a genre, a developer) describes an item. None: unknown.

    Raises:
        InvalidRequest: the parts do not fit each other.
    """

    users: NDArray[np.str_]
    items: NDArray[np.str_]
    matrix: csr_matrix
    hours: NDArray[np.float32] | None = None
    days: NDArray[np.float32] | None = None
    features: csr_matrix | None = None

    def __post_init__(self) -> None:
        if self.matrix.shape != (len(self.users), len(self.items)):
            raise InvalidRequest(
                f"a matrix of shape {self.matrix.shape} does not fit {len(self.users)} users and "
                f"{len(self.items)} items; pass one id for each row and column"
            )
        if self.features is not None and self.features.shape[0] != len(self.items):
            raise InvalidRequest(
                f"features of {self.features.shape[0]} items do not fit {len(self.items)} items"
            )
        self.histories()  # refuses hours and days of another shape

    @classmethod
    def from_frame(cls, frame: pl.DataFrame) -> Self:
        """From columns ``user_id``, ``item_id`` and optionally ``hours`` and ``day``.

        Raises:
            TrainingError: as ``Pairs.from_frame``.
        """
        whole = Pairs.from_frame(frame).interactions()
        return cls(whole.users, whole.items, whole.matrix, whole.hours, whole.days)

    def frame(self) -> pl.DataFrame:
        """Columns ``user_id``, ``item_id``, ``hours`` and ``day``: what ``from_frame`` reads."""
        import polars as pl

        rows = np.repeat(np.arange(len(self.users)), np.diff(self.matrix.indptr))
        return pl.DataFrame(
            {
                "user_id": self.users[rows].tolist(),
                "item_id": self.items[self.matrix.indices].tolist(),
                "hours": self.hours,
                "day": self.days,
            },
            schema={
                "user_id": pl.String,
                "item_id": pl.String,
                "hours": pl.Float32,
                "day": pl.Float32,
            },
        )

    @property
    def counts(self) -> NDArray[np.int64]:
        """Shape (n_items,): users of each item."""
        return np.bincount(self.matrix.indices, minlength=len(self.items))

    @property
    def now(self) -> float | None:
        """The newest day, where days are known."""
        return None if self.days is None or not len(self.days) else float(self.days.max())

    def histories(self, rows: slice | NDArray[np.integer[Any]] | None = None) -> Histories:
        """What these users (default: all) have, asked for now."""
        whole = Histories(self.matrix, self.hours, self.days)
        return whole if rows is None else whole[rows]

    def narrowed(
        self, users: NDArray[np.integer[Any]] | None = None, items: NDArray[np.int64] | None = None
    ) -> Interactions:
        """These users and items alone; both rising indices, default all."""
        ids = self.users if users is None else self.users[users]
        matrix, taken = (
            (self.matrix, np.arange(self.matrix.nnz, dtype=np.int64))
            if users is None
            else rows_of(self.matrix, users)
        )
        columns, features = self.items, self.features
        if items is not None:
            place = np.full(len(self.items), -1, dtype=np.int32)
            place[items] = np.arange(len(items), dtype=np.int32)
            found = place[matrix.indices]
            cells = found >= 0
            ends = np.concatenate([[0], np.cumsum(cells)])[matrix.indptr]
            parts = (matrix.data[cells], found[cells], ends)
            matrix = csr_matrix(parts, shape=(matrix.shape[0], len(items)))
            taken, columns = taken[cells], self.items[items]
            features = None if features is None else features[items]
        return Interactions(
            ids,
            columns,
            matrix,
            None if self.hours is None else self.hours[taken],
            None if self.days is None else self.days[taken],
            features,
        )

    def widened(self, items: Iterable[str]) -> Interactions:
        """With further items, which nobody has and whose features are not known."""
        further = set(items).difference(self.items.tolist())
        if not further:
            return self
        whole = np.array(sorted({*self.items.tolist(), *further}), dtype=np.str_)
        matrix = moved(self.matrix, np.searchsorted(whole, self.items), len(whole))
        return replace(self, items=whole, matrix=matrix, features=None)

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


def _hours(column: pl.Series) -> NDArray[np.float32]:
    """Hours; NaN where they are null, below zero or not finite."""
    if not column.dtype.is_numeric():
        raise TrainingError(f"hours are {column.dtype}, not numbers; cast or drop the column")
    with np.errstate(over="ignore"):  # what is too large is infinite then, and not known
        values = column.cast(float).fill_null(np.nan).to_numpy().astype(np.float32)
    values[~np.isfinite(values) | (values < 0)] = np.nan
    return values


def _days(column: pl.Series) -> NDArray[np.float32] | None:
    """Days since 1970-01-01; None unless every row has one."""
    import polars as pl

    if not len(column) or column.null_count():
        return None
    if column.dtype.is_temporal():
        return column.cast(pl.Date).to_physical().to_numpy().astype(np.float32)
    if not column.dtype.is_numeric():
        raise TrainingError(f"day is {column.dtype}, not a date; cast or drop the column")
    days = column.to_numpy().astype(np.float32)
    return days if np.isfinite(days).all() else None


def _added(hours: NDArray[np.float32], starts: NDArray[np.int64]) -> NDArray[np.float32]:
    """The sum of each run; NaN where nothing of it is known."""
    if not len(starts):
        return np.empty(0, dtype=np.float32)
    known = ~np.isnan(hours)
    sums = np.add.reduceat(np.where(known, hours, 0).astype(np.float64), starts)
    sums[np.add.reduceat(known, starts) == 0] = np.nan
    return sums.astype(np.float32)


def _earliest(days: NDArray[np.float32], starts: NDArray[np.int64]) -> NDArray[np.float32]:
    if not len(starts):
        return np.empty(0, dtype=np.float32)
    return np.asarray(np.minimum.reduceat(days, starts), dtype=np.float32)
