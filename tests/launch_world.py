"""A world where taste follows genre: what is known of a game says who will want it."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from flyball.ports import Tables

GENRES = ("Action", "Strategy", "Racing", "Simulation", "Sports", "RPG")
N_GAMES, N_PLAYERS = 240, 300
FIRST = datetime(2012, 1, 1)
LIKED, OTHER = 0.25, 0.01


def game_name(n: int) -> str:
    return f"Game Number {n}"


def catalogue(**columns) -> pl.DataFrame:
    """Game n is of genre n modulo 6 and came out n * 5 days after 2012 began."""
    numbers = range(N_GAMES)
    made = {
        "item_id": [str(n) for n in numbers],
        "name": [game_name(n) for n in numbers],
        "genres": [[GENRES[n % len(GENRES)]] for n in numbers],
        "developer": [f"Studio {n % 24}" for n in numbers],
        "release_date": [FIRST + timedelta(days=5 * n) for n in numbers],
    }
    return pl.DataFrame({**made, **columns})


def purchases(*, dated: bool = False, seed: int = 0) -> pl.DataFrame:
    """Each player likes one genre, and has a quarter of its games and few others.

    Dated rows come 0 to 29 days after the game's release.
    """
    rng = np.random.default_rng(seed)
    tastes = rng.integers(0, len(GENRES), N_PLAYERS)
    chance = np.where(tastes[:, None] == np.arange(N_GAMES) % len(GENRES), LIKED, OTHER)
    players, games = np.nonzero(rng.random(chance.shape) < chance)
    after = rng.integers(0, 30, len(games))
    columns = {
        "user_id": [f"player-{player}" for player in players],
        "title": [game_name(game) for game in games],
        "event": ["purchase"] * len(games),
        "value": [1.0] * len(games),
    }
    if dated:
        columns["timestamp"] = [
            FIRST + timedelta(days=5 * int(game) + int(late), hours=12)
            for game, late in zip(games, after, strict=True)
        ]
    return pl.DataFrame(columns)


def tables(*, dated: bool = False, seed: int = 0, **columns) -> Tables:
    return {"interactions": purchases(dated=dated, seed=seed), "catalogue": catalogue(**columns)}
