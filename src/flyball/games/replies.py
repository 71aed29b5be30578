"""What goes back over the wire; one struct each, documented from them (``openapi.py``)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct

Kind = Literal["game", "popularity"]
Variant = Literal["champion", "challenger"]
Fallback = Literal["other_version", "popularity"]
Verdict = Literal[
    "recommended", "ranked", "owned", "hidden", "filtered", "below_score", "unknown_game"
]


class Rejected(Struct, frozen=True):
    """An event that was not stored: its place in the array, and why."""

    index: int
    detail: str


class EventsAnswer(Struct, frozen=True):
    """What became of the events. Accepted ones are on disk."""

    accepted: int
    duplicates: int
    rejected: list[Rejected]


class Reason(Struct, frozen=True, gc=False):
    """What speaks for the answer: a game the player has, or (``game_id`` null) popularity.

    The score is a sum; ``share`` is the part of one term in the sum of the positive ones.
    """

    game_id: str | None
    share: Annotated[float, Meta(ge=0, le=1)]
    kind: Kind = "game"


class Recommendation(Struct, frozen=True, gc=False):
    """One recommended game.

    ``score`` is the probability that the player takes to the game, learnt on players' held-out
    games. ``reasons`` are the largest positive terms; ``rest`` is the share of those not shown, so
    that all shares and ``rest`` add up to 1 (to 0 where nothing speaks for the game). They are
    ``exact`` where the model is such a sum; else they are the model's best account of itself.
    """

    game_id: str
    title: str
    score: float
    reasons: list[Reason]
    rest: Annotated[float, Meta(ge=0, le=1)] = 0.0
    exact: bool = True


class RecommendationsAnswer(Struct, frozen=True, gc=False):
    """The best games, best first; ``underfilled`` where there were fewer than asked for.

    ``fallback`` says what stood in where the version that should have answered failed: the other
    loaded version (``model_version`` names it), or the popular games. Pins, boosts and diversity
    move games; a game's score is what the model says of it.
    """

    recommendation_id: str
    model: str
    model_version: str
    variant: Variant
    items: list[Recommendation]
    underfilled: bool
    score_kind: Literal["probability"] = "probability"
    fallback: Fallback | None = None


class WhyNotAnswer(Struct, frozen=True):
    """Why a game is in a player's list, or why not.

    ``rank`` is its place (1 is the first) were the list as long as the catalogue; null where it
    may not be answered. ``score`` is null for an unknown game only.
    """

    user_id: str
    game_id: str
    model: str
    model_version: str
    variant: Variant
    verdict: Verdict
    detail: str
    rank: int | None
    score: float | None
    reasons: list[Reason]
    rest: float
    exact: bool


class SimilarGame(Struct, frozen=True):
    """One game like another one. Scores are no probabilities; those of two games do not compare."""

    game_id: str
    title: str
    score: float


class SimilarAnswer(Struct, frozen=True):
    """Games like one game, the likest first; only those it speaks for."""

    game_id: str
    model: str
    model_version: str
    variant: Variant
    items: list[SimilarGame]
    underfilled: bool


class FoundGame(Struct, frozen=True):
    """One game that fits what was typed. ``score`` says how well, in (0, 1]; no probability."""

    game_id: str
    title: str
    score: float
    matched: Literal["title", "content"]


class SearchAnswer(Struct, frozen=True):
    """Games that fit, the best first: those with such a title, then those described so."""

    items: list[FoundGame]


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
    publisher: str | None
    age_rating: int | None


class GamesAnswer(Struct, frozen=True):
    """One page of games by rising id; ``next_cursor`` is null on the last page."""

    items: list[GameAnswer]
    next_cursor: str | None
