"""One way from a question to a list: recommending and explaining why not both go it.

scores -> barriers (owned, hidden, filtered out, below the least score) -> boosts -> diversity ->
pins -> the best k. All that may not be answered goes before the list is cut, so a list is full
where there are games to fill it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from flyball.errors import DeploymentError
from flyball.games.top import OUT, top, tops
from flyball.recommend.rerank import rerank
from flyball.recommend.rules import Ruled

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from flyball.games.business_rules import GameRules, RulesHere
    from flyball.games.messages import Filters
    from flyball.stats.probability import Calibration

POOL, SMALLEST_POOL, LARGEST_POOL = 10, 50, 500
"""Candidates that diversity chooses from: so many times ``k``, within these bounds."""


NO_OVERLAY: Mapping[str, frozenset[str]] = MappingProxyType({})


class Wishes(TypedDict, total=False):
    """What holds for one answer, beside the player, ``k`` and the filters.

    Attributes:
        min_score: the least calibrated score an answered game has.
        diversity: in [0, 1]; None: as the rules say, 0 without rules.
        overlay: the player's game ids by event type, newer than the artifact.
        rules: what the shop wants.
        now: for rules that hold for a time, with its time zone; without it they do not hold.
    """

    min_score: float | None
    diversity: float | None
    overlay: Mapping[str, frozenset[str]]
    rules: GameRules | None
    now: datetime | None


@dataclass(slots=True)
class Question:
    """Whom to recommend what to.

    Attributes:
        user_id: the player, or None.
        history: game ids that the player has, beside those on record.
        k: how many games at most; at least 1.
        filters: what the answer may hold.
        wishes: what else holds for this answer.
    """

    user_id: str | None
    history: Iterable[str]
    k: int
    filters: Filters | None
    wishes: Wishes


@dataclass(eq=False, slots=True)
class Barrier:
    """Games that may not be answered, for one reason; not changed once made.

    Attributes:
        verdict: of a game it stops.
        cause: what it is: a filter's name, ``player`` (hides it), ``shop`` (hides it).
        columns: the games it stops; or
        limits: shape (n_games,), infinity for the games it lets pass, ``-inf`` for the others.
    """

    verdict: Literal["owned", "hidden", "filtered", "below_score"]
    cause: str = ""
    columns: NDArray[np.integer[Any]] | None = None
    limits: NDArray[np.float32] | None = None

    def stops(self, column: int) -> bool:
        """Whether this game may not be answered."""
        if self.limits is not None:
            return bool(self.limits[column] == OUT)
        return self.columns is not None and bool((self.columns == column).any())


class Slate:
    """All games as they stand for one question.

    Args:
        scores: float32, shape (n_games,), the model's; finite.
        barriers: the first that stops a game says why.
        calibration: of these scores.
        fame: shape (n_games,), distinct: games of equal score come by rising fame.
        features: rows that tell how alike games are; None: nobody knows.
        diversity: the knob, in [0, 1].
        rules: boosts and pins; None: there are none.
        now: for these.
    """

    def __init__(
        self,
        scores: NDArray[np.float32],
        barriers: Sequence[Barrier],
        *,
        calibration: Calibration,
        fame: NDArray[np.integer[Any]],
        features: NDArray[np.float32] | csr_matrix | None = None,
        diversity: float = 0.0,
        rules: RulesHere | None = None,
        now: datetime | None = None,
    ) -> None:
        if scores.shape != fame.shape:
            raise DeploymentError(
                f"the model gave scores of shape {scores.shape}, the games are {len(fame)}"
            )
        self.scores, self.barriers, self.calibration = scores, barriers, calibration
        self.fame = fame
        self._features, self._diversity = features, diversity
        self._diverse = bool(diversity) and features is not None
        self._open = _open(scores, barriers)
        if rules is not None and now is not None and rules.active(now):
            allowed = self._open > OUT
            self._ruled = rules.rules.apply(scores, allowed, now, calibration=calibration)
        else:
            self._ruled = Ruled(self._open)

    @property
    def ranking(self) -> NDArray[np.float32]:
        """Shape (n_games,): what the list is ranked by; ``-inf`` for what may not be ranked."""
        return self._ruled.scores

    @cached_property
    def size(self) -> int:
        """How many games may be answered."""
        return int(np.count_nonzero(self._open > OUT))

    def check_finite(self) -> None:
        """Whether the scores are numbers: what is none is never answered, and may hide the rest.

        Raises:
            DeploymentError: they are not.
        """
        if np.isnan(self.scores).any():
            raise DeploymentError("the model scored a game with what is no number")

    def best(self, k: int) -> NDArray[np.int64]:
        """The list: at most ``k`` columns, best first."""
        return best_of([self], [k])[0]

    def pool(self, k: int) -> int:
        """How many of the best scores a list of ``k`` is chosen from."""
        if not self._diverse:
            return k
        return min(max(POOL * k, SMALLEST_POOL), LARGEST_POOL)

    def cut(self, pool: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        """The list, from the columns of the best scores, best first."""
        ranked = self._reranked(pool, k)
        return self._ruled.cut(ranked, k) if self._ruled.pins else ranked

    def probabilities(self, columns: NDArray[np.int64]) -> list[float]:
        """The calibrated score of each, as the model says: no rule changes it."""
        return probabilities_of([self], [columns])[0]

    def barrier(self, column: int) -> Barrier | None:
        """What keeps a game from being answered, if anything does."""
        return next((each for each in self.barriers if each.stops(column)), None)

    def place(self, column: int, k: int) -> int:
        """Where a game that may be answered stands if the list for ``k`` went on to the end.

        1 is the first; up to ``k`` it is the place in the list.
        """
        ranked = self._reranked(top(self.ranking, self.pool(k), self.fame), k)
        others = top(self.ranking, self.size, self.fame)
        others = others[~np.isin(others, ranked)]
        whole = self._ruled.cut(np.concatenate([ranked, others]), self.size)
        return int(np.flatnonzero(whole == column)[0]) + 1

    def _reranked(self, pool: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        """At most ``k`` columns of the pool, best first, pins aside."""
        if not self._diverse:
            return pool
        chances = self.calibration.apply(self.ranking[pool])
        return rerank(pool, chances, self._features, k=k, diversity=self._diversity)


def best_of(slates: Sequence[Slate], ks: Sequence[int]) -> list[NDArray[np.int64]]:
    """The lists of several questions about one catalogue, each of at most its ``k``."""
    pools = [slate.pool(k) for slate, k in zip(slates, ks, strict=True)]
    found = tops([slate.ranking for slate in slates], pools, slates[0].fame)
    return [slate.cut(pool, k) for slate, pool, k in zip(slates, found, ks, strict=True)]


def probabilities_of(
    slates: Sequence[Slate], columns: Sequence[NDArray[np.int64]]
) -> list[list[float]]:
    """``Slate.probabilities`` of several questions."""
    by_map: dict[int, list[int]] = defaultdict(list)
    for number, slate in enumerate(slates):
        by_map[id(slate.calibration)].append(number)
    chances: list[list[float]] = [[]] * len(slates)
    for numbers in by_map.values():
        scores = np.concatenate([slates[n].scores[columns[n]] for n in numbers])
        flat, start = slates[numbers[0]].calibration.apply(scores).tolist(), 0
        for n in numbers:
            end = start + len(columns[n])
            chances[n], start = flat[start:end], end
    return chances


def _open(scores: NDArray[np.float32], barriers: Sequence[Barrier]) -> NDArray[np.float32]:
    """The scores, with ``-inf`` in the places of all games that a barrier stops; a new array."""
    found = scores.copy()
    for barrier in barriers:
        if barrier.limits is not None:
            np.minimum(found, barrier.limits, out=found)
        if barrier.columns is not None:
            found[barrier.columns] = OUT
    return found


def limits(passing: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Infinity for games that pass, ``-inf`` for others: the two differ in the sign's bit only.

    Several times as quick as ``np.where``, which guesses wrong for every other game.
    """
    bits = passing.astype(np.uint32)
    bits <<= 31
    bits ^= OUT.view(np.uint32)
    return bits.view(np.float32)
