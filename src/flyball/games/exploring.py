"""Chance in a small part of the lists, so that their clicks can judge versions never shown.

A coin of the answer's id picks the lists, whatever they hold; in each of them one place is drawn.
The probabilities that go into the log are those within these lists: the others stay as they are,
cost nothing and count for nothing. Only plain questions take part (a player with a name, nothing
filtered, no pins, no wishes of the caller): what the log doesn't tell, it could not be judged by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyball.domain.routing import bucket
from flyball.games.servable import Answer
from flyball.recommend.exploration import explored

if TYPE_CHECKING:
    from flyball.games.answering import Question

BEHIND = 10
"""Games behind the list that may come into it: the more, the more versions can be judged, and the
more lists that takes."""


@dataclass(frozen=True, slots=True)
class Exploring:
    """How much chance there is.

    Args:
        share: of the plain lists, in [0, 1].
    """

    share: float

    def picks(self, question: Question, nonce: str) -> bool:
        """Whether this list has chance in it.

        Args:
            nonce: the random part of the answer's id.
        """
        return self.share > 0.0 and _plain(question) and bucket(nonce, "explore") < self.share

    def asked(self, k: int) -> int:
        """How many games to ask for, where a list of ``k`` has chance in it."""
        return k + BEHIND

    def mixed(self, found: Answer, k: int, nonce: str) -> tuple[Answer, Sequence[float]]:
        """The list of at most ``k``, and of each game the probability of being at its place.

        Args:
            found: the best ``asked(k)``.
        """
        chosen = explored(range(len(found.items)), k, rate=1.0, seed=nonce)
        items = [found.items[place] for place in chosen.items]
        return Answer(items, underfilled=len(items) < k), chosen.propensities


def _plain(question: Question) -> bool:
    wishes = question.wishes
    rules = wishes.get("rules")
    filtered = question.filters is not None and question.filters.given()
    return not (
        question.user_id is None
        or filtered
        or any(True for _ in question.history)
        or wishes.get("min_score") is not None
        or wishes.get("diversity") is not None
        or (rules is not None and bool(rules.pins))
    )
