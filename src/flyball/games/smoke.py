"""Requests that a loaded model must answer rightly before it gets traffic."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from flyball.errors import DeploymentError
from flyball.games.messages import Filters, Recommendation, SimilarGame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyball.games.servable import Answer, GamesServable

K = 10
PLAYERS = 5
"""Known players asked for, evenly spread."""

NOBODY = "\x00nobody"
"""No player can be called so: ids with a NUL are left out of the data."""


def smoke(servable: GamesServable) -> int:
    """Ask for known and unknown players, filters and similar games; returns how many it asked.

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
    _similar(servable, servable.artifact.items[int(np.argmax(servable.artifact.popularity))])
    return len(players) + 3 + bool(genres)


def sample_players(servable: GamesServable, n: int) -> list[str]:
    """Ids of up to ``n`` known players, evenly spread over the sorted ids."""
    users = servable.artifact.users
    rows = np.unique(np.linspace(0, len(users) - 1, num=min(n, len(users)), dtype=np.int64))
    return [users[row].decode() for row in rows.tolist()]


def _known_player(servable: GamesServable, player: str) -> None:
    what = f"known player {player!r}"
    owned = {servable.artifact.items[column] for column in servable.owned(player)}
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


def _judge(
    what: str, servable: GamesServable, answer: Answer, owned: set[str], *, k: int = K
) -> None:
    shown = [item.game_id for item in answer.items]
    _require(not owned.intersection(shown), what, "holds a game the player has")
    full = min(k, len(servable.catalogue) - len(owned))
    _require(len(shown) == full, what, f"holds {len(shown)} games, not {full}")
    _require(answer.underfilled == (len(shown) < k), what, "misstates whether it is full")
    _sound(what, answer.items, k)


def _sound(what: str, items: Sequence[Recommendation | SimilarGame], k: int) -> None:
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
