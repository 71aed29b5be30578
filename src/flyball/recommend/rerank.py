"""Lists that are not ten times the same: diversity re-ranking, with one knob."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from flyball.errors import InvalidRequest


def rerank(
    candidates: NDArray[np.integer[Any]],
    relevance: NDArray[np.floating[Any]],
    features: NDArray[np.float32] | csr_matrix,
    *,
    k: int,
    diversity: float,
) -> NDArray[np.int64]:
    """The list of ``k`` candidates that are relevant and unlike each other, best first.

    Maximal marginal relevance (Carbonell and Goldstein, "The use of MMR, diversity-based
    reranking", SIGIR 1998). The first candidate comes first; then, again and again, the one with
    the largest

        (1 - d) r_i / r_max - d max over the j chosen before of cos(f_i, f_j)

    with ``d`` the knob; of equals the one that was ranked better. At 0 that is the plain list, at
    1 relevance only says who comes first. A candidate without features is taken for the mean of
    the others and something of its own: not being described does not make it different. Relevance
    counts relative to the best one's, so the knob means the same to a user of whom little is known.

    MMR or DPP? Measured on steam plays (2,436 users, EASE, 100 candidates, k = 10, TF-IDF of genres
    and tags, intra-list diversity of described items). MMR by knob: NDCG .299 and diversity .744
    at 0; .298 and .780 at 0.2; .294 and .806 at 0.3; .280 and .859 at 0.5. The greedy
    determinantal point process (Chen, Zhang and Zhou, NeurIPS 2018; quality exp(a r)) has, at
    equal diversity, the same NDCG up to .82 (differences below .0005, standard error .0006), and
    .0026 (.0009) more only at .88, where a tenth of the NDCG is gone. So it is the simpler one,
    which shows more of the catalogue, too (679 items at .859 against some 640).

    Dense features are faster: 100 candidates of 64 dimensions take about 0.1 ms, sparse rows five
    times as long.

    Args:
        candidates: shape (n,), distinct rows of ``features``, best first; some 5 to 20 times ``k``.
        relevance: shape (n,), in [0, 1], not rising: calibrated probabilities.
        features: shape (n_items, d), dense or sparse; rows of any length.
        k: at least 0; fewer come back where there are fewer candidates.
        diversity: the knob, in [0, 1].

    Returns:
        Shape (min(k, n),): some of the candidates.

    Raises:
        InvalidRequest: ``k`` or ``diversity`` is out of its range, or the shapes do not fit.
    """
    if not 0.0 <= diversity <= 1.0 or k < 0:
        raise InvalidRequest(
            f"diversity {diversity} must lie in [0, 1] and k = {k} be at least 0; use 0.2 for a "
            "little of it"
        )
    if candidates.shape != relevance.shape or candidates.ndim != 1:
        raise InvalidRequest(
            f"{relevance.shape} relevances for {candidates.shape} candidates; pass one for each"
        )
    if diversity == 0.0 or min(k, len(candidates)) < 2:
        return candidates[:k].astype(np.int64)
    likeness = diversity * _likeness(features[candidates])
    worth = relevance * ((1.0 - diversity) / max(float(relevance[0]), _TINY))
    chosen = [0]
    closest = likeness[0].copy()
    closest[0] = np.inf
    for _ in range(min(k, len(candidates)) - 1):
        best = int((worth - closest).argmax())
        chosen.append(best)
        np.maximum(closest, likeness[best], out=closest)
        closest[best] = np.inf
    return candidates[chosen].astype(np.int64)


_TINY = float(np.finfo(np.float32).tiny)


def _likeness(features: NDArray[np.float32] | csr_matrix) -> NDArray[np.float64]:
    """Cosines (n, n) of the rows; a row of zeros is the mean of the others' directions, plus a
    direction of its own.
    """
    products = features @ features.T
    dense = products if isinstance(products, np.ndarray) else products.toarray()
    table: NDArray[np.float64] = dense.astype(np.float64)
    lengths = np.sqrt(np.diagonal(table))
    empty = lengths == 0.0
    lengths[empty] = 1.0
    table /= lengths
    table /= lengths[:, None]
    if empty.any() and not empty.all():
        mean = table[~empty].mean(axis=0)
        mean[empty] = mean[~empty].mean()
        table[empty] = mean
        table[:, empty] = mean[:, None]
    return table
