"""What goes over the wire: the requests, their bounds, and the answers.

One struct each. Requests are decoded by these structs and documented from them (``openapi.py``),
so what is documented is what is accepted. Text that reaches a store may hold no control character.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from flyball.errors import InvalidRequest

MAX_EVENTS = 1000

_TEXT = r"^[^\x00-\x1f\x7f]+(?!\n)$"  # in Python "$" alone would let one last line feed through
_TEXT_OR_NONE = _TEXT.replace("+", "*", 1)

Id = Annotated[str, Meta(min_length=1, max_length=128, pattern=_TEXT)]
GameId = Annotated[str, Meta(min_length=1, max_length=128)]
GameIds = Annotated[list[GameId], Meta(max_length=10_000)]
Names = Annotated[list[Annotated[str, Meta(min_length=1, max_length=64)]], Meta(max_length=100)]
K = Annotated[int, Meta(ge=1, le=100, description="How many games to answer at most.")]
Scalar = str | int | float | bool | None


class Filters(Struct, forbid_unknown_fields=True, frozen=True):
    """What the answer may hold. A game whose fact is not known does not pass a filter on it."""

    genres: Annotated[Names | None, Meta(description="At least one of these; case is ignored.")] = (
        None
    )
    platforms: Annotated[
        Names | None, Meta(description="At least one of these; case is ignored.")
    ] = None
    max_price: Annotated[float, Meta(ge=0, description="US dollars.")] | None = None
    released_after: Annotated[
        date | None, Meta(description="First released later than this day.")
    ] = None
    exclude: Annotated[GameIds, Meta(description="Games not to answer.")] = []


class RecommendationRequest(Struct, forbid_unknown_fields=True, frozen=True):
    """Whom to recommend games to: a player by id, a history, or both together."""

    user_id: Annotated[
        Id | None, Meta(description="The player; one never seen gets the popular games.")
    ] = None
    history: Annotated[
        GameIds,
        Meta(description="Games the player has, beside those on record; unknown ones are passed."),
    ] = []
    k: K = 10
    filters: Filters | None = None
    min_score: Annotated[
        float | None, Meta(description="Leave out games that score lower; on the model's scale.")
    ] = None
    context: Annotated[
        Annotated[dict[str, Scalar], Meta(max_length=32)] | None,
        Meta(description="Notes of the caller, flat; no model reads them yet."),
    ] = None


class RecommendationQuery(Struct, frozen=True):
    """Query of ``GET /v1/recommendations/{user_id}``."""

    k: K = 10


class SimilarQuery(Struct, frozen=True):
    """Query of ``GET /v1/games/{game_id}/similar``."""

    k: K = 10


_Search = Annotated[str, Meta(max_length=200)]


class GamesQuery(Struct, frozen=True):
    """Query of ``GET /v1/games``; an empty text asks for nothing."""

    title: Annotated[_Search | None, Meta(description="Part of it, in any case.")] = None
    genre: Annotated[_Search | None, Meta(description="Exactly one of the game's.")] = None
    platform: Annotated[_Search | None, Meta(description="Exactly one of the game's.")] = None
    limit: Annotated[int, Meta(ge=1, le=200, description="Games on a page.")] = 50
    cursor: Annotated[
        Annotated[str, Meta(max_length=1024)] | None,
        Meta(description="The `next_cursor` of the page before; none for the first."),
    ] = None


class UserPath(Struct, frozen=True):
    """Path of ``GET /v1/recommendations/{user_id}``."""

    user_id: Id


class GamePath(Struct, frozen=True):
    """Path of the endpoints about one game."""

    game_id: GameId


class EventIn(Struct, forbid_unknown_fields=True, frozen=True):
    """One thing a player did. Sending it twice under one ``event_id`` is harmless."""

    event_id: Id
    type: Literal["impression", "click", "purchase", "play", "dislike"]
    user_id: Id
    game_id: Annotated[Id, Meta(description="May name a game newer than the model.")]
    recommendation_id: Annotated[
        Annotated[str, Meta(max_length=128, pattern=_TEXT_OR_NONE)] | None,
        Meta(description="Of the answer that led to it; null or empty where none did."),
    ] = None
    value: Annotated[
        Annotated[float, Meta(ge=0)] | None, Meta(description="US dollars paid, or hours played.")
    ] = None
    timestamp: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(description="With its time zone; default is the time of receipt."),
    ] = None

    def happened(self, received: datetime) -> datetime:
        """When, in UTC.

        Raises:
            InvalidRequest: the time lies outside the years 1 to 9999 in UTC.
        """
        if self.timestamp is None:
            return received
        try:
            return self.timestamp.astimezone(UTC)
        except OverflowError as error:
            raise InvalidRequest(
                f"timestamp {self.timestamp.isoformat()} is out of range; send a later one"
            ) from error


class Rejected(Struct, frozen=True):
    """An event that was not stored: its place in the array, and why."""

    index: int
    detail: str


class EventsAnswer(Struct, frozen=True):
    """What became of the events. Accepted ones are on disk."""

    accepted: int
    duplicates: int
    rejected: list[Rejected]


class Reason(Struct, frozen=True):
    """A game the player has that speaks for the answer.

    ``share`` is its part of the positive terms shown, so the shares of an item sum to 1.
    """

    game_id: str
    share: Annotated[float, Meta(ge=0, le=1)]


class Recommendation(Struct, frozen=True):
    """One recommended game. A higher score is better; scores of two versions do not compare."""

    game_id: str
    title: str
    score: float
    reasons: list[Reason]


class RecommendationsAnswer(Struct, frozen=True):
    """The best games, best first; ``underfilled`` where there were fewer than asked for."""

    recommendation_id: str
    model: str
    model_version: str
    variant: Literal["champion", "challenger"]
    items: list[Recommendation]
    underfilled: bool


class SimilarGame(Struct, frozen=True):
    """One game that players of another one like."""

    game_id: str
    title: str
    score: float


class SimilarAnswer(Struct, frozen=True):
    """Games like one game, the likest first; only those it speaks for."""

    game_id: str
    model: str
    model_version: str
    variant: Literal["champion", "challenger"]
    items: list[SimilarGame]
    underfilled: bool


class GameAnswer(Struct, frozen=True):
    """What is known of a game; null or empty is not known."""

    game_id: str
    title: str
    genres: list[str]
    tags: list[str]
    platforms: list[str]
    released: date | None
    price_usd: float | None
    developer: str | None


class GamesAnswer(Struct, frozen=True):
    """One page of games by rising id; ``next_cursor`` is null on the last page."""

    items: list[GameAnswer]
    next_cursor: str | None
