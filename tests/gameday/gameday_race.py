"""What racing processes run: each model is raced for once, both at the same instant."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

from flyball import Flyball
from flyball.domain.lifecycle import ModelVersion
from flyball.errors import FlyballError
from flyball.loop.tasks import desk
from flyball.ports import Change
from flyball.settings import ModelSettings, Settings
from flyball.steps.deploy import begin

PATIENCE_S = 120.0
WON = "won"


def settings_of(home: Path, models: Sequence[str]) -> Settings:
    """An installation with these models."""
    return Settings(home=home, models={model: ModelSettings() for model in models})


def roll_back(home: Path, models: Sequence[str], runner: int, start: Barrier, told: Queue) -> None:
    """Roll each model back."""
    verbs = Flyball(config=settings_of(home, models))
    verbs.status()  # everything is imported and open before the first race
    for model in models:
        start.wait(PATIENCE_S)
        try:
            verbs.rollback(model, reason=f"decided by runner {runner}")
            told.put((model, WON))
        except FlyballError as error:
            told.put((model, type(error).__name__))


def begin_deployment(
    home: Path, models: Sequence[str], runner: int, start: Barrier, told: Queue
) -> None:
    """Begin to deploy this runner's version of each model."""
    platform = Flyball(config=settings_of(home, models)).platform
    for model in models:
        version = platform.records.find(ModelVersion, model=model)[runner]
        start.wait(PATIENCE_S)
        try:
            begin(desk(platform, model, f"runner {runner}"), version, strategy="blue-green")
            told.put((model, WON))
        except FlyballError as error:
            told.put((model, type(error).__name__))


def commit(home: Path, models: Sequence[str], values: Sequence[object]) -> None:
    """Records to start from."""
    records = Flyball(config=settings_of(home, models)).platform.records
    records.commit([Change(value=value) for value in values])
