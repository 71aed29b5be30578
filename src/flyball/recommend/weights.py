"""Item-to-item weights: what having one item says of each other one.

Row j holds what item j adds to the score of each item. Two forms: dense, for closed forms on
catalogues that fit memory, and sparse, for neighbourhoods.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import saxpy
from scipy.sparse import csr_matrix

from flyball.errors import ArtifactCorrupt
from flyball.recommend.arrays import open_array, write_array, write_rows

NEARLY_ALL = 0.9
"""Share of the items that a block knows from which on it is stored over all of them."""


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

    def cells(
        self, items: NDArray[np.integer[Any]], columns: NDArray[np.integer[Any]]
    ) -> NDArray[np.float32]:
        """What each item adds to each column; a new array (len(columns), len(items))."""
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
        self._place: NDArray[np.intp] | None = None
        self._missing: NDArray[np.intp] = np.empty(0, dtype=np.intp)
        if columns is not None:
            self._place = np.full(self._n_items, -1, dtype=np.intp)
            self._place[columns] = np.arange(len(columns))
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
        block, total = self.block, np.zeros(len(self.block), dtype=np.float32)
        # in place, and without a copy of the rows: it goes by the speed of memory
        if values is None:
            for row in rows.tolist():
                total = saxpy(block[row], total)
        else:
            for row, factor in zip(rows.tolist(), values.tolist(), strict=True):
                total = saxpy(block[row], total, a=factor)
        return self._spread(total)

    def cells(
        self, items: NDArray[np.integer[Any]], columns: NDArray[np.integer[Any]]
    ) -> NDArray[np.float32]:
        if self._place is None:
            return np.asarray(self.block[items, columns[:, None]])
        rows, places = self._place[items], self._place[columns][:, None]
        known = (rows >= 0) & (places >= 0)
        if known.all():
            return np.asarray(self.block[rows, places])
        found = np.zeros(known.shape, dtype=np.float32)
        down, across = np.nonzero(known)
        found[down, across] = self.block[rows[across], places[down, 0]]
        return found

    def plus(self, other: Weights, factor: float) -> DenseWeights | None:
        if not isinstance(other, DenseWeights) or self.block.shape != other.block.shape:
            return None  # of the same data they know the same items
        return DenseWeights(
            self.block + np.float32(factor) * other.block, self.columns, self._n_items
        )

    def save(self, directory: Path) -> None:
        if self.columns is not None and len(self.columns) >= NEARLY_ALL * self._n_items:
            write_rows(directory, "weights", self._widened(), (self._n_items, self._n_items))
            return
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
            raise misfit(directory, f"the weights have shape {block.shape}, expected a square")
        if not (directory / "columns.npy").exists() and not (directory / "n_items.npy").exists():
            return cls(block)
        columns = open_array(directory, "columns", ndim=1, dtype=np.int32)
        n_items = open_array(directory, "n_items", ndim=1, dtype=np.int64)
        inside = len(columns) == len(block) and len(n_items) == 1 and np.all(np.diff(columns) > 0)
        if not inside or (len(columns) and not 0 <= columns[0] <= columns[-1] < n_items[0]):
            raise misfit(directory, "the columns do not fit the weights")
        return cls(block, columns, int(n_items[0]))

    def _widened(self) -> Iterator[NDArray[np.float32]]:
        """Rows of a block over all items: scores are then added up where they belong."""
        nothing = np.zeros(self._n_items, dtype=np.float32)
        for item in range(self._n_items):
            row = -1 if self._place is None else self._place[item]
            yield nothing if row < 0 else self._spread(self.block[row])

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


def misfit(directory: Path, reason: str) -> ArtifactCorrupt:
    """The error for weights whose files do not fit each other."""
    return ArtifactCorrupt(
        f"the model in {directory} cannot be used: {reason}; restore the artifact or train again"
    )
