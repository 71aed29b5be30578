"""What the loop needs of the platform that ``wiring`` builds."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from flyball.domain.privacy import Pseudonyms
from flyball.domain.schema import Schema
from flyball.ports import (
    Application,
    Blobs,
    Check,
    Clock,
    Datasets,
    Events,
    Executor,
    Lineage,
    Records,
    Sources,
    Target,
    Tracker,
)
from flyball.settings import ModelSettings, Settings


class Parts(Protocol):
    """One installation's adapters, built on first use. Thread-safe."""

    settings: Settings
    home: Path

    @property
    def clock(self) -> Clock: ...
    @property
    def records(self) -> Records: ...
    @property
    def events(self) -> Events: ...
    @property
    def blobs(self) -> Blobs: ...
    @property
    def sources(self) -> Sources: ...
    @property
    def datasets(self) -> Datasets: ...
    @property
    def lineage(self) -> Lineage: ...
    @property
    def tracker(self) -> Tracker: ...
    @property
    def executor(self) -> Executor: ...
    @property
    def target(self) -> Target: ...
    @property
    def pseudonyms(self) -> Pseudonyms: ...
    def schemas(self, model: str) -> tuple[Schema, ...]: ...
    def model(self, name: str) -> ModelSettings: ...
    def application(self, model: str) -> Application: ...
    def checks(self, model: str) -> list[Check]: ...
    def scratch(self) -> Path: ...
    def study_url(self) -> str: ...
    def workflows_url(self) -> str: ...
