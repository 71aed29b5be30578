"""What accuracy hides: how much of the catalogue is shown, to how many, and how alike it is.

Accuracy alone can be won by showing everybody the same few items. Values by user are in the order
of ``Ranking.users``; a list is the first k places, without empty ones. Every test user has at
least one item to be shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flyball.errors import InvalidRequest

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from flyball.recommend.ranking import Ranking

USERS_AT_A_TIME = 2**14
"""Lists whose features are added up together, unless told otherwise."""

Values = NDArray[np.float64]


def exposure(ranking: Ranking, k: int) -> NDArray[np.int64]:
    """Shape (n_items,): in how many lists each item stands.

    Raises:
        InvalidRequest: fewer than ``k`` places are kept.
    """
    ranking.require_depth(k)
    shown = ranking.items[:, :k]
    return np.bincount(shown[shown >= 0], minlength=len(ranking.popularity))


def coverage(ranking: Ranking, k: int) -> float:
    """Coverage@k, in [0, 1]: the share of the items known from training that anyone is shown.

    Distinct known items in any list / items with at least one training interaction; 0 if there are
    none. (Catalogue coverage of Ge, Delgado-Battenfeld and Jannach, "Beyond accuracy", RecSys 2010,
    on the items a model can have learnt.)

    Raises:
        InvalidRequest: fewer than ``k`` places are kept.
    """
    shown = (exposure(ranking, k) > 0) & ranking.known
    return int(shown.sum()) / max(1, int(ranking.known.sum()))


def gini(ranking: Ranking, k: int) -> float:
    """Gini coefficient of exposure over the items known from training, in [0, 1].

    With x_1 <= ... <= x_n the number of lists each of n items stands in:
    sum_j (2 j - n - 1) x_j / ((n - 1) sum_j x_j). 0: all are shown equally often; 1: one item is
    all that is shown. 0 where fewer than two items are known or none is shown. Source: Castells,
    Hurley and Vargas, "Novelty and diversity in recommender systems", Recommender Systems Handbook,
    2nd edition, 2015; the divisor n - 1, not n, makes 1 reachable.

    Raises:
        InvalidRequest: fewer than ``k`` places are kept.
    """
    shown = np.sort(exposure(ranking, k)[ranking.known]).astype(np.float64)
    n, total = len(shown), float(shown.sum())
    if n < 2 or total == 0:
        return 0.0
    weights = 2.0 * np.arange(1, n + 1) - n - 1
    return float(weights @ shown) / ((n - 1) * total)


def average_popularity(ranking: Ranking, k: int) -> Values:
    """Of each user, in [0, 1]: the mean over their list of the share of users who have the item.

    Shares are of the users with at least one training item. (Average recommendation popularity of
    Yin et al., "Challenging the long tail recommendation", VLDB 2012, as a share, so that data sets
    of any size compare.)

    Raises:
        InvalidRequest: fewer than ``k`` places are kept.
    """
    return _list_means(ranking, k, ranking.popularity / max(1, ranking.n_trained))


def novelty(ranking: Ranking, k: int) -> Values:
    """Mean self-information of each user's list, in bits: -log2 of the share of users who have it.

    Source: Zhou et al., "Solving the apparent diversity-accuracy dilemma of recommender systems",
    PNAS 107 (2010). An item that nobody has in training counts as if one user had it.

    Raises:
        InvalidRequest: fewer than ``k`` places are kept.
    """
    shares = np.maximum(1, ranking.popularity) / max(1, ranking.n_trained)
    return _list_means(ranking, k, -np.log2(shares))


def intra_list_diversity(
    ranking: Ranking, k: int, features: csr_matrix, *, chunk: int = USERS_AT_A_TIME
) -> Values:
    """Of each user: the mean over pairs of their list of 1 - cosine of the items' features.

    In [0, 1] for features of at least 0. An item without features is like no other (cosine 0). A
    list of one item has no pair: 0. Source: Smyth and McClave, "Similarity vs. diversity", ICCBR
    2001; cosine as in Ziegler et al., "Improving recommendation lists through topic
    diversification", WWW 2005.

    The pairs are never listed: the squared length of the sum of unit vectors holds them all.

    Args:
        ranking: of n users.
        k: places of each list.
        features: shape (n_items, n_features), sparse or dense, finite.
        chunk: lists whose features are added up together; at least 1.

    Raises:
        InvalidRequest: fewer than ``k`` places are kept, or ``features`` does not fit the items.
    """
    ranking.require_depth(k)
    units = _unit_rows(features, len(ranking.popularity))
    described = np.diff(units.indptr) > 0
    out = np.zeros(len(ranking.users))
    for start in range(0, len(out), chunk):
        shown = ranking.items[start : start + chunk, :k]
        lists = _membership(shown, len(described))
        sums = lists @ units
        alike = np.asarray(sums.multiply(sums).sum(axis=1)).ravel() - lists @ described
        size = np.diff(lists.indptr).astype(np.float64)
        pairs = np.maximum(1.0, size * (size - 1))
        out[start : start + len(shown)] = np.where(size > 1, 1.0 - alike / pairs, 0.0)
    return np.maximum(out, 0.0)  # equal items may come out at -1e-16


def _unit_rows(features: csr_matrix, n_items: int) -> csr_matrix:
    """Float64 rows of length 1; rows of zeros stay empty."""
    from scipy.sparse import csr_matrix, diags_array

    units = csr_matrix(features, dtype=np.float64)
    if units.shape[0] != n_items:
        raise InvalidRequest(
            f"features of {units.shape[0]} items do not fit a ranking of {n_items}; pass one row "
            "for each item of the fold"
        )
    if not np.isfinite(units.data).all():
        raise InvalidRequest("some features are NaN or infinite; correct or drop them")
    lengths = np.sqrt(np.asarray(units.multiply(units).sum(axis=1)).ravel())
    scale = np.divide(1.0, lengths, out=np.zeros(n_items), where=lengths > 0)
    units = csr_matrix(diags_array(scale) @ units)
    units.eliminate_zeros()
    return units


def _membership(shown: NDArray[np.int32], n_items: int) -> csr_matrix:
    """Shape (n, n_items): 1 where the item stands in the list; -1 in ``shown`` is no item."""
    from scipy.sparse import csr_matrix

    filled = shown >= 0
    ends = np.concatenate([[0], np.cumsum(filled.sum(axis=1))])
    columns = shown[filled]
    return csr_matrix((np.ones(len(columns)), columns, ends), shape=(len(shown), n_items))


def _list_means(ranking: Ranking, k: int, values: Values) -> Values:
    """Shape (n,): the mean of the items' ``values`` over each list."""
    ranking.require_depth(k)
    shown = ranking.items[:, :k]
    filled = shown >= 0
    return np.asarray(np.where(filled, values[shown], 0.0).sum(axis=1) / filled.sum(axis=1))
