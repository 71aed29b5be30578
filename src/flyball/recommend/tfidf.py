"""What describes an item as a vector: TF-IDF, and few dimensions of it.

Deterministic given the library versions and the number of BLAS threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from flyball.errors import TrainingError

if TYPE_CHECKING:
    from flyball.recommend.interactions import Interactions

NOISE = 1e-5
"""Dimensions with a singular value below this share of the largest are rounding errors."""


def described(data: Interactions) -> csr_matrix:
    """The features of the items, where there are any.

    Raises:
        TrainingError: no item has one.
    """
    if data.features is None or not np.any(data.features.data):
        raise TrainingError(
            f"none of the {len(data.items)} items has features (words of a title, genres, tags); "
            "ingest a catalogue, or choose a model that needs none"
        )
    return data.features


def tfidf(features: csr_matrix) -> csr_matrix:
    """Rows of length 1, or 0 for an item without features.

    ``(1 + log count) (1 + log((1 + n) / (1 + n_f)))``, with n the items that have features and n_f
    those that have feature f, then each row over its Euclidean length (Salton and Buckley,
    "Term-weighting approaches in automatic text retrieval", 1988; idf smoothed as if one more item
    had every feature). A feature that one item alone has says nothing of likeness, and is left out
    unless that item has no other.

    Args:
        features: counts, shape (n_items, n_features); finite, from 0; below 1 counts as 1.

    Returns:
        float32, shape (n_items, n_features), column indices sorted within each row.

    Raises:
        TrainingError: a count is below 0 or not finite.
    """
    from sklearn.feature_extraction.text import TfidfTransformer

    counts = csr_matrix(features, dtype=np.float32, copy=True)
    wrong = int(np.count_nonzero(~(np.isfinite(counts.data) & (counts.data >= 0))))
    if wrong:
        raise TrainingError(
            f"{wrong} of {counts.nnz} feature counts are negative or not finite; correct the "
            "catalogue and ingest it again"
        )
    counts.sum_duplicates()
    counts.eliminate_zeros()
    np.maximum(counts.data, 1.0, out=counts.data)
    counts = _shared(counts)
    some = np.flatnonzero(np.diff(counts.indptr))
    weights = counts.copy()
    if len(some):
        rows = TfidfTransformer(sublinear_tf=True).fit(counts[some])
        weights = csr_matrix(rows.transform(counts), dtype=np.float32)
    weights.sort_indices()
    return weights


def embeddings(features: csr_matrix, dim: int) -> NDArray[np.float32]:
    """TF-IDF rows in few dimensions: the cosine of two items is the product of their rows.

    Truncated singular value decomposition T = U S V' (Deerwester et al., "Indexing by latent
    semantic analysis", 1990); rows of U S, scaled to length 1. Randomised with a fixed seed, and
    with signs that do not depend on the order in which LAPACK works.

    Args:
        features: as ``tfidf``.
        dim: dimensions, at least 1; at most the smaller side of ``features`` is used.

    Returns:
        Shape (n_items, d), d <= dim; a row of zeros for an item without features.

    Raises:
        TrainingError: as ``tfidf``.
    """
    from sklearn.utils.extmath import randomized_svd

    rows = tfidf(features)
    d = min(dim, *rows.shape)
    if d < 1 or not rows.nnz:
        return np.zeros((rows.shape[0], max(d, 1)), dtype=np.float32)
    left, singular, _ = randomized_svd(rows, d, n_iter=4, random_state=0)
    left, singular = left.astype(np.float32), singular.astype(np.float32)
    singular[singular < NOISE * singular[0]] = 0.0
    vectors = left * singular
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    described_rows = np.diff(rows.indptr)[:, None] > 0
    usable = described_rows & (lengths > NOISE)
    return np.ascontiguousarray(np.where(usable, vectors / np.maximum(lengths, NOISE), 0.0))


def _shared(counts: csr_matrix) -> csr_matrix:
    """Without what describes one item alone, where that item has something else."""
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    common = np.bincount(counts.indices, minlength=counts.shape[1])[counts.indices] > 1
    others = np.bincount(rows[common], minlength=counts.shape[0]) > 0
    kept = counts.copy()
    kept.data[~common & others[rows]] = 0.0
    kept.eliminate_zeros()
    return kept
