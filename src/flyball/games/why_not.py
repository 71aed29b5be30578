"""Why a game is in a player's list or why not, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyball.games.replies import Reason, Verdict

if TYPE_CHECKING:
    from flyball.games.answering import Barrier, Wishes
    from flyball.games.catalogue import Game
    from flyball.games.messages import Filters


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of a game in a player's list.

    Attributes:
        verdict: what stops it; ``recommended`` or ``ranked`` where nothing does.
        detail: the same in words.
        rank: its place were the list as long as the catalogue; None where it is stopped.
        score: its calibrated probability; None for a game the model does not know.
        reasons, rest, exact: as of ``reasons.Why``.
    """

    verdict: Verdict
    detail: str
    rank: int | None = None
    score: float | None = None
    reasons: list[Reason]
    rest: float = 0.0
    exact: bool = True


def unknown(game_id: str) -> Fate:
    """Of a game that the model does not know."""
    said = (
        f"no game {game_id!r} in this version's catalogue: it is newer than the model or spelled "
        "another way; search for it with GET /v1/search?q="
    )
    return Fate(verdict="unknown_game", detail=said, reasons=[])


def stopped(barrier: Barrier, game: Game, filters: Filters | None, wishes: Wishes) -> str:
    """Why a game may not be answered."""
    match barrier.verdict:
        case "owned":
            return "the player has the game"
        case "hidden":
            who = (
                "the player does not like it" if barrier.cause == "player" else "the shop hides it"
            )
            return f"hidden: {who}"
        case "below_score":
            return f"its score is below the least asked for, {wishes.get('min_score')}"
        case _:
            return (
                f"the filter {barrier.cause!r} leaves it out: {_filtered(barrier, game, filters)}"
            )


def ranked(place: int, k: int, game: Game) -> tuple[Verdict, str]:
    """The verdict on a game that may be answered, and its words."""
    if place <= k:
        return "recommended", f"{game.title!r} is number {place} of the {k} games asked for"
    return "ranked", f"{place - 1} games come before {game.title!r}; {k} were asked for"


def _filtered(barrier: Barrier, game: Game, filters: Filters | None) -> str:
    """What was asked for, and what the game has."""
    if barrier.cause == "exclude":
        return "the request excludes it"
    asked = getattr(filters, barrier.cause)
    fact = getattr(game, _FACT[barrier.cause])
    wanted = ", ".join(asked) if isinstance(asked, list) else str(asked)
    found = ", ".join(fact) if isinstance(fact, tuple) else str(fact)
    known = fact is not None and fact != ()
    return f"asked for {wanted}; {f'it has {found}' if known else 'of it that is not known'}"


_FACT = {
    "genres": "genres",
    "exclude_genres": "genres",
    "platforms": "platforms",
    "tags": "tags",
    "exclude_tags": "tags",
    "min_price": "price_usd",
    "max_price": "price_usd",
    "released_after": "released",
    "released_before": "released",
    "max_age_rating": "age_rating",
}
