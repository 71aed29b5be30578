"""The best few of each row of a sparse product, a block of rows at a time.

Item neighbourhoods are such products: items by users times users by items. The whole product can
have as many cells as there are pairs of items; only a block of it ever stands in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

BLOCK_CELLS = 4_000_000
"""The most cells of the product at a time, some 100 MB with their temporaries (one row can be
more: it has up to as many cells as there are items)."""

Finish = Callable[[NDArray[np.float32], NDArray[Any], NDArray[Any]], NDArray[np.float32]]
"""The final values of cells, from their sums, rows and columns."""


def nearest(left: csr_matrix, right: csr_matrix, k: int, finish: Finish) -> csr_matrix:
    """The ``k`` largest positive cells of each row of ``finish(left @ right)``.

    The diagonal never counts. Of equal cells at the edge those of lower column stay.

    Args:
        left: float32, shape (n_items, m).
        right: float32, shape (m, n_items).
        k: at least 1.
        finish: called with the cells of some rows: shapes (n,).

    Returns:
        float32, shape (n_items, n_items), column indices sorted within each row.
    """
    n_items = left.shape[0]
    parts = []
    for start, stop in _blocks(left, right):
        block = csr_matrix(left[start:stop] @ right)
        rows = np.repeat(np.arange(start, stop), np.diff(block.indptr))
        values = finish(block.data, rows, block.indices).astype(np.float32, copy=False)
        values[(rows == block.indices) | ~(values > 0)] = 0.0
        block.data = values
        parts.append(_best(block, k))
    return csr_matrix(vstack(parts, format="csr")) if parts else csr_matrix((n_items, n_items))


def _blocks(left: csr_matrix, right: csr_matrix) -> Iterator[tuple[int, int]]:
    """Ranges of rows with at most ``BLOCK_CELLS`` cells of the product, or of one row.

    A row has no more cells than its sum has terms, and no more than there are columns.
    """
    terms = np.diff(right.indptr)[left.indices].astype(np.int64)
    sums = np.concatenate([[0], np.cumsum(terms)])
    cells = np.minimum(np.diff(sums[left.indptr]), right.shape[1])
    ends = np.cumsum(cells)
    start, n_rows = 0, left.shape[0]
    while start < n_rows:
        done = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + BLOCK_CELLS, side="right")))
        yield start, stop
        start = stop


def _best(block: csr_matrix, k: int) -> csr_matrix:
    """The ``k`` largest cells of each row, those above 0; column indices sorted."""
    lengths = np.diff(block.indptr)
    edges = np.zeros(block.shape[0], dtype=np.float32)
    for row in np.flatnonzero(lengths > k):
        cells = block.data[block.indptr[row] : block.indptr[row + 1]]
        edges[row] = np.partition(cells, len(cells) - k)[len(cells) - k]
    few = _kept(block, (block.data > 0) & (block.data >= np.repeat(edges, lengths)))
    few.sort_indices()
    equal = few.data == np.repeat(edges, np.diff(few.indptr))
    nth = np.cumsum(equal) - np.repeat(_before(equal, few.indptr)[:-1], np.diff(few.indptr))
    room = k - np.diff(_before(~equal, few.indptr))
    return _kept(few, ~equal | (nth <= np.repeat(room, np.diff(few.indptr))))


def _kept(matrix: csr_matrix, cells: NDArray[np.bool_]) -> csr_matrix:
    """The matrix without its other cells."""
    indptr = _before(cells, matrix.indptr)
    return csr_matrix((matrix.data[cells], matrix.indices[cells], indptr), shape=matrix.shape)


def _before(flags: NDArray[np.bool_], indptr: NDArray[Any]) -> NDArray[np.int64]:
    """Shape (n_rows + 1,): how many flags are set before each row."""
    counts: NDArray[np.int64] = np.concatenate([[0], np.cumsum(flags)])
    return np.asarray(counts[indptr])
