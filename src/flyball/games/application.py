"""The flagship application: recommending games, from rows of purchases and plays to an API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from flyball.domain.schema import Column, ColumnType, Schema

if TYPE_CHECKING:
    import polars as pl
    from fastapi import APIRouter

    from flyball.ports import Evaluation, Host, Model, Prepared, Servable

PROBED_PLAYERS = 64

SCHEMA = Schema(
    columns=(
        Column(name="user_id", type=ColumnType.STRING, aliases=("user", "userid", "player")),
        Column(name="title", type=ColumnType.STRING, aliases=("game", "name", "item", "app_name")),
        Column(
            name="event",
            type=ColumnType.STRING,
            required=False,  # without this column every row is a purchase
            aliases=("behavior", "behaviour", "action", "type", "event_type"),
            allowed=("purchase", "play"),
        ),
        Column(
            name="value",
            type=ColumnType.NUMBER,
            required=False,
            nullable=True,
            aliases=("hours", "playtime"),
            minimum=0.0,
        ),
        Column(
            name="timestamp",
            type=ColumnType.TIMESTAMP,
            required=False,
            nullable=True,
            aliases=("date", "time", "ts"),
        ),
    ),
    headerless=("user_id", "title", "event", "value", ""),
)


class GamesApplication:
    """Recommends games to players from what they bought and played.

    A file without an ``event`` column is read as purchases. A purchase and a play say the same:
    the player has the game. Implements ``flyball.ports.Application``; its folds are
    ``flyball.recommend.Fold``, its models ``flyball.recommend.Recommender``.
    """

    name = "games"
    version = 1
    schema = SCHEMA
    key = ("user_id", "title", "event", "value", "timestamp")
    objective = "ndcg@10"
    families = ("popularity", "ease")
    checks = ("artifact", "accuracy", "latency", "integration")

    def prepare(self, frame: pl.DataFrame, *, seed: int) -> Prepared:
        """Hold out a fifth of the games of each player with five or more, by hash.

        Raises:
            TrainingError: too little data to learn or to judge from; says how much is needed.
        """
        from flyball.games.preparation import prepare

        return prepare(frame, seed=seed, baseline="popularity")

    def evaluate(self, model: Model, fold: Any) -> Evaluation:
        """``ndcg@10``, ``recall@20`` and ``hit@10`` by player, and ``coverage@10``."""
        from flyball.games.evaluation import evaluate

        return evaluate(model, fold)

    def evaluate_artifact(self, directory: Path, fold: Any) -> Evaluation:
        """The same of a packaged model; games it does not know come after all it knows.

        Raises:
            ArtifactCorrupt: the artifact cannot be read.
        """
        from flyball.games.artifact import Artifact
        from flyball.games.evaluation import Translated, evaluate

        return evaluate(Translated(Artifact.open(directory), fold.train.items), fold)

    def package(
        self, model: Model, prepared: Prepared, frame: pl.DataFrame, directory: Path
    ) -> None:
        """Write the model, its catalogue and the players' games, as ``artifact`` describes.

        Raises:
            TrainingError: the model was not fitted on this data.
            StorageUnavailable: the disk refused it.
        """
        from flyball.games.artifact import write
        from flyball.games.preparation import titles

        write(directory, cast(Any, model), prepared.final, titles(frame))

    def open(self, directory: Path) -> Servable:
        """Load an artifact for serving, its arrays mapped from disk.

        Raises:
            ArtifactCorrupt: a file is missing or damaged.
        """
        from flyball.games.artifact import Artifact
        from flyball.games.servable import GamesServable

        return GamesServable(Artifact.open(directory))

    def routes(self, host: Host) -> APIRouter:
        """The API under ``/v1``."""
        from flyball.games.routes import routes

        return routes(host)

    def scoring_probe(self, servable: Servable) -> Callable[[], None]:
        """Answers one known player at each call, going round over an even sample of them."""
        from flyball.games.servable import GamesServable
        from flyball.games.smoke import sample_players

        games = cast(GamesServable, servable)
        players = cycle(sample_players(games, PROBED_PLAYERS))

        def probe() -> None:
            games.recommend(next(players), k=10)

        return probe

    def exercise(self, url: str) -> Iterator[tuple[str, bool, str]]:
        """Call every endpoint of a running server as a client."""
        from flyball.games.exercise import exercise

        return exercise(url)
