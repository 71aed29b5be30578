"""What comes over the wire: the requests and their bounds. The answers are in ``replies.py``.

One struct each. Requests are decoded by these structs and documented from them (``openapi.py``),
so what is documented is what is accepted. Text that reaches a store may hold no control character.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from flyball.errors import InvalidRequest
from flyball.games.catalogue import LONGEST_ID

MAX_EVENTS = 1000

_TEXT = r"^[^\x00-\x1f\x7f]+(?!\n)$"  # in Python "$" alone would let one last line feed through
_TEXT_OR_NONE = _TEXT.replace("+", "*", 1)

Id = Annotated[str, Meta(min_length=1, max_length=128, pattern=_TEXT)]
GameId = Annotated[str, Meta(min_length=1, max_length=LONGEST_ID)]
GameIds = Annotated[list[GameId], Meta(max_length=100_000)]
Names = Annotated[list[Annotated[str, Meta(min_length=1, max_length=64)]], Meta(max_length=100)]
K = Annotated[int, Meta(ge=1, le=100, description="How many games to answer at most.")]
Dollars = Annotated[float, Meta(ge=0, le=1e9)]
Scalar = str | int | float | bool | None


class Filters(Struct, forbid_unknown_fields=True, frozen=True):
    """What the answer may hold. A game whose fact is not known does not pass a filter on it."""

    genres: Annotated[Names | None, Meta(description="At least one of these; case is ignored.")] = (
        None
    )
    platforms: Annotated[
        Names | None, Meta(description="At least one of these; case is ignored.")
    ] = None
    tags: Annotated[Names | None, Meta(description="At least one of these; case is ignored.")] = (
        None
    )
    exclude_genres: Annotated[
        Names | None, Meta(description="None of these; a game of no known genre passes.")
    ] = None
    exclude_tags: Annotated[
        Names | None, Meta(description="None of these; a game without tags passes.")
    ] = None
    min_price: Annotated[Dollars | None, Meta(description="US dollars.")] = None
    max_price: Annotated[Dollars | None, Meta(description="US dollars.")] = None
    released_after: Annotated[
        date | None, Meta(description="First released later than this day.")
    ] = None
    released_before: Annotated[date | None, Meta(description="First released before this day.")] = (
        None
    )
    max_age_rating: Annotated[
        Annotated[int, Meta(ge=0, le=99)] | None,
        Meta(description="Meant for players of this age in years, or younger ones."),
    ] = None
    exclude: Annotated[GameIds, Meta(description="Games not to answer.")] = []

    def given(self) -> bool:
        """Whether any of them is set."""
        return any(getattr(self, name) not in (None, []) for name in Filters.__struct_fields__)


LISTS = frozenset({"genres", "platforms", "tags", "exclude_genres", "exclude_tags", "exclude"})
"""Query parameters that may be given several times."""

MinScore = Annotated[
    Annotated[float, Meta(ge=0, le=1)] | None,
    Meta(description="Leave out games that score lower: the least probability that will do."),
]
Diversity = Annotated[
    Annotated[float, Meta(ge=0, le=1)] | None,
    Meta(
        description="0: the likeliest games; 1: games as unlike each other as there are. "
        "Default: as the shop's rules say, else 0."
    ),
]


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
    min_score: MinScore = None
    diversity: Diversity = None
    context: Annotated[
        Annotated[dict[str, Scalar], Meta(max_length=32)] | None,
        Meta(description="Notes of the caller, flat; no model reads them yet."),
    ] = None


class RecommendationQuery(Filters, forbid_unknown_fields=False, frozen=True):
    """Query of ``GET /v1/recommendations/{user_id}`` and ``/v1/why-not/{user_id}/{game_id}``."""

    k: K = 10
    min_score: MinScore = None
    diversity: Diversity = None


class SearchQuery(Struct, frozen=True):
    """Query of ``GET /v1/search``."""

    q: Annotated[
        Annotated[str, Meta(max_length=1000)],
        Meta(description="What somebody typed; of a long text the first 200 characters count."),
    ]
    k: K = 10


class SimilarQuery(Struct, frozen=True):
    """Query of ``GET /v1/games/{game_id}/similar``."""

    k: K = 10
    content: Annotated[
        Annotated[float, Meta(ge=0, le=1)],
        Meta(
            description="0: alike is what the same players have; 1: what is described alike; "
            "between: both. A game nobody has yet is always compared by what it is."
        ),
    ] = 0.0


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


class WhyNotPath(Struct, frozen=True):
    """Path of ``GET /v1/why-not/{user_id}/{game_id}``."""

    user_id: Id
    game_id: GameId


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
