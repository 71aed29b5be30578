"""EASE with dropout regularisation: a linear item-item model with a closed form.

Source: Harald Steck, "Autoencoders that don't overfit towards the Identity", NeurIPS 2020 (EDLAE),
after "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019. With X the binary matrix of
users by items, G = X'X, and p the dropout probability:

    Lambda = lambda I + p / (1 - p) diag(G)
    P = (G + Lambda)^-1
    B = I - P / diag(P)        (column i divided by P_ii; the diagonal of B is zero)

The scores of a user are the row x B: the sum of the rows of B of the items in the history.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from flyball.errors import ArtifactCorrupt, TrainingError
from flyball.recommend.arrays import open_array, write_array

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from flyball.ports import Suggest
    from flyball.recommend.interactions import Interactions

BLOCK = 512
"""Rows handled at a time where a whole temporary matrix would double the memory."""

SINGLE_PRECISION_CONDITION = 1e5
"""Above this bound on the condition number the inverse is taken in float64. At the bound, float32
was measured to move entries of B by 2e-5 (largest entry about 1) and no ranking."""


class EaseConfig(BaseModel):
    """The two regularisers of EASE.

    Attributes:
        regularisation: lambda, above 0. More of it trusts rare items less.
        dropout: p, in [0, 1). More of it trusts an item's own popularity less.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    regularisation: float = Field(default=30.0, gt=0.0, allow_inf_nan=False)
    dropout: float = Field(default=0.2, ge=0.0, lt=1.0, allow_inf_nan=False)

    @classmethod
    def suggest(cls, trial: Suggest) -> Self:
        """A configuration proposed by a search: lambda in [1, 2000] on a log scale, p to 0.8."""
        return cls(
            regularisation=trial.suggest_float("regularisation", 1.0, 2000.0, log=True),
            dropout=trial.suggest_float("dropout", 0.0, 0.8),
        )


