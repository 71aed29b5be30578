"""Dense linear algebra of the closed forms: the Gram matrix, its inverse, and weights from that.

All of it works within the memory of one dense matrix and a few blocks of rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from flyball.errors import TrainingError

BLOCK = 512
"""Rows handled at a time where a whole temporary matrix would double the memory."""

SINGLE_PRECISION_CONDITION = 1e5
"""Above this bound on the condition number the inverse is taken in float64. At the bound, float32
was measured to move entries of B by 2e-5 (largest entry about 1) and no ranking."""


def item_weights(matrix: csr_matrix, *, ridge: float, dropout: float) -> NDArray[np.float32]:
    """The closed form of EASE with dropout: B = I - P / diag(P), with P = (G + Lambda)^-1.

    G = X'X and Lambda = ridge I + dropout / (1 - dropout) diag(G); column i is divided by P_ii,
    and the diagonal of B is zero (Steck, "Autoencoders that don't overfit towards the Identity",
    NeurIPS 2020). Peak memory is one dense matrix, of float32 unless the problem is badly
    conditioned. The same input, libraries and BLAS thread count give the same bytes.

    Args:
        matrix: X, shape (n, n_items), not negative.
        ridge: above 0.
        dropout: in [0, 1).

    Returns:
        Shape (n_items, n_items), row-major.

    Raises:
        TrainingError: the matrix could not be inverted.
    """
    dense = gram(matrix, dtype=precision(matrix, ridge))
    diagonal = np.einsum("ii->i", dense)  # a writable view
    diagonal *= 1.0 + dropout / (1.0 - dropout)
    diagonal += ridge
    return _weights(inverse(dense))


def precision(matrix: csr_matrix, ridge: float) -> type[np.floating[Any]]:
    """float32 where the condition number is surely small enough, else float64.

    The largest eigenvalue of G is at most its largest row sum, and the smallest of G + Lambda is
    at least the ridge. Dropout is left out: it only raises the diagonal, and the error of Cholesky
    goes by the matrix scaled to a diagonal of ones (Demmel 1989), which that makes easier.
    """
    row_sums = matrix.T @ (matrix @ np.ones(matrix.shape[1], dtype=np.float64))
    bound = float(row_sums.max()) / ridge
    return np.float32 if bound <= SINGLE_PRECISION_CONDITION else np.float64


def gram(matrix: csr_matrix, *, dtype: type[np.floating[Any]]) -> NDArray[Any]:
    """X'X as a dense row-major array, filled a block of rows at a time."""
    n_items = matrix.shape[1]
    transposed = matrix.T.tocsr().astype(dtype)
    typed = matrix.astype(dtype)
    dense = np.empty((n_items, n_items), dtype=dtype)
    for start in range(0, n_items, BLOCK):
        rows = slice(start, start + BLOCK)
        dense[rows] = (transposed[rows] @ typed).toarray()
    return dense


def inverse(symmetric: NDArray[Any]) -> NDArray[Any]:
    """The inverse of a symmetric positive definite row-major matrix, in its place.

    Cholesky, then the inverse from the factor (LAPACK potrf, potri). The transpose of a row-major
    matrix is the column-major one LAPACK works on in place, and here it is the same matrix.

    Raises:
        TrainingError: there is no inverse in this precision.
    """
    from scipy.linalg import get_lapack_funcs

    columns = symmetric.T
    potrf, potri = get_lapack_funcs(("potrf", "potri"), (columns,))
    factor, failed = potrf(columns, lower=1, clean=0, overwrite_a=1)
    if not failed:
        inverted, failed = potri(factor, lower=1, overwrite_c=1)
    if failed or not np.isfinite(np.diagonal(inverted)).all():
        raise TrainingError(
            f"could not invert the matrix of {len(symmetric)} items; raise the regularisation"
        )
    _mirror(inverted)
    return np.asarray(inverted.T)


def _mirror(lower: NDArray[Any]) -> None:
    """Copy the lower triangle onto the upper one, a block of rows at a time."""
    for start in range(0, len(lower), BLOCK):
        stop = min(start + BLOCK, len(lower))
        square = np.tril(lower[start:stop, start:stop])
        lower[start:stop, start:stop] = square + np.tril(square, -1).T
        lower[start:stop, stop:] = lower[stop:, start:stop].T


def _weights(inverted: NDArray[Any]) -> NDArray[np.float32]:
    """B = I - P / diag(P), written over P where that is float32 already."""
    scale = -1.0 / np.diagonal(inverted)
    weights = inverted
    for start in range(0, len(inverted), BLOCK):
        weights[start : start + BLOCK] *= scale
    np.fill_diagonal(weights, 0.0)
    return weights.astype(np.float32, copy=False)
