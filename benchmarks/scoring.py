"""Answering one player: ten games with filters, on one thread, at two sizes of the catalogue.

    python -m benchmarks.scoring [--games 5155] [--models ease,trending] [--rounds 5]

Made data (``benchmarks.interactions_made``) become an artifact and a servable, as ``flyball
train`` and a worker make them. *Scoring* is from the player's name to the columns of the ten best
games: history, scores, what the player has and what the filters stop. *The whole answer* adds
calibrated scores, reasons and titles. A blend adds up models that cannot be folded into one, its
worst case. Exits 1 where a median is above what is asked.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.interactions_made import made
from benchmarks.table import Line, judged
from flyball import plugins
from flyball.games.artifact import Artifact, write
from flyball.games.catalogue import Catalogue, Game
from flyball.games.messages import Filters
from flyball.games.servable import GamesServable
from flyball.recommend import Fold, HoldoutSplit
from flyball.recommend.blend import Blend

LIMITS = {5_155: 150.0, 20_000: 600.0}
"""Microseconds, by number of games."""

USERS = {5_155: (12_393, 128_804), 20_000: (50_000, 500_000)}
"""Players and interactions; the first are those of steam-200k."""

MODELS = ("ease", "feature_ease", "blend", "trending")
GENRES = ("Action", "Adventure", "Indie", "RPG", "Simulation", "Sports", "Strategy")
FILTERS = Filters(genres=["Indie"], max_price=30.0)
PLAYERS, WARM = 500, 100


def folded(n_games: int) -> tuple[Fold, Any, Catalogue]:
    """A fold of made data, the whole of them, and the catalogue."""
    data = made(USERS[n_games][0], n_games, USERS[n_games][1])
    fold = HoldoutSplit(seed=1).fold(data.frame())
    ids = data.items.tolist()
    fold = fold.widened(ids).described(data.features)
    rng = np.random.default_rng(2)
    genres = rng.integers(0, len(GENRES), (n_games, 2))
    prices = rng.integers(0, 60, n_games)
    games = (
        Game(
            game_id=id,
            title=f"Game {id}",
            genres=tuple(sorted({GENRES[g] for g in mine})),
            price_usd=float(price),
        )
        for id, mine, price in zip(ids, genres, prices, strict=True)
    )
    return fold, data, Catalogue(tuple(games))


def servables(n_games: int, wanted: list[str], folder: Path) -> Iterator[tuple[str, GamesServable]]:
    """Each model, fitted, packaged and opened."""
    fold, data, catalogue = folded(n_games)
    kinds = {name: plugins.model(name) for name in ("ease", "trending", *wanted)}
    fitted: dict[str, Any] = {}

    def model(name: str) -> Any:
        if name not in fitted:
            fitted[name] = (
                Blend([model("ease"), model("trending")], [1.0, 0.5])
                if name == "blend"
                else kinds[name].fit(fold.train, kinds[name].Config())
            )
        return fitted[name]

    for name in wanted:
        directory = folder / f"{name}-{n_games}"
        directory.mkdir()
        write(directory, model(name), fold, data, catalogue)
        yield name, GamesServable(Artifact.open(directory))


def medians(answer: Callable[[str], object], players: list[str], rounds: int) -> list[float]:
    """The median microseconds of each round over all players."""
    for player in players[:WARM]:
        answer(player)
    found = []
    for _ in range(rounds):
        times = []
        for player in players:
            began = time.perf_counter_ns()
            answer(player)
            times.append(time.perf_counter_ns() - began)
        found.append(float(np.median(times)) / 1000)
    return found


def lines(name: str, games: GamesServable, rounds: int) -> list[Line]:
    """Of one model."""
    users = games.artifact.users
    some = np.random.default_rng(3).permutation(len(users))[:PLAYERS]
    players = [user.decode() for user in users[some].tolist()]

    def scored(player: str) -> object:
        return games._slate(games.owned(player), FILTERS, {}).best(10)  # what recommend() calls

    def answered(player: str) -> object:
        return games.recommend(player, k=10, filters=FILTERS)

    full = sum(len(answered(player).items) == 10 for player in players)  # type: ignore[attr-defined]
    if full < PLAYERS:
        raise SystemExit(f"{name}: {PLAYERS - full} lists were not full")
    n_games = len(games.catalogue)
    what = f"{name}, {n_games:,} games"
    limit = LIMITS[n_games]
    return [
        Line(what=what, values=medians(scored, players, rounds), limit=limit, unit="µs"),
        Line(what="... whole answer", values=medians(answered, players, rounds), unit="µs"),
    ]


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--games", type=int, choices=tuple(LIMITS), help="only this many")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    found = []
    for n_games in [asked.games] if asked.games else LIMITS:
        with tempfile.TemporaryDirectory(prefix="flyball-scoring-") as folder:
            for name, games in servables(n_games, asked.models.split(","), Path(folder)):
                with threadpool_limits(limits=1):
                    found += lines(name, games, asked.rounds)
    return judged("Ten games for one player, filtered by genre and price, one thread", found)


if __name__ == "__main__":
    sys.exit(main())
