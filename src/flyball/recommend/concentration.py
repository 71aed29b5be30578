"""On what the places of all lists are spent: popular items, the long tail, single owners.

See ``beyond`` for coverage, the Gini coefficient and average popularity. Shares are in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flyball.errors import InvalidRequest
from flyball.recommend.beyond import exposure

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from flyball.recommend.ranking import Ranking

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Exposure:
    """How much of what is shown belongs to one owner (a publisher, a label, a seller).

    Attributes:
        owner: whose.
        items: how many of the known items.
        shown: their share of all places.
        had: their share of all training interactions.
        ratio: ``shown / had``; None where nobody has any of them.
    """

    owner: str
    items: int
    shown: float
    had: float
    ratio: float | None


def long_tail(counts: NDArray[np.int64], share: float = 0.2) -> NDArray[np.bool_]:
    """Shape (n_items,): the least popular items, which together have ``share`` of the interactions.

    Items that nobody has belong to it. (The rest is the short head that gathers 80%: Anderson, "The
    long tail", 2006; Abdollahpouri, Burke and Mobasher, "Managing popularity bias in recommender
    systems with personalized re-ranking", FLAIRS 2019.)
    """
    order = np.argsort(counts, kind="stable")
    tail = np.zeros(len(counts), dtype=np.bool_)
    tail[order] = np.cumsum(counts[order]) <= share * counts.sum()
    return tail


def shown_share(ranking: Ranking, mask: NDArray[np.bool_], k: int) -> float:
    """The share of the places of all lists that the masked items take; 0 where there are none.

    Raises:
        InvalidRequest: fewer than ``k`` places are kept.
    """
    shown = exposure(ranking, k)
    return float(shown[mask].sum() / max(1, shown.sum()))


def top_share(ranking: Ranking, k: int, n: int = 10) -> float:
    """The share of the places that the ``n`` most shown items take.

    Raises:
        InvalidRequest: fewer than ``k`` places are kept.
    """
    shown = exposure(ranking, k)
    return float(np.sort(shown)[-n:].sum() / max(1, shown.sum()))


def popularity_had(ranking: Ranking, train: csr_matrix) -> Values:
    """Of each user of the ranking: the mean over what they have of the share of users who have it.

    What ``beyond.average_popularity`` says of their list. (The ratio of both is the popularity lift
    of Jannach et al., "What recommenders recommend", UMUAI 25, 2015.)
    """
    shares = ranking.popularity / max(1, ranking.n_trained)
    rows = train[ranking.users]
    lengths = np.maximum(1, np.diff(rows.indptr))
    return np.asarray((rows @ shares) / lengths, dtype=np.float64)


def by_owner(ranking: Ranking, owners: Sequence[str | None], k: int) -> list[Exposure]:
    """Exposure of each owner, the most shown first (ties by name); None is no owner.

    Raises:
        InvalidRequest: fewer than ``k`` places are kept, or there is not one owner an item.
    """
    if len(owners) != len(ranking.popularity):
        raise InvalidRequest(
            f"{len(owners)} owners do not fit a ranking of {len(ranking.popularity)} items"
        )
    texts = np.array([owner or "" for owner in owners], dtype=np.str_)
    names, codes = np.unique(texts, return_inverse=True)
    known = np.bincount(codes[ranking.known], minlength=len(names))
    shown = np.bincount(codes, weights=exposure(ranking, k), minlength=len(names))
    had = np.bincount(codes, weights=ranking.popularity, minlength=len(names))
    shown, had = shown / max(1.0, shown.sum()), had / max(1.0, had.sum())
    found = [
        Exposure(
            owner=str(name),
            items=int(known[place]),
            shown=float(shown[place]),
            had=float(had[place]),
            ratio=float(shown[place] / had[place]) if had[place] else None,
        )
        for place, name in enumerate(names)
        if name
    ]
    return sorted(found, key=lambda one: (-one.shown, one.owner))
