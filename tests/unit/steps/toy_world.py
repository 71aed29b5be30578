"""A small world for training and validating the toy model: real files, records in memory."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from flyball.checks.latency import measure
from flyball.domain.data import EMPTY, DatasetVersion
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.training import Run
from flyball.errors import NotFound
from flyball.ports import Change
from flyball.settings import ModelSettings, Search
from flyball.steps.train import FitRequest, Trained, fit_candidate, train
from flyball.storage.blobs import FileBlobs
from flyball.testing.builders import NOON
from flyball.testing.fakes import FakeTarget, ManualClock, MemoryRecords
from flyball.testing.toy import MODELS, ToyApplication, a_frame


class Crash(BaseException):
    """The process ended here."""


@dataclass
class Effects:
    """Counts the effects of a process, and ends it right after one of them."""

    crash_at: int | None = None
    seen: list[str] = field(default_factory=list)

    def tick(self, what: str) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # progress: whether it is written at all depends on the machine's speed
        self.seen.append(what)
        if len(self.seen) - 1 == self.crash_at:
            raise Crash(what)

    def through(self, port: Any) -> Any:
        return _Watched(port, self)


class _Watched:
    """A port whose every call counts."""

    def __init__(self, port: Any, effects: Effects) -> None:
        self._port, self._effects = port, effects

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            result = found(*args, **kwargs)
            self._effects.tick(f"after {name}")
            return result

        return call


class FolderDatasets:
    """Files by their MD5, in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def keep(self, frame: pl.DataFrame) -> str:
        self.root.mkdir(exist_ok=True)
        draft = self.root / "draft"
        frame.write_parquet(draft)
        md5 = hashlib.md5(draft.read_bytes(), usedforsecurity=False).hexdigest()
        draft.rename(self.root / md5)
        return md5

    def path(self, md5: str) -> Path:
        if not (self.root / md5).is_file():
            raise NotFound(f"no file with hash {md5}")
        return self.root / md5


@dataclass
class BookTracker:
    """What was tracked, registered and aliased."""

    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    aliases: dict[tuple[str, str], str | None] = field(default_factory=dict)

    def record(self, run: Run, *, params: Any, metrics: Any, trials: Any, artifact: Path) -> str:
        files = sorted(path.name for path in artifact.rglob("*") if path.is_file())
        self.runs[run.id] = {"params": params, "metrics": metrics, "files": files}
        return f"tracked-{run.run_id}"

    def register(self, version: ModelVersion, tracked_as: str) -> None:
        self.versions[version.id] = tracked_as

    def alias(self, model: str, alias: str, version: str | None) -> None:
        self.aliases[model, alias] = version


@dataclass
class InProcess:
    """Runs the children's functions here, on the toy."""

    application: ToyApplication
    models: Mapping[str, Any]
    calls: list[str] = field(default_factory=list)
    meanwhile: Callable[[FitRequest], None] = lambda request: None

    def call(self, function: str, request: Mapping[str, Any], *, timeout_s: float) -> Any:
        self.calls.append(function)
        if function == "flyball.children:measure_scoring":
            return measure(self.application, Path(request["directory"]), requests=50)
        asked = FitRequest(**request)
        made = fit_candidate(asked, application=self.application, models=self.models)
        self.meanwhile(asked)
        return made


class ToyWorld:
    """One installation with one model, ``toy``."""

    def __init__(self, root: Path, *, frame: pl.DataFrame | None = None) -> None:
        self.root = root
        self.application = ToyApplication()
        self.records, self.clock = MemoryRecords(), ManualClock()
        self.datasets = FolderDatasets(root / "data")
        self.blobs = FileBlobs(root / "artifacts")
        self.tracker = BookTracker()
        self.executor = InProcess(self.application, MODELS)
        self.target = FakeTarget()
        self.settings = ModelSettings(application="toy", search=Search(trials=4))
        self.scratch = root / "scratch"
        self.scratch.mkdir()
        self.data = self.ingested(a_frame() if frame is None else frame)

    def ingested(self, frame: pl.DataFrame) -> DatasetVersion:
        md5 = self.datasets.keep(frame)
        count = len(self.records.find(DatasetVersion))
        data = DatasetVersion(
            model="toy",
            version=md5,
            batches=(f"batch{count}",),
            files={f"{count:04}-points-{md5[:12]}.parquet": md5},
            rows=frame.height,
            created_at=NOON,
        )
        start = DatasetVersion(
            model="toy", version=EMPTY, batches=(), files={}, rows=0, created_at=NOON
        )
        before = [v for v in self.records.find(DatasetVersion) if v.version == EMPTY]
        moved = Change(value=replace(start, head=md5), replacing=before[0] if before else None)
        self.records.commit([moved, Change(value=data)])
        return data

    def train(self, effects: Effects | None = None, **more: Any) -> Trained:
        """Train through ports that may crash."""
        watch: Callable[[Any], Any] = effects.through if effects else (lambda port: port)
        given = {
            "application": self.application,
            "data": None,
            "settings": self.settings,
            "records": watch(self.records),
            "datasets": watch(self.datasets),
            "blobs": watch(self.blobs),
            "tracker": watch(self.tracker),
            "executor": watch(self.executor),
            "clock": self.clock,
            "scratch": self.scratch,
            "study_url": f"sqlite:///{self.root / 'studies.sqlite'}",
            "actor": "control",
        }
        return train("toy", **(given | more))
