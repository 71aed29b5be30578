"""Item-to-item weights of which most are 0: six bytes for each that is not.

Columns are kept in 16 bits. A row is cut where its columns pass a multiple of 65,536, into as many
segments as the catalogue has such blocks; within a segment the low 16 bits tell the column.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from flyball.recommend.arrays import open_array, write_array
from flyball.recommend.weights import Weights, misfit

BITS = 16

CHUNK = 1 << 20
"""Cells that are looked at together: what is not mapped from disk stays small."""


class SparseWeights:
    """Few weights a row.

    Args:
        data: float32, shape (nnz,).
        lows: uint16, shape (nnz,), the low bits of the columns; they rise within a segment.
        ends: int64, shape (n_items * n_blocks + 1,): segment b of row j is the cells from
            ``ends[j * n_blocks + b]`` to before the next.
        n_items: how many there are.
    """

    def __init__(
        self,
        data: NDArray[np.float32],
        lows: NDArray[np.uint16],
        ends: NDArray[np.int64],
        n_items: int,
    ) -> None:
        self._data, self._lows, self._ends, self._n_items = data, lows, ends, n_items
        self._n_blocks = blocks_of(n_items)

    @classmethod
    def of(cls, matrix: csr_matrix) -> Self:
        """From float32 of shape (n_items, n_items), columns sorted within each row."""
        n_items, n_blocks = int(matrix.shape[0]), blocks_of(matrix.shape[0])
        ends = matrix.indptr.astype(np.int64)
        if n_blocks > 1:
            rows = np.repeat(np.arange(n_items), np.diff(matrix.indptr))
            segments = rows * n_blocks + (matrix.indices >> BITS)
            ends = np.searchsorted(segments, np.arange(n_items * n_blocks + 1))
        return cls(matrix.data, matrix.indices.astype(np.uint16), ends, n_items)

    @property
    def n_items(self) -> int:
        return self._n_items

    @cached_property
    def matrix(self) -> csr_matrix:
        """The same as SciPy has it; for whole histories at once, not for a server."""
        sizes = np.diff(self._ends)
        indices = self._lows.astype(np.int32)
        if self._n_blocks > 1:
            blocks = np.tile(np.arange(self._n_blocks, dtype=np.int32) << BITS, self._n_items)
            indices += np.repeat(blocks, sizes)
        parts = (self._data, indices, self._ends[:: self._n_blocks])
        return csr_matrix(parts, shape=(self._n_items, self._n_items))

    def product(self, histories: csr_matrix) -> NDArray[np.float32]:
        dense: NDArray[np.float32] = (histories @ self.matrix).toarray()
        return dense

    def sum(
        self, items: NDArray[np.integer[Any]], values: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        total = np.zeros(self._n_items, dtype=np.float32)
        if not len(items):
            return total
        bounds = self._bounds(items)
        starts, ends = bounds[:, 0], bounds[:, -1]
        rows = list(map(slice, starts.tolist(), ends.tolist()))
        terms = np.concatenate([self._data[row] for row in rows])
        columns = np.concatenate([self._lows[row] for row in rows], dtype=np.int64)
        if self._n_blocks > 1:
            blocks = np.tile(np.arange(self._n_blocks) << BITS, len(items))
            columns += np.repeat(blocks, np.diff(bounds, axis=1).ravel())
        if values is not None:
            terms *= np.repeat(values, ends - starts)
        np.add.at(total, columns, terms)
        return total

    def cells(
        self, items: NDArray[np.integer[Any]], columns: NDArray[np.integer[Any]]
    ) -> NDArray[np.float32]:
        found = np.zeros((len(columns), len(items)), dtype=np.float32)
        if not len(items) or not len(self._data):
            return found
        bounds = self._bounds(items)
        for block in range(self._n_blocks):
            inside = (columns >> BITS == block).nonzero()[0]
            if len(inside):
                found[inside] = self._segments(bounds[:, block : block + 2], columns[inside])
        return found

    def _segments(
        self, bounds: NDArray[np.int64], columns: NDArray[np.integer[Any]]
    ) -> NDArray[np.float32]:
        """The cells (n_columns, n) of columns of one block, in n segments."""
        wanted = columns.astype(np.uint16)  # of the same type, or each segment would be converted
        starts, ends = bounds.T
        cuts = map(slice, starts.tolist(), ends.tolist())
        places = np.array([self._lows[cut].searchsorted(wanted) for cut in cuts]).T + starts
        found: NDArray[np.float32] = self._data.take(places, mode="clip")
        here = self._lows.take(places, mode="clip") == wanted[:, None]
        found[~here | (places >= ends)] = 0.0
        return found

    def _bounds(self, items: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Shape (n, n_blocks + 1): where the segments of each row begin, and where it ends."""
        first = items.astype(np.int64) * self._n_blocks
        bounds: NDArray[np.int64] = self._ends[first[:, None] + np.arange(self._n_blocks + 1)]
        return bounds

    def plus(self, other: Weights, factor: float) -> SparseWeights | None:
        if not isinstance(other, SparseWeights):
            return None
        matrix = csr_matrix(self.matrix + other.matrix * np.float32(factor))
        matrix.sort_indices()
        return SparseWeights.of(matrix)

    def save(self, directory: Path) -> None:
        write_array(directory, "data", self._data)
        write_array(directory, "lows", self._lows)
        write_array(directory, "ends", self._ends)
        write_array(directory, "n_items", np.array([self._n_items], dtype=np.int64))

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Open what ``save`` wrote, mapped from disk.

        Raises:
            ArtifactCorrupt: a file is missing or damaged, or they do not fit each other.
        """
        data = open_array(directory, "data", ndim=1)
        lows = open_array(directory, "lows", ndim=1, dtype=np.uint16)
        ends = open_array(directory, "ends", ndim=1, dtype=np.int64)
        n_items = open_array(directory, "n_items", ndim=1, dtype=np.int64)
        if len(n_items) != 1 or not _fit(data, lows, ends, int(n_items[0])):
            raise misfit(directory, "the parts of the sparse weights do not fit each other")
        return cls(data, lows, ends, int(n_items[0]))


def blocks_of(n_items: int) -> int:
    """How many blocks of 65,536 columns there are, one at least."""
    return max(1, -(-n_items >> BITS))


def _fit(
    data: NDArray[np.float32], lows: NDArray[np.uint16], ends: NDArray[np.int64], n_items: int
) -> bool:
    """Whether the segments are in place, and columns rise within each up to the last item."""
    n_blocks = blocks_of(n_items)
    if n_items < 0 or len(ends) != n_items * n_blocks + 1 or ends[0] != 0:
        return False
    if (np.diff(ends) < 0).any() or not ends[-1] == len(data) == len(lows):
        return False
    for start in range(0, len(lows), CHUNK):
        part = lows[start : start + CHUNK + 1]
        falls = np.flatnonzero(part[1:] <= part[:-1]) + (start + 1)
        if not np.array_equal(ends[ends.searchsorted(falls)], falls):  # only where one begins
            return False
    starts, stops = ends[:-1][n_blocks - 1 :: n_blocks], ends[1:][n_blocks - 1 :: n_blocks]
    last = lows[stops[stops > starts] - 1].astype(np.int64) + ((n_blocks - 1) << BITS)
    return bool((last < n_items).all())