class Ease:
    """A fitted EASE: one dense matrix of item-to-item weights.

    Args:
        weights: float32, row-major, shape (n_items, n_items). Row j holds what having item j
            adds to the score of each item; the diagonal is zero.
    """

    family: ClassVar[str] = "ease"
    version: ClassVar[int] = 1
    Config: ClassVar[type[EaseConfig]] = EaseConfig
    max_items: ClassVar[int] = 25_000
    """The most items ``fit`` takes: 25,000 need 2.5 GB in float32, 5 GB in float64."""

    def __init__(self, weights: NDArray[np.float32]) -> None:
        self._weights = weights

    @property
    def n_items(self) -> int:
        """How many items it scores."""
        return len(self._weights)

    @classmethod
    def fit(cls, data: Interactions, config: EaseConfig) -> Self:
        """Solve the closed form.

        Peak memory is one dense matrix of float32 (float64 where the problem is badly
        conditioned). The same data, configuration, libraries and BLAS thread count give the same
        bytes.

        Raises:
            TrainingError: the data is empty, not finite or has more than ``max_items`` items, or
                the matrix could not be inverted.
        """
        data.require_trainable()
        matrix = data.matrix
        n_items = matrix.shape[1]
        if n_items > cls.max_items:
            raise TrainingError(
                f"EASE was given {n_items} items and takes at most {cls.max_items}; narrow the "
                "catalogue to its most popular items or choose another model"
            )
        gram = _gram(matrix, dtype=_precision(matrix, config.regularisation))
        diagonal = np.einsum("ii->i", gram)  # a writable view
        diagonal *= 1.0 + config.dropout / (1.0 - config.dropout)
        diagonal += config.regularisation
        return cls(_weights(_inverse(gram, config)))

    def predict(self, histories: csr_matrix) -> NDArray[np.float32]:
        """Scores (n, n_items) of the n rows of ``histories``; a new array."""
        scores: NDArray[np.float32] = histories @ self._weights
        return scores

    def score(self, history: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Scores (n_items,) of one history of distinct items; zeros if it is empty."""
        scores: NDArray[np.float32] = self._weights[history].sum(axis=0)
        return scores

    def contributions(self, history: NDArray[np.integer[Any]], item: int) -> NDArray[np.float32]:
        """Shape (len(history),): the terms whose sum is ``score(history)[item]``."""
        terms: NDArray[np.float32] = self._weights[history, item]
        return terms

    def similar(self, item: int) -> NDArray[np.float32]:
        """Scores (n_items,) for someone who has ``item`` alone; 0 for the item itself."""
        weights: NDArray[np.float32] = self._weights[item].copy()
        return weights

    def save(self, directory: Path) -> None:
        """Write ``weights.npy``.

        Raises:
            StorageUnavailable: the disk refused it.
        """
        write_array(directory, "weights", self._weights)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Open what ``save`` wrote, mapped from disk: processes share one copy in memory.

        Raises:
            ArtifactCorrupt: the file is missing, damaged or not square.
        """
        weights = open_array(directory, "weights", ndim=2)
        if weights.shape[0] != weights.shape[1]:
            raise ArtifactCorrupt(
                f"the weights in {directory} have shape {weights.shape}, expected a square; "
                "restore the artifact or train again"
            )
        return cls(weights)


def _precision(matrix: csr_matrix, regularisation: float) -> type[np.floating[Any]]:
    """float32 where the condition number is surely small enough, else float64.

    The largest eigenvalue of G is at most its largest row sum, and the smallest of G + Lambda is
    at least lambda. Dropout is left out: it only raises the diagonal, and the error of Cholesky
    goes by the matrix scaled to a diagonal of ones (Demmel 1989), which that makes easier.
    """
    row_sums = matrix.T @ (matrix @ np.ones(matrix.shape[1], dtype=np.float64))
    bound = float(row_sums.max()) / regularisation
    return np.float32 if bound <= SINGLE_PRECISION_CONDITION else np.float64


def _gram(matrix: csr_matrix, *, dtype: type[np.floating[Any]]) -> NDArray[Any]:
    """X'X as a dense row-major array, filled a block of rows at a time."""
    n_items = matrix.shape[1]
    transposed = matrix.T.tocsr().astype(dtype)
    typed = matrix.astype(dtype)
    gram = np.empty((n_items, n_items), dtype=dtype)
    for start in range(0, n_items, BLOCK):
        rows = slice(start, start + BLOCK)
        gram[rows] = (transposed[rows] @ typed).toarray()
    return gram


def _inverse(gram: NDArray[Any], config: EaseConfig) -> NDArray[Any]:
    """The inverse of a symmetric positive definite row-major matrix, in its place.

    Cholesky, then the inverse from the factor (LAPACK potrf, potri). The transpose of a row-major
    matrix is the column-major one LAPACK works on in place, and here it is the same matrix.
    """
    from scipy.linalg import get_lapack_funcs

    columns = gram.T
    potrf, potri = get_lapack_funcs(("potrf", "potri"), (columns,))
    factor, failed = potrf(columns, lower=1, clean=0, overwrite_a=1)
    if not failed:
        inverse, failed = potri(factor, lower=1, overwrite_c=1)
    if failed or not np.isfinite(np.diagonal(inverse)).all():
        raise TrainingError(
            f"EASE could not invert its matrix of {len(gram)} items with {config}; "
            "raise the regularisation"
        )
    _mirror(inverse)
    return np.asarray(inverse.T)


def _mirror(lower: NDArray[Any]) -> None:
    """Copy the lower triangle onto the upper one, a block of rows at a time."""
    for start in range(0, len(lower), BLOCK):
        stop = min(start + BLOCK, len(lower))
        square = np.tril(lower[start:stop, start:stop])
        lower[start:stop, start:stop] = square + np.tril(square, -1).T
        lower[start:stop, stop:] = lower[stop:, start:stop].T


def _weights(inverse: NDArray[Any]) -> NDArray[np.float32]:
    """B = I - P / diag(P), written over P where that is float32 already."""
    scale = -1.0 / np.diagonal(inverse)
    weights = inverse
    for start in range(0, len(inverse), BLOCK):
        weights[start : start + BLOCK] *= scale
    np.fill_diagonal(weights, 0.0)
    return weights.astype(np.float32, copy=False)
