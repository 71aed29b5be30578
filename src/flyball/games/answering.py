"""One way from a question to a list: recommending and explaining why not both go it.

scores -> barriers (owned, hidden, filtered out, below the least score) -> boosts -> diversity ->
pins -> the best k. All that may not be answered goes before the list is cut, so a list is full
where there are games to fill it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from flyball.errors import DeploymentError
from flyball.recommend.rerank import rerank
from flyball.recommend.rules import Ruled

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from flyball.games.business_rules import GameRules, RulesHere
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


OUT = np.float32(-np.inf)
"""The score of a game that may not be answered."""

BLOCKS = 256
"""Of which the best are looked at first; as many as are sorted in no time."""


@dataclass(frozen=True, eq=False, slots=True)
class Barrier:
    """Games that may not be answered, for one reason.

    Attributes:
        verdict: of a game it stops.
        cause: what it is: a filter's name, ``player`` (hides it), ``shop`` (hides it).
        columns: the games it stops; or
        passing: shape (n_games,), the games it does not stop.
    """

    verdict: Literal["owned", "hidden", "filtered", "below_score"]
    cause: str = ""
    columns: NDArray[np.integer[Any]] | None = None
    passing: NDArray[np.bool_] | None = None

    def stops(self, column: int) -> bool:
        """Whether this game may not be answered."""
        if self.passing is not None:
            return not self.passing[column]
        return self.columns is not None and bool((self.columns == column).any())

    def close(self, scores: NDArray[np.float32]) -> None:
        """Write ``-inf`` in the places of all games it stops."""
        if self.passing is not None:
            np.minimum(scores, _limits(self.passing), out=scores)
        if self.columns is not None:
            scores[self.columns] = OUT


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
        self.scores, self.barriers, self.calibration = scores, barriers, calibration
        self._fame = fame
        self._features, self._diversity = features, diversity
        self._open = scores.copy()
        for barrier in barriers:
            barrier.close(self._open)
        if rules is not None and now is not None and rules.active(now):
            allowed = self._open > OUT
            self._ruled = rules.rules.apply(scores, allowed, now, calibration=calibration)
        else:
            self._ruled = Ruled(self._open)

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
        return self._ruled.cut(self._ranked(k), k) if self._ruled.pins else self._ranked(k)

    def probabilities(self, columns: NDArray[np.int64]) -> list[float]:
        """The calibrated score of each, as the model says: no rule changes it."""
        chances: list[float] = self.calibration.apply(self.scores[columns]).tolist()
        return chances

    def barrier(self, column: int) -> Barrier | None:
        """What keeps a game from being answered, if anything does."""
        return next((each for each in self.barriers if each.stops(column)), None)

    def place(self, column: int, k: int) -> int:
        """Where a game that may be answered stands if the list for ``k`` went on to the end.

        1 is the first; up to ``k`` it is the place in the list.
        """
        ranked = self._ranked(k)
        others = top(self._ruled.scores, self.size, self._fame)
        others = others[~np.isin(others, ranked)]
        whole = self._ruled.cut(np.concatenate([ranked, others]), self.size)
        return int(np.flatnonzero(whole == column)[0]) + 1

    def _ranked(self, k: int) -> NDArray[np.int64]:
        """At most ``k`` columns, best first, pins aside."""
        if not self._diversity or self._features is None:
            return top(self._ruled.scores, k, self._fame)
        size = min(max(POOL * k, SMALLEST_POOL), LARGEST_POOL)
        pool = top(self._ruled.scores, size, self._fame)
        chances = self.calibration.apply(self._ruled.scores[pool])
        return rerank(pool, chances, self._features, k=k, diversity=self._diversity)


def _limits(passing: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Infinity for games that pass, ``-inf`` for others: the two differ in the sign's bit only.

    Several times as quick as ``np.where``, which guesses wrong for every other game.
    """
    bits = passing.astype(np.uint32)
    bits <<= 31
    bits ^= OUT.view(np.uint32)
    return bits.view(np.float32)


def top(scores: NDArray[np.float32], k: int, fame: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Indices of the ``k`` best scores, best first; equal ones by rising ``fame``.

    As ``flyball.recommend.top_k``, for one list and several times quicker: a bound below the k-th
    best leaves few to sort. (``np.partition`` alone is slow where most scores are equal, as those
    of masked games are.)

    Args:
        scores: without NaN; ``-inf`` masks an item.
        k: at least 1.
        fame: shape (n_items,), distinct.
    """
    bound = _bound(scores, k)
    found = (scores >= bound if bound > OUT else scores > OUT).nonzero()[0]
    if len(found) > max(4 * k, BLOCKS):
        values = scores[found]
        least = np.sort(values)[-k]
        equal, found = found[values == least], found[values > least]
        room = k - len(found)
        equal = equal[np.argpartition(fame[equal], room - 1)[:room]]
        found = np.concatenate([found, equal])
    return found[np.lexsort((fame[found], -scores[found]))[:k]]


def _bound(scores: NDArray[np.float32], k: int) -> float:
    """The k-th best of the best of many blocks: not above the k-th best of all."""
    blocks = max(4 * k, BLOCKS)
    size = len(scores) // blocks
    if size < 2:
        return -np.inf
    best = np.maximum.reduce(scores[: size * blocks].reshape(size, blocks), axis=0)
    best.partition(blocks - k)
    return float(best[blocks - k])
