"""The closed form of EASE where each item looks at few others: for catalogues of any size.

For each item i, with N its k candidates and G, Lambda as in ``gram.item_weights``:

    B[N, i] = (G + Lambda)[N, N]^-1 G[N, i]          (all other weights of column i are 0)

The candidates are the items with the largest G_ij / sqrt((G_ii + ridge) (G_jj + ridge)). It is the
ridge regression of each item on its neighbours, as SLIM with feature selection (Ning and Karypis,
"SLIM: Sparse linear methods for top-N recommender systems", ICDM 2011), with the regularisers of
EASE in place of its own and a closed form for each item (compare Steck, "Markov random fields for
collaborative filtering", NeurIPS 2019).

Cost: G is read once, a block of rows at a time, ``sum of row length ^ 2`` steps; then one system of
k equations an item. Memory: ``HEAD ^ 2`` numbers, and for each less popular item at most
``KEPT k`` entries of its row of G.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix

from flyball.errors import TrainingError

HEAD = 8192
"""Items, the most popular, among which G is kept whole: 256 MiB."""

KEPT = 8
"""Entries kept of the row of each other item, for each neighbour asked for. At 4 NDCG@10 was
measured to fall by .002 on 5,155 games, at 1 the systems are useless."""

BLOCK_STEPS = 20_000_000
"""Entries of a block of G at most, before those of one place are added up."""


def local_weights(
    matrix: csr_matrix, *, ridge: float, dropout: float, neighbours: int, head: int = HEAD
) -> csr_matrix:
    """B, float32, shape (n_items, n_items), at most ``neighbours`` entries a column.

    Args:
        matrix: X, shape (n, n_items), not negative.
        ridge: above 0.
        dropout: in [0, 1).
        neighbours: k, at least 1.
        head: items among which G is kept whole.

    Raises:
        TrainingError: a system could not be solved.
    """
    n_items = matrix.shape[1]
    cells = matrix.data.astype(np.float64) ** 2
    squares = np.bincount(matrix.indices, weights=cells, minlength=n_items).astype(np.float64)
    order = np.argsort(-squares, kind="stable")
    squares = squares[order]
    known = _read(csr_matrix(matrix[:, order]), squares, ridge, neighbours, min(head, n_items))
    penalty = np.asarray(squares / (1.0 - dropout) + ridge, dtype=np.float64)
    weights = [_solved(known, item, penalty) for item in range(n_items)]
    lengths = [len(part) for part in weights]
    values = np.concatenate([*weights, np.empty(0)]).astype(np.float32)
    rows = order[np.concatenate([*known.candidates, np.empty(0, np.int64)]).astype(np.int64)]
    columns = np.repeat(order, lengths)
    found = csr_matrix((values, (rows, columns)), shape=(n_items, n_items))
    found.sort_indices()
    return found


@dataclass(frozen=True, eq=False, slots=True)
class _Gram:
    """What is kept of G; items by falling popularity.

    Attributes:
        head: float32, shape (h, h), whole.
        tail: float32, shape (n_items - h, n_items), the largest entries of each row.
        candidates: of each item, rising.
        targets: G[candidates, item] of each item.
        columns: X itself.
        place: shape (n_items,), -1; room to work in.
    """

    head: NDArray[np.float32]
    tail: csr_matrix
    candidates: list[NDArray[np.int32]]
    targets: list[NDArray[np.float32]]
    columns: csc_matrix
    place: NDArray[np.int32]


def _read(matrix: csr_matrix, squares: NDArray[np.float64], ridge: float, k: int, h: int) -> _Gram:
    """Go through G once."""
    n_items = matrix.shape[1]
    likeness = (1.0 / np.sqrt(squares + ridge)).astype(np.float32)
    head = np.zeros((h, h), dtype=np.float32)
    candidates, targets = [], []
    tail: list[tuple[NDArray[np.int32], NDArray[np.float32]]] = []
    for item, columns, values in _rows(matrix):
        scaled = values * likeness[columns]
        best = _largest(scaled, k)
        best = best[np.argsort(columns[best])]
        candidates.append(columns[best])
        targets.append(values[best])
        if item < h:
            inside = columns < h
            head[item, columns[inside]] = values[inside]
        else:
            kept = _largest(scaled, KEPT * k)
            tail.append((columns[kept], values[kept]))
    ends = np.cumsum([0, *(len(part[0]) for part in tail)])
    indices = np.concatenate([*(part[0] for part in tail), np.empty(0, np.int32)])
    data = np.concatenate([*(part[1] for part in tail), np.empty(0, np.float32)])
    sparse = csr_matrix((data, indices.astype(np.int32), ends), shape=(n_items - h, n_items))
    place = np.full(n_items, -1, dtype=np.int32)
    return _Gram(head, sparse, candidates, targets, csc_matrix(matrix), place)


def _rows(matrix: csr_matrix) -> Iterator[tuple[int, NDArray[np.int32], NDArray[np.float32]]]:
    """Each row of X'X but for its diagonal: its item, columns (in no order), values above 0."""
    typed = matrix.astype(np.float32)
    transposed = typed.T.tocsr()
    lengths = np.diff(typed.indptr).astype(np.int64)
    steps = np.concatenate([[0], np.cumsum(lengths[transposed.indices])])[transposed.indptr]
    start, n_items = 0, transposed.shape[0]
    while start < n_items:
        stop = int(np.searchsorted(steps, steps[start] + BLOCK_STEPS, side="right")) - 1
        stop = min(max(stop, start + 1), n_items)
        block = csr_matrix(transposed[start:stop] @ typed)
        for row in range(stop - start):
            part = slice(block.indptr[row], block.indptr[row + 1])
            columns, values = block.indices[part], block.data[part]
            others = (columns != start + row) & (values > 0)
            yield start + row, columns[others].astype(np.int32), values[others]
        start = stop


