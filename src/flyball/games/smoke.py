"""Requests that a loaded model must answer rightly before it gets traffic."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from flyball.errors import DeploymentError
from flyball.games.business_rules import read_rules
from flyball.games.messages import Filters
from flyball.games.replies import FoundGame, Recommendation, SimilarGame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyball.games.servable import Answer, GamesServable

K = 10
PLAYERS = 5
"""Known players asked for, evenly spread."""

NOBODY = "\x00nobody"
"""No player can be called so: ids with a NUL are left out of the data."""


def smoke(servable: GamesServable) -> int:
    """Ask for players, filters, rules, why not, similar games and a search; returns how many.

    Raises:
        DeploymentError: an answer was wrong; says which.
    """
    players = sample_players(servable, PLAYERS)
    for player in players:
        _known_player(servable, player)
    _unknown_player(servable)
    _history_of_one(servable, servable.artifact.items[0])
    genres = servable.genres
    if genres:
        _genre(servable, max(sorted(genres), key=genres.__getitem__))
    popular = servable.artifact.items[int(np.argmax(servable.artifact.popularity))]
    _similar(servable, popular)
    _why_not(servable, popular)
    _rules(servable)
    _search(servable, popular)
    return len(players) + 6 + bool(genres)


def sample_players(servable: GamesServable, n: int) -> list[str]:
    """Ids of up to ``n`` known players, evenly spread over the sorted ids."""
    users = servable.artifact.users
    rows = np.unique(np.linspace(0, len(users) - 1, num=min(n, len(users)), dtype=np.int64))
    return [users[row].decode() for row in rows.tolist()]


def _known_player(servable: GamesServable, player: str) -> None:
    what = f"known player {player!r}"
    owned = {servable.artifact.items[column] for column in servable.owned(player).items}
    _require(bool(owned), what, "knows no game of theirs")
    _judge(what, servable, servable.recommend(player, k=K), owned)


def _unknown_player(servable: GamesServable) -> None:
    _judge("unknown player", servable, servable.recommend(NOBODY, k=K), set())


def _history_of_one(servable: GamesServable, game_id: str) -> None:
    answer = servable.recommend(None, [game_id], k=1)
    _judge("a history of one game", servable, answer, {game_id}, k=1)


def _similar(servable: GamesServable, game_id: str) -> None:
    alike = servable.similar(game_id, K)
    what = f"games similar to {game_id!r}"
    _require(all(game.game_id != game_id for game in alike), what, "holds the game itself")
    _sound(what, alike, K)


def _genre(servable: GamesServable, genre: str) -> None:
    answer = servable.recommend(NOBODY, k=K, filters=Filters(genres=[genre]))
    what = f"genre {genre!r}"
    for item in answer.items:
        game = servable.catalogue.get(item.game_id)
        found = game is not None and genre in (name.casefold() for name in game.genres)
        _require(found, what, f"holds {item.game_id!r}, which is not of it")
    _require(len(answer.items) == min(K, servable.genres[genre]), what, "is not full")
    _sound(what, answer.items, K)


def _why_not(servable: GamesServable, game_id: str) -> None:
    """Asked of one game, the answer agrees with the list."""
    listed = [item.game_id for item in servable.recommend(NOBODY, k=K).items]
    fate = servable.why_not(NOBODY, game_id, k=K)
    place = listed.index(game_id) + 1 if game_id in listed else None
    agrees = fate.rank == place if place else fate.verdict != "recommended"
    _require(agrees, f"why not {game_id!r}", "is not what the list says")


def _rules(servable: GamesServable) -> None:
    """The last game of a list is pinned to its top, the one before is hidden."""
    plain = servable.recommend(NOBODY, k=3).items
    if len(plain) < 3:
        return
    first, hidden, pinned = (item.game_id for item in plain)
    rules = read_rules({"hidden": [hidden], "pins": [{"game_id": pinned, "place": 1}]})
    ruled = servable.recommend(NOBODY, k=3, rules=rules, now=datetime.now(UTC))
    shown = [item.game_id for item in ruled.items]
    _require(shown[:2] == [pinned, first], "a pinned game", f"begins with {shown[:2]}")
    _require(hidden not in shown, "a hidden game", f"holds {hidden!r}, which is hidden")


def _search(servable: GamesServable, game_id: str) -> None:
    game = servable.catalogue.get(game_id)
    title = "" if game is None else game.title
    found = servable.search(title, K)
    what = f"the search for {title!r}"
    wanted = any(other.title == title for other in found)
    _require(wanted or not title.strip(), what, "does not hold that game")
    _sound(what, found, K)


def _judge(
    what: str, servable: GamesServable, answer: Answer, owned: set[str], *, k: int = K
) -> None:
    shown = [item.game_id for item in answer.items]
    _require(not owned.intersection(shown), what, "holds a game the player has")
    full = min(k, len(servable.catalogue) - len(owned))
    _require(len(shown) == full, what, f"holds {len(shown)} games, not {full}")
    _require(answer.underfilled == (len(shown) < k), what, "misstates whether it is full")
    _sound(what, answer.items, k)


def _sound(what: str, items: Sequence[Recommendation | SimilarGame | FoundGame], k: int) -> None:
    """Finite falling scores, distinct games, at most ``k``."""
    scores = [item.score for item in items]
    _require(len(items) <= k, what, f"holds more than {k} games")
    _require(all(map(math.isfinite, scores)), what, "holds a score that is not a number")
    _require(scores == sorted(scores, reverse=True), what, "is not in order of score")
    _require(len({item.game_id for item in items}) == len(items), what, "repeats a game")


def _require(held: bool, what: str, wrong: str) -> None:
    if not held:
        raise DeploymentError(
            f"smoke test: the answer for {what} {wrong}; the version is not fit to serve, "
            "train and validate again"
        )
