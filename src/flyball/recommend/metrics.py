"""Accuracy of full rankings: one value per test user, in the order of ``Ranking.users``.

Relevance is binary: an item was held out or not. ``hit_i`` is 1 where the item at place ``i`` was
held out, ``H`` is how many items of the user were. The mean over users is what papers print; keep
the values, so that two models can be compared user by user (``flyball.stats.bootstrap``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flyball.errors import InvalidRequest

if TYPE_CHECKING:
    from flyball.recommend.ranking import Ranking

Values = NDArray[np.float64]


def dcg(ranking: Ranking, k: int) -> Values:
    """DCG@k of each user: sum over places i = 1..k of hit_i / log2(i + 1).

    Source: Jarvelin and Kekalainen, "Cumulated gain-based evaluation of IR techniques", TOIS 2002,
    with the discount of Burges et al., "Learning to rank using gradient descent", ICML 2005.

    Raises:
        InvalidRequest: fewer than ``k`` places are kept.
    """
    ranking.require_depth(k)
    return np.asarray(ranking.hits[:, :k] @ discounts(k), dtype=np.float64)


def ndcg(ranking: Ranking, k: int) -> Values:
    """NDCG@k of each user, in [0, 1]: DCG@k / that of the ideal list.

    The ideal list has hits at its first min(k, H) places. Source: as ``dcg``.

    Raises:
        InvalidRequest: fewer than ``k`` places are kept.
    """
    ideal = np.cumsum(discounts(k))[np.minimum(k, ranking.held_out) - 1]
    return np.asarray(dcg(ranking, k) / ideal)


def precision(ranking: Ranking, k: int) -> Values:
    """Precision@k of each user, in [0, 1]: hits among the first k / k, however short the list.

    Source: Manning, Raghavan and Schuetze, "Introduction to information retrieval", 2008, 8.4.

    Raises:
        InvalidRequest: fewer than ``k`` places are kept.
    """
    ranking.require_depth(k)
    return np.asarray(ranking.hits[:, :k].sum(axis=1) / k, dtype=np.float64)


def recall(ranking: Ranking, k: int) -> Values:
    """Recall@k of each user, in [0, 1]: hits among the first k / H.

    The divisor is not min(k, H): a user with more than k held-out items cannot reach 1. Source:
    Manning, Raghavan and Schuetze, "Introduction to information retrieval", 2008, 8.3.

    Raises:
        InvalidRequest: fewer than ``k`` places are kept.
    """
    ranking.require_depth(k)
    return np.asarray(ranking.hits[:, :k].sum(axis=1) / ranking.held_out, dtype=np.float64)


def hit_rate(ranking: Ranking, k: int) -> Values:
    """Hit@k of each user: 1 if any of the first k was held out, else 0.

    Source: Deshpande and Karypis, "Item-based top-N recommendation algorithms", TOIS 2004.

    Raises:
        InvalidRequest: fewer than ``k`` places are kept.
    """
    ranking.require_depth(k)
    return np.asarray(ranking.hits[:, :k].any(axis=1), dtype=np.float64)


def reciprocal_rank(ranking: Ranking, k: int | None = None) -> Values:
    """1 / the place of the user's best placed held-out item, in [0, 1]; the mean is MRR.

    Source: Voorhees, "The TREC-8 question answering track report", 1999.

    Args:
        ranking: of any depth.
        k: 0 for users without a hit among the first ``k``; None looks at the full list.

    Raises:
        InvalidRequest: ``k`` is below 1.
    """
    first = ranking.places[ranking.orders == 1]
    return np.asarray(np.where(_within(first, k), 1.0 / first, 0.0))


def average_precision(ranking: Ranking, k: int | None = None) -> Values:
    """Average precision of each user, in [0, 1]; the mean is MAP.

    AP@k = (1 / H) * sum over places i = 1..k of hit_i * hits among the first i / i. The divisor is
    H as in trec_eval (Buckley and Voorhees, "Retrieval system evaluation", in "TREC: experiment
    and evaluation in information retrieval", 2005), not min(k, H).

    Args:
        ranking: of any depth.
        k: None for the full list.

    Raises:
        InvalidRequest: ``k`` is below 1.
    """
    counted = np.where(_within(ranking.places, k), ranking.orders / ranking.places, 0.0)
    return _by_user(ranking, counted) / ranking.held_out


def auc(ranking: Ranking) -> Values:
    """Area under the ROC curve of each user's full list, in [0, 1].

    The chance that a held-out item is scored above an item the user has on neither side, equal
    scores counting one half: 1 - (sum of mid-ranks - H (H + 1) / 2) / (H * others). Source: Hanley
    and McNeil, Radiology 143 (1982); for each user as in Rendle et al., "BPR", UAI 2009. It is 0.5
    where there are no others: nothing could be told apart.
    """
    held, others = ranking.held_out, ranking.unseen - ranking.held_out
    above = _by_user(ranking, ranking.midranks) - held * (held + 1) / 2
    return np.asarray(np.where(others > 0, 1.0 - above / (held * np.maximum(others, 1)), 0.5))


def discounts(k: int) -> Values:
    """Shape (k,): 1 / log2(i + 1) for the places i = 1..k.

    Raises:
        InvalidRequest: ``k`` is below 1.
    """
    _require_place(k)
    return np.asarray(1.0 / np.log2(np.arange(2, k + 2)))


def _within(places: NDArray[np.int32], k: int | None) -> NDArray[np.bool_]:
    if k is None:
        return np.ones(places.shape, dtype=np.bool_)
    _require_place(k)
    return np.asarray(places <= k)


def _require_place(k: int) -> None:
    if k < 1:
        raise InvalidRequest(f"k = {k} is no place in a list; ask for at least 1")


def _by_user(ranking: Ranking, values: Values) -> Values:
    """Shape (n,): the sum over each user's held-out items."""
    sums = np.bincount(ranking.owners, weights=values, minlength=len(ranking.users))
    return sums.astype(np.float64)  # without a user, bincount counts in integers
