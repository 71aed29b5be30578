"""Item-to-item weights: what having one item says of each other one.

Row j holds what item j adds to the score of each item. Two forms: dense, for closed forms on
catalogues that fit memory, and sparse, for neighbourhoods.
"""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import saxpy
from scipy.sparse import csr_matrix

from flyball.errors import ArtifactCorrupt
from flyball.recommend.arrays import open_array, write_array

MANY = 50
"""Items from which it is quicker to look into all their rows at once than into one by one."""


class Weights(Protocol):
    """A matrix (n_items, n_items) of float32."""

    @property
    def n_items(self) -> int:
        """Its size."""
        ...

    def product(self, histories: csr_matrix) -> NDArray[np.float32]:
        """``histories`` (n, n_items) times the matrix; a new dense array."""
        ...

    def sum(
        self, items: NDArray[np.integer[Any]], values: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Rows of these items times ``values`` (None: ones), added up; a new array (n_items,)."""
        ...

    def column(self, items: NDArray[np.integer[Any]], item: int) -> NDArray[np.float32]:
        """Shape (len(items),): what each of ``items`` adds to ``item``."""
        ...

    def plus(self, other: Weights, factor: float) -> Weights | None:
        """This and ``factor`` times the other; None where they are of two forms."""
        ...

    def save(self, directory: Path) -> None:
        """Write it as ``.npy`` files."""
        ...


class DenseWeights:
    """A dense block over the items that training knows; 0 for all others.

    Args:
        block: float32, row-major, shape (m, m).
        columns: rising, shape (m,): the item of each row and column of the block. None: all.
        n_items: default m.
    """

    def __init__(
        self,
        block: NDArray[np.float32],
        columns: NDArray[np.int32] | None = None,
        n_items: int | None = None,
    ) -> None:
        self.block = block
        self.columns = columns
        self._n_items = len(block) if n_items is None else n_items
        self._place: NDArray[np.int32] | None = None
        self._missing: NDArray[np.intp] = np.empty(0, dtype=np.intp)
        if columns is not None:
            self._place = np.full(self._n_items, -1, dtype=np.int32)
            self._place[columns] = np.arange(len(columns), dtype=np.int32)
            self._missing = np.flatnonzero(self._place < 0)

    @property
    def n_items(self) -> int:
        return self._n_items

    def product(self, histories: csr_matrix) -> NDArray[np.float32]:
        inner = histories if self.columns is None else csr_matrix(histories[:, self.columns])
        return self._spread(inner @ self.block)

    def sum(
        self, items: NDArray[np.integer[Any]], values: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        rows, values = self._rows(items, values)
        factors = [1.0] * len(rows) if values is None else values.tolist()
        total = np.zeros(len(self.block), dtype=np.float32)
        for row, factor in zip(rows.tolist(), factors, strict=True):
            # in place, and without a copy of the rows: it goes by the speed of memory
            total = saxpy(self.block[row], total, a=factor)
        return self._spread(total)

    def column(self, items: NDArray[np.integer[Any]], item: int) -> NDArray[np.float32]:
        if self._place is None:
            return np.asarray(self.block[items, item])
        found = np.zeros(len(items), dtype=np.float32)
        rows, column = self._place[items], self._place[item]
        if column >= 0:
            known = rows >= 0
            found[known] = self.block[rows[known], column]
        return found

    def plus(self, other: Weights, factor: float) -> DenseWeights | None:
        if not isinstance(other, DenseWeights) or self.block.shape != other.block.shape:
            return None  # of the same data they know the same items
        return DenseWeights(
            self.block + np.float32(factor) * other.block, self.columns, self._n_items
        )

    def save(self, directory: Path) -> None:
        write_array(directory, "weights", self.block)
        if self.columns is not None:
            write_array(directory, "columns", self.columns)
            write_array(directory, "n_items", np.array([self._n_items], dtype=np.int64))

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Open what ``save`` wrote, mapped from disk: processes share one copy in memory.

        Raises:
            ArtifactCorrupt: a file is missing or damaged, or they do not fit each other.
        """
        block = open_array(directory, "weights", ndim=2)
        if block.shape[0] != block.shape[1]:
            raise _misfit(directory, f"the weights have shape {block.shape}, expected a square")
        if not (directory / "columns.npy").exists() and not (directory / "n_items.npy").exists():
            return cls(block)
        columns = open_array(directory, "columns", ndim=1, dtype=np.int32)
        n_items = open_array(directory, "n_items", ndim=1, dtype=np.int64)
        inside = len(columns) == len(block) and len(n_items) == 1 and np.all(np.diff(columns) > 0)
        if not inside or (len(columns) and not 0 <= columns[0] <= columns[-1] < n_items[0]):
            raise _misfit(directory, "the columns do not fit the weights")
        return cls(block, columns, int(n_items[0]))

    def _rows(
        self, items: NDArray[np.integer[Any]], values: NDArray[np.float32] | None
    ) -> tuple[NDArray[np.integer[Any]], NDArray[np.float32] | None]:
        if self._place is None:
            return items, values
        rows = self._place[items]
        known = rows >= 0
        return rows[known], None if values is None else values[known]

    def _spread(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """From the columns of the block to all items."""
        if self._place is None:
            return scores
        if not len(self.block):
            return np.zeros((*scores.shape[:-1], self._n_items), dtype=np.float32)
        # gathering is many times quicker than scattering; -1 takes any column, to be overwritten
        whole = scores.take(self._place, axis=-1, mode="wrap")
        whole[..., self._missing] = 0.0
        return whole


class SparseWeights:
    """Few weights a row.

    Args:
        matrix: float32, shape (n_items, n_items), column indices sorted within each row.
    """

    def __init__(self, matrix: csr_matrix) -> None:
        self.matrix = matrix

    @property
    def n_items(self) -> int:
        return int(self.matrix.shape[0])

    def product(self, histories: csr_matrix) -> NDArray[np.float32]:
        dense: NDArray[np.float32] = (histories @ self.matrix).toarray()
        return dense

    def sum(
        self, items: NDArray[np.integer[Any]], values: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        rows = items.astype(np.int64)
        starts = self.matrix.indptr[rows].astype(np.int64)
        lengths = self.matrix.indptr[rows + 1] - starts
        ends = np.cumsum(lengths)
        taken = np.arange(ends[-1] if len(ends) else 0)  # the cells of all these rows
        taken += np.repeat(starts - (ends - lengths), lengths)
        terms = self.matrix.data[taken]
        if values is not None:
            terms *= np.repeat(values, lengths)
        scores = np.bincount(self.matrix.indices[taken], weights=terms, minlength=self.n_items)
        return scores.astype(np.float32)

    def column(self, items: NDArray[np.integer[Any]], item: int) -> NDArray[np.float32]:
        if len(items) > MANY:
            return self._column_of_many(items, item)
        found = np.zeros(len(items), dtype=np.float32)
        rows, indices = items.astype(np.int64), self.matrix.indices
        starts, stops = (self.matrix.indptr[each].tolist() for each in (rows, rows + 1))
        for place, (start, stop) in enumerate(zip(starts, stops, strict=True)):
            at = bisect_left(indices, item, start, stop)
            if at < stop and indices[at] == item:
                found[place] = self.matrix.data[at]
        return found

    def _column_of_many(self, items: NDArray[np.integer[Any]], item: int) -> NDArray[np.float32]:
        """The same, halving the search of all rows together."""
        indices, rows = self.matrix.indices, items.astype(np.int64)
        low = self.matrix.indptr[rows].astype(np.int64)
        stop = self.matrix.indptr[rows + 1].astype(np.int64)
        high = stop.copy()
        while (searched := np.flatnonzero(low < high)).size:
            middle = (low[searched] + high[searched]) // 2
            below = indices[middle] < item
            low[searched[below]] = middle[below] + 1
            high[searched[~below]] = middle[~below]
        places = np.flatnonzero(low < stop)
        places = places[indices[low[places]] == item]
        found = np.zeros(len(items), dtype=np.float32)
        found[places] = self.matrix.data[low[places]]
        return found

    def plus(self, other: Weights, factor: float) -> SparseWeights | None:
        if not isinstance(other, SparseWeights):
            return None
        matrix = csr_matrix(self.matrix + other.matrix * np.float32(factor))
        matrix.sort_indices()
        return SparseWeights(matrix)

    def save(self, directory: Path) -> None:
        write_array(directory, "data", self.matrix.data)
        write_array(directory, "indices", self.matrix.indices.astype(np.int32))
        write_array(directory, "indptr", self.matrix.indptr.astype(np.int64))

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Open what ``save`` wrote, mapped from disk.

        Raises:
            ArtifactCorrupt: a file is missing or damaged, or they do not fit each other.
        """
        data = open_array(directory, "data", ndim=1)
        indices = open_array(directory, "indices", ndim=1, dtype=np.int32)
        indptr = open_array(directory, "indptr", ndim=1, dtype=np.int64)
        n_items = len(indptr) - 1
        if (
            n_items < 0
            or indptr[0] != 0
            or np.any(np.diff(indptr) < 0)
            or not indptr[-1] == len(data) == len(indices)
            or (len(indices) and not 0 <= indices.min() <= indices.max() < n_items)
            or not _sorted_within(indices, indptr)
        ):
            raise _misfit(directory, "the parts of the sparse weights do not fit each other")
        return cls(csr_matrix((data, indices, indptr), shape=(n_items, n_items)))


def _sorted_within(indices: NDArray[np.int32], indptr: NDArray[np.int64]) -> bool:
    """Whether the columns rise strictly within each row; ``column`` looks them up by that."""
    falls = np.diff(indices) <= 0
    starts = indptr[1:-1]
    falls[starts[(starts > 0) & (starts < len(indices))] - 1] = False
    return not falls.any()


def _misfit(directory: Path, reason: str) -> ArtifactCorrupt:
    return ArtifactCorrupt(
        f"the model in {directory} cannot be used: {reason}; restore the artifact or train again"
    )
