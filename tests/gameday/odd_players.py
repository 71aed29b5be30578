"""A small shop of odd players and odd titles, as a file of rows."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

HEADER = ("user_id", "title", "event", "value")
Row = tuple[str, str, str, str]

EMOJI = tuple("👾" * count for count in range(1, 7))
RIGHT_TO_LEFT = ("أساسنز كريد", "הנסיך הפרסי", "\u202eback to front\u202c")
LONG = "A Very Long Title " * 20
TITLES = (
    *EMOJI,
    *RIGHT_TO_LEFT,
    LONG,
    'The "Quoted", and the Rest',
    "Ōtherwise Ünknown\u200d",
    *(f"Plain Game {number}" for number in range(24)),
)
"""No catalogue says anything of these."""

SHELF = tuple(f"Shelf Warmer {number}" for number in range(1500))
"""Games that the collector alone has."""

PLAYERS = 120

COLLECTOR, ALMOST, LONELY = "collector", "almost-all", "has-one-game"
"""Who has every game; who has all that others have but three; who has one."""

MISSING = TITLES[-3:]
"""What the second has not."""


def odd_rows() -> list[Row]:
    """Players of three tastes, the odd ones among them, and everything said twice.

    All play all their games for five hours, but for one row of infinite hours and one of none that
    can be read.
    """
    chance = np.random.default_rng(5)
    rows: list[Row] = []
    for player in range(PLAYERS):
        weights = np.where(np.arange(len(TITLES)) % 3 == player % 3, 30.0, 1.0)
        chosen = chance.choice(len(TITLES), 8, replace=False, p=weights / weights.sum())
        rows += _has(f"player-{player}", [TITLES[game] for game in chosen])
    rows += _has(COLLECTOR, [*TITLES, *SHELF])
    rows += _has(ALMOST, [title for title in TITLES if title not in MISSING])
    rows += _has(LONELY, TITLES[:1])
    twice = [*rows, *rows]
    return [*twice, ("player-0", TITLES[0], "play", "inf"), ("player-1", TITLES[1], "play", "NaN")]


def equal_rows(players: int = 30, games: int = 12) -> list[Row]:
    """All players have the same games."""
    titles = [f"Plain Game {number}" for number in range(games)]
    return [row for player in range(players) for row in _has(f"player-{player}", titles)]


def written(path: Path, rows: Iterable[Row]) -> Path:
    """The rows as a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(HEADER)
        out.writerows(rows)
    return path


def _has(player: str, titles: Iterable[str]) -> Iterator[Row]:
    return ((player, title, "play", "5") for title in titles)
