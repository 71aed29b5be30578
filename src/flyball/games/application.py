"""The flagship application: recommending games, from rows of purchases and plays to an API."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from flyball.errors import NotFound
from flyball.games.tables import CATALOGUE, INTERACTIONS

if TYPE_CHECKING:
    from fastapi import APIRouter

    from flyball.domain.schema import Schema
    from flyball.games.business_rules import GameRules
    from flyball.games.servable import GamesServable
    from flyball.ports import Asking, Evaluation, Host, Inference, Model, Prepared, Servable, Tables

PROBED_PLAYERS = 64


class GamesApplication:
    """Recommends games to players from what they bought, played and reviewed.

    A purchase, a play, a review and a row without an event say the same: the player has the game.
    What a catalogue lists of the games goes into answers and filters. Implements
    ``flyball.ports.Application``; its folds are ``flyball.recommend.Fold``, its models
    ``flyball.recommend.Recommender``.
    """

    name = "games"
    version = 3
    schemas: tuple[Schema, ...] = (INTERACTIONS, CATALOGUE)
    objective = "ndcg@10"
    families: tuple[str, ...] = (
        "popularity", "item_knn", "markov", "rp3beta", "content", "trending", "ease",
        "sparse_ease", "feature_ease", "als", "sasrec", "blend",
    )  # fmt: skip
    checks: tuple[str, ...] = (
        "artifact", "accuracy", "latency", "integration", "rivals", "segments", "bias", "shilling",
        "robustness", "leakage", "calibration",
    )  # fmt: skip

    def prepare(self, tables: Tables, *, seed: int) -> Prepared:
        """Hold out what came last, or without dates a fifth by hash; see ``splitting``.

        Raises:
            TrainingError: too little data to learn or to judge from; says how much is needed.
        """
        from flyball.games.preparation import prepare

        return prepare(tables, seed=seed, baseline="popularity")

    def evaluate(self, model: Model, fold: Any) -> Evaluation:
        """Ten measures of a full ranking; see ``evaluation``."""
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

    def package(self, model: Model, prepared: Prepared, tables: Tables, directory: Path) -> None:
        """Write the model, its catalogue and the players' games, as ``artifact`` describes.

        Raises:
            TrainingError: the model was not fitted on this data.
            StorageUnavailable: the disk refused it.
        """
        from flyball.games.artifact import write
        from flyball.games.preparation import catalogue, everything

        items = prepared.final.train.items.tolist()
        games = catalogue(tables, items)
        write(directory, cast(Any, model), prepared.final, everything(tables, items), games)

    def open(self, directory: Path) -> Servable:
        """Load an artifact for serving, its arrays mapped from disk.

        Raises:
            ArtifactCorrupt: a file is missing or damaged.
        """
        from flyball.games.artifact import Artifact
        from flyball.games.servable import GamesServable

        return GamesServable(Artifact.open(directory))

    def read_rules(self, document: Mapping[str, Any]) -> GameRules:
        """What the shop wants: hidden games, pins, boosts, diversity; see ``business_rules``.

        Raises:
            ConfigurationError: a key or value is wrong; says which.
        """
        from flyball.games.business_rules import read_rules

        return read_rules(document)

    def routes(self, host: Host) -> APIRouter:
        """The API under ``/v1``."""
        from flyball.games.routes import routes

        return routes(host)

    def inference(self, host: Host) -> Inference:
        """Recommendations in tensors; see ``infer``."""
        from flyball.games.infer import GamesInference
        from flyball.games.lists import Lists

        return GamesInference(host, Lists(host))

    def ranked(
        self, servable: GamesServable, asked: Sequence[Asking], rules: GameRules | None
    ) -> list[list[str]]:
        """The lists that a version would have answered; see ``flyball.ports.Ranks``."""
        from flyball.games.answering import Question

        questions = [
            Question(
                one.user, (), one.k, None, {"overlay": one.overlay, "rules": rules, "now": one.at}
            )
            for one in asked
        ]
        return [[item.game_id for item in found.items] for found in servable.answers(questions)]

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

    def experiment(
        self,
        name: str,
        model: type[Model],
        config: Any,
        tables: Tables,
        *,
        seed: int,
        options: Mapping[str, Any],
    ) -> Mapping[str, Any]:
        """``launch``: hide the newest games and see who finds them; see ``launch.launch``.

        Raises:
            NotFound: there is no experiment of this name.
            InvalidRequest: an option is unknown or wrong.
            TrainingError: too few games can be hidden, or too few players have any.
        """
        if name != "launch":
            raise NotFound(f"games has no experiment {name!r}; there is launch")
        from flyball.games.launch import asked, launch

        return launch(model, config, tables, seed=seed, **asked(options))
