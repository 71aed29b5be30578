"""An installation whose candidates go wrong, as its records tell."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from troubled_models import Trouble, Troubled, TroubledConfig

from flyball import Flyball, configuration
from flyball.domain.deployment import FINAL, Deployment, Phase
from flyball.domain.ledger import LedgerRow
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.routing import Route
from flyball.errors import FlyballError
from flyball.ports import Change
from flyball.testing.builders import a_recipe, a_run, a_version
from flyball.testing.games import packaged, some_purchases

MODEL = "games"
HERE = Path(__file__).parent
PATIENCE_S = 150.0
"""The machine may be busy: what has not come after this long never will."""

SETTINGS = """
[access]
required = false
client_rate = 0
user_rate = 0
[server]
workers = 2
[models.games]
application = "games"
[models.games.rollout]
steps = [0.3, 0.6, 1.0]
interval = "1s"
warm_up = "0.5s"
deadline = "90s"
bake = "2s"
window = "10s"
min_requests = 20
max_error_share = 0.1
"""
"""Steps of seconds: what a rollout takes hours for, on the same way."""

ENTRY_POINTS = "[flyball.models]\ntroubled = troubled_models:Troubled\n"
HISTORIES = (["metroid"], ["portal-2", "metroid"], ["tetris"])


def plug_in(folder: Path) -> Path:
    """Install the family ``troubled`` into a folder, as a user's package would be."""
    about = folder / "troubled-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: troubled\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    return folder


def until(
    holds: Callable[[], Any],
    seconds: float = PATIENCE_S,
    *,
    what: Callable[[], str] = lambda: "what is awaited",
) -> Any:
    """What ``holds`` says once it says something; fails after so many seconds."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not (found := holds()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what()}"
        pause.wait(0.03)
    return found


class Shop:
    """A home, its versions, and how they stand by its records.

    Args:
        home: made here.
        settings: the content of ``flyball.toml``.
    """

    def __init__(self, home: Path, settings: str = SETTINGS) -> None:
        home.mkdir(parents=True)
        (home / "flyball.toml").write_text(settings)
        self.home = home
        self.verbs = Flyball(config=configuration.load(home, environ={}), actor="operator:test")
        self._published = 0

    @property
    def records(self) -> Any:
        return self.verbs.platform.records

    @cached_property
    def purchases(self) -> Any:
        """What all versions are made from."""
        return some_purchases()

    def publish(self, trouble: Trouble = Trouble.NONE, *, after: int = 40) -> ModelVersion:
        """A version that passed all tests, and goes wrong as it is told."""
        config = TroubledConfig(trouble=trouble, after=after, number=self._published)
        family = type("Family", (Troubled,), {"Config": lambda: config})
        recipe = a_recipe(hyperparameters={"trouble": trouble.value, "number": self._published})
        version = a_version(
            f"1.0.{self._published}",
            family="troubled",
            recipe=recipe,
            run_id=f"{self._published:016x}",
            state=State.STAGING,
        )
        with tempfile.TemporaryDirectory() as folder:
            packaged(family, Path(folder), self.purchases)
            version = replace(version, artifact=self.verbs.platform.blobs.put(Path(folder)))
            self._register(version, Path(folder))
        self._published += 1
        self.records.commit([Change(value=version)])
        return version

    def _register(self, version: ModelVersion, artifact: Path) -> None:
        """As training does: the champion of MLflow's registry is one of those in it."""
        tracker, run = self.verbs.platform.tracker, a_run(run_id=version.run_id)
        tracked = tracker.record(run, params={}, metrics={}, trials=(), artifact=artifact)
        tracker.register(version, tracked)

    def artifact(self, version: ModelVersion) -> Path:
        """Where its artifact lies."""
        return self.verbs.platform.blobs.get(version.artifact, verify=False)

    def deployments(self, version: ModelVersion) -> list[Deployment]:
        """All of a version, the oldest first."""
        return [d for d in self.records.find(Deployment, model=MODEL) if d.version == version.name]

    def deployment(self, version: ModelVersion) -> Deployment:
        """The newest one of a version."""
        return self.deployments(version)[-1]

    def staffed(self) -> bool:
        """Whether there are two workers that are up to date, and a control process."""
        return bool(self.verbs.status().control) and self.settled()

    def state(self, version: ModelVersion) -> State:
        """Where it stands in its lifecycle."""
        return self.records.get(ModelVersion, version.id).state

    def champion(self) -> str | None:
        """The version that serves by the record."""
        return self.records.get(Route, MODEL).champion

    def settled(self) -> bool:
        """Whether every worker has applied the route."""
        route, workers = self.records.get(Route, MODEL), self.verbs.platform.target.workers()
        return len(workers) == 2 and all(
            worker.applied.get(MODEL, 0) >= route.generation for worker in workers
        )

    def ledger(self, version: ModelVersion) -> list[LedgerRow]:
        """What it tells of a version and its deployments."""
        own = {
            version.id,
            *(d.id for d in self.records.find(Deployment) if d.version == version.name),
        }
        return [row for row in self.verbs.ledger(MODEL) if row.entry.subject in own]

    def until(self, holds: Callable[[], Any], what: str, seconds: float = PATIENCE_S) -> Any:
        """Wait for something in the records; an unavailable database is no answer yet."""

        errors: list[FlyballError] = []

        def held() -> Any:
            try:
                return holds()
            except FlyballError as error:
                errors[:] = [error]
                return None

        return until(held, seconds, what=lambda: f"{what} {errors}")

    def at_step(self, version: ModelVersion, step: int) -> Deployment:
        """Wait until the version has its step's share, from 1, or has ended."""

        def there() -> Deployment | None:
            found = self.deployment(version)
            shared = len(found.shifts) >= step and found.shifts[-1].applied_at is not None
            over = found.phase not in (Phase.LOADING, Phase.ROLLING)
            return found if shared or over else None

        found: Deployment = self.until(there, f"step {step} of {version.name}")
        return found

    def ended(self, version: ModelVersion, *, bake: bool = True) -> Deployment:
        """Wait until its rollout has ended (without ``bake``: or bakes)."""
        last = FINAL if bake else FINAL | {Phase.BAKING}

        def over() -> Deployment | None:
            found = self.deployment(version)
            return found if found.phase in last else None

        found: Deployment = self.until(over, f"the end of {version.name}")
        return found
