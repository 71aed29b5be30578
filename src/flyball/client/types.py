"""What goes out and what comes back; one struct each.

They have the fields of the server's own (``flyball.games.messages`` and ``replies``), which a test
holds. Fields that a newer server adds are passed over, and so are new words in an answer.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from msgspec import Struct

# --- what goes out ----------------------------------------------------------------------------


class Filters(Struct, frozen=True, omit_defaults=True):
    """What an answer may hold. A game whose fact is not known does not pass a filter on it.

    Attributes:
        genres, platforms, tags: at least one of these; case is ignored.
        exclude_genres, exclude_tags: none of these.
        min_price, max_price: US dollars.
        released_after, released_before: days; the day itself does not pass.
        max_age_rating: years.
        exclude: ids of games not to answer.
    """

    genres: list[str] | None = None
    platforms: list[str] | None = None
    tags: list[str] | None = None
    exclude_genres: list[str] | None = None
    exclude_tags: list[str] | None = None
    min_price: float | None = None
    max_price: float | None = None
    released_after: date | None = None
    released_before: date | None = None
    max_age_rating: int | None = None
    exclude: list[str] = []


class Event(Struct, frozen=True, omit_defaults=True):
    """One thing a player did.

    Attributes:
        type: ``impression``, ``click``, ``purchase``, ``play`` or ``dislike``.
        recommendation_id: of the answer that led to it.
        value: US dollars paid, or hours played.
        timestamp: with its time zone; by default the time of receipt.
        event_id: names it, so that sending it again is harmless; one is made where there is none.
    """

    type: str
    user_id: str
    game_id: str
    recommendation_id: str | None = None
    value: float | None = None
    timestamp: datetime | None = None
    event_id: str = ""


class TensorIn(Struct, frozen=True, omit_defaults=True):
    """A tensor for ``infer`` (Open Inference Protocol v2).

    Attributes:
        shape: sizes of its dimensions.
        datatype: such as ``BYTES``, ``INT64`` or ``FP32``.
        data: the elements, row by row; nested lists do as well.
    """

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]
    parameters: dict[str, Any] = {}


# --- what comes back --------------------------------------------------------------------------


class Problem(Struct, frozen=True):
    """What went wrong, as RFC 9457 says it."""

    type: str = "about:blank"
    title: str = ""
    status: int = 0
    detail: str = ""
    instance: str = ""


class Rejected(Struct, frozen=True):
    """An event that was not stored: its place among those sent, and why."""

    index: int
    detail: str


class Sent(Struct, frozen=True):
    """What became of events. Accepted ones are on disk; duplicates were before."""

    accepted: int
    duplicates: int
    rejected: list[Rejected]


class Reason(Struct, frozen=True):
    """What speaks for a game: another one the player has, or (``game_id`` None) popularity."""

    game_id: str | None
    share: float
    kind: str = "game"


class Recommendation(Struct, frozen=True):
    """One recommended game; ``score`` is the probability that the player takes to it."""

    game_id: str
    title: str
    score: float
    reasons: list[Reason]
    rest: float = 0.0
    exact: bool = True


class Recommendations(Struct, frozen=True):
    """The best games, best first; ``underfilled`` where there were fewer than asked for."""

    recommendation_id: str
    model: str
    model_version: str
    variant: str
    items: list[Recommendation]
    underfilled: bool
    score_kind: str = "probability"
    fallback: str | None = None


class RecommendationsOfMany(Struct, frozen=True):
    """One answer a player, in the order in which they were asked for."""

    items: list[Recommendations]


class WhyNot(Struct, frozen=True):
    """Why a game is in a player's list, or why not.

    Attributes:
        verdict: ``recommended``, ``ranked``, ``owned``, ``hidden``, ``filtered``,
            ``below_score`` or ``unknown_game``.
        detail: the same in words.
        rank: its place were the list as long as the catalogue; None where it may not be answered.
    """

    user_id: str
    game_id: str
    model: str
    model_version: str
    variant: str
    verdict: str
    detail: str
    rank: int | None
    score: float | None
    reasons: list[Reason]
    rest: float
    exact: bool


class SimilarGame(Struct, frozen=True):
    """One game like another one; its score is no probability."""

    game_id: str
    title: str
    score: float


class Similar(Struct, frozen=True):
    """Games like one game, the likest first."""

    game_id: str
    model: str
    model_version: str
    variant: str
    items: list[SimilarGame]
    underfilled: bool


class FoundGame(Struct, frozen=True):
    """One game that fits what was typed; ``matched`` is ``title`` or ``content``."""

    game_id: str
    title: str
    score: float
    matched: str


class Found(Struct, frozen=True):
    """Games that fit, the best first."""

    items: list[FoundGame]


class Game(Struct, frozen=True):
    """What is known of a game; None or empty is not known."""

    game_id: str
    title: str
    genres: list[str]
    tags: list[str]
    platforms: list[str]
    released: date | None
    price_usd: float | None
    developer: str | None
    publisher: str | None
    age_rating: int | None


class GamesPage(Struct, frozen=True):
    """One page of games by rising id; ``next_cursor`` is None on the last page."""

    items: list[Game]
    next_cursor: str | None


class TensorOut(Struct, frozen=True):
    """A tensor of an answer: ``data`` flat, row by row."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]


class Inferred(Struct, frozen=True):
    """The answer of ``infer``; ``model_version`` is empty where several versions answered."""

    model_name: str
    outputs: list[TensorOut]
    model_version: str = ""
    id: str = ""

    def output(self, name: str) -> TensorOut:
        """The tensor of this name.

        Raises:
            KeyError: there is none.
        """
        for tensor in self.outputs:
            if tensor.name == name:
                return tensor
        raise KeyError(f"no output {name!r}; there are {[tensor.name for tensor in self.outputs]}")


class Token(Struct, frozen=True):
    """What ``/auth/token`` and ``/auth/refresh`` give (OAuth2)."""

    access_token: str
    expires_in: float = 600.0
    refresh_token: str | None = None