def _largest(values: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Where the ``k`` largest stand, in no order."""
    if len(values) <= k:
        return np.arange(len(values))
    return np.argpartition(-values, k - 1)[:k]


def _solved(known: _Gram, item: int, penalty: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weights of an item's candidates.

    What was left out of G may leave a system without a solution: then that system is made anew,
    from the data.
    """
    near = known.candidates[item]
    if not len(near):
        return np.empty(0)
    solution = _positive(_among(known, near), penalty[near], known.targets[item])
    if solution is None:
        columns = known.columns[:, near].astype(np.float64)
        whole = (columns.T @ columns).toarray()
        solution = _positive(whole, penalty[near], known.targets[item])
    if solution is None:
        raise TrainingError(
            f"could not solve for the {len(near)} neighbours of an item; raise the regularisation"
        )
    return solution


def _positive(
    system: NDArray[np.float64], diagonal: NDArray[np.float64], target: NDArray[np.float32]
) -> NDArray[np.float64] | None:
    """The solution, where the system with this diagonal is positive definite."""
    from scipy.linalg.lapack import dposv

    np.einsum("ii->i", system)[:] = diagonal
    _, solution, failed = dposv(system.T, target, lower=1, overwrite_a=1)
    if failed or not np.isfinite(solution).all():
        return None
    return np.asarray(solution).ravel()


def _among(known: _Gram, near: NDArray[np.int32]) -> NDArray[np.float64]:
    """G[near, near], but for its diagonal."""
    h = len(known.head)
    inside = int(np.searchsorted(near, h))
    system = np.zeros((len(near), len(near)))
    system[:inside, :inside] = known.head[near[:inside, None], near[:inside]]
    if inside < len(near):
        known.place[near] = np.arange(len(near), dtype=np.int32)
        tail = [slice(*known.tail.indptr[row : row + 2]) for row in near[inside:] - h]
        columns = known.place[np.concatenate([known.tail.indices[part] for part in tail])]
        met = np.flatnonzero(columns >= 0)
        ends = np.cumsum([part.stop - part.start for part in tail])
        rows = inside + np.searchsorted(ends, met, side="right")
        values = np.concatenate([known.tail.data[part] for part in tail])
        system[rows, columns[met]] = values[met]
        np.maximum(system, system.T, out=system)
        known.place[near] = -1
    return system
