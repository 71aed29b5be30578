"""A check's context on a world of games: packaged recommenders of one dataset, good and bad."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from flyball.domain.names import Recipe
from flyball.games.application import GamesApplication
from flyball.games.world import World
from flyball.ports import CheckContext, Executor, Prepared, Tables
from flyball.recommend.ease import Ease, EaseConfig
from flyball.settings import Gates
from flyball.storage.blobs import FileBlobs
from flyball.testing.builders import a_version
from flyball.testing.fakes import FakeTarget

if TYPE_CHECKING:
    from flyball.domain.lifecycle import ModelVersion
    from flyball.recommend.protocols import Recommender

Spoil: TypeAlias = Callable[[Path], None]

SEED = 7


class GamesBench:
    """Makes contexts for checks of recommenders.

    Args:
        root: a directory of its own.
        tables: default half a year of 400 simulated players, dated; EASE passes every check on it.
    """

    def __init__(self, root: Path, tables: Tables | None = None) -> None:
        self.root = root
        self.application = GamesApplication()
        self.blobs = FileBlobs(root / "artifacts")
        self.tables = tables or {"interactions": World(SEED, 400).interactions()}
        self.prepared: Prepared = self.application.prepare(self.tables, seed=SEED)

    def version(
        self,
        number: str,
        model: Recommender,
        hyperparameters: Mapping[str, Any] | None = None,
        spoil: Spoil | None = None,
    ) -> ModelVersion:
        """A stored version; ``spoil`` changes its files before they are stored."""
        directory = self.root / number
        directory.mkdir()
        self.application.package(cast(Any, model), self.prepared, self.tables, directory)
        if spoil is not None:
            spoil(directory)
        recipe = Recipe(
            architecture=f"games@1/{model.family}@{model.version}",
            hyperparameters=dict(hyperparameters or {}),
            data_version="0" * 32,
        )
        artifact = self.blobs.put(directory)
        return a_version(number, family=model.family, artifact=artifact, recipe=recipe)

    def good(self, number: str = "1.0.0", **more: Any) -> ModelVersion:
        """EASE with its defaults."""
        return self.version(number, Ease.fit(self.prepared.final.train, EaseConfig()), **more)

    def context(self, candidate: ModelVersion, **fields: Any) -> CheckContext:
        """Everything a check may use, with any field overridden."""
        context = CheckContext(
            application=self.application,
            candidate=candidate,
            champion=None,
            champion_split={},
            tables=self.tables,
            prepared=self.prepared,
            objective=self.application.objective,
            limits=Gates(),
            blobs=self.blobs,
            executor=cast(Executor, None),  # nothing of theirs runs in another process
            target=FakeTarget(),
        )
        return replace(context, **fields)
