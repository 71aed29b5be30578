"""The only file that builds adapters: settings in, a platform out.

Each part is built on its first use, because most commands need few of them and some are heavy
(MLflow, DVC).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from flyball import plugins
from flyball.domain.facts import Facts
from flyball.domain.privacy import Pseudonyms
from flyball.domain.schema import Schema
from flyball.domain.traffic import Answers
from flyball.ports import (
    Application,
    Blobs,
    Check,
    Clock,
    Datasets,
    Events,
    Executor,
    Lineage,
    NoticeMarks,
    Notifier,
    Records,
    ServedLists,
    Sources,
    Target,
    Tracker,
)
from flyball.settings import ModelSettings, Settings
from flyball.storage.files import made

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from flyball.storage.spool import Spool

T = TypeVar("T")


class Platform:
    """One installation's adapters, each built once, on first use. Thread-safe.

    Close it when done; a part that is used after that is built anew.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.home = settings.home.resolve()
        self._parts: dict[str, Any] = {}
        self._opened = ExitStack()
        self._lock = threading.RLock()

    def close(self) -> None:
        """Let go of every connection that was opened. Harmless to repeat."""
        with self._lock:
            self._parts.clear()
            self._opened.close()

    def _once(self, name: str, build: Callable[[], T]) -> T:
        with self._lock:
            if name not in self._parts:
                self._parts[name] = build()
            return cast(T, self._parts[name])

    @property
    def clock(self) -> Clock:
        """The system's clock."""
        from flyball.telemetry.clock import SystemClock

        return self._once("clock", SystemClock)

    @property
    def records(self) -> Records:
        """Records and ledger, and signed evidence of every move of a version."""
        from flyball.storage.records import SqlRecords
        from flyball.storage.signed import SignedRecords
        from flyball.storage.signing import Signer

        def records() -> Records:
            signer = Signer(self.home, self.settings.evidence.key)
            return SignedRecords(SqlRecords(self._database()), signer, self._facts)

        return self._once("records", records)

    def _facts(self, *known: Any) -> Facts:
        """What evidence says of a version. See ``steps.bundles.gathered``."""
        from flyball.steps.bundles import gathered

        return gathered(*known, blobs=self.blobs)

    @property
    def events(self) -> Events:
        """Live traffic."""
        from flyball.storage.traffic import SqlEvents

        return self._once("events", lambda: SqlEvents(self._database()))

    @property
    def served(self) -> ServedLists:
        """Lists that were shown."""
        from flyball.storage.served import FileServed

        def served() -> ServedLists:
            kept, server = self.home / "served", self.settings.server
            made = FileServed(
                kept, keep=server.keep_served, limit=server.served_limit, clock=self.clock
            )
            self._opened.callback(made.close)
            return made

        return self._once("served", served)

    @property
    def spool(self) -> Spool:
        """Where this process keeps events while the database is away."""
        from flyball.storage.spool import Spool

        return self._once("spool", lambda: Spool(self.home / "spool", self.settings.server.spool))

    def answers(self, model: str) -> Answers:
        """What gives a model's answers their ids, and reads them again."""
        key = self.pseudonyms.derived(f"answers of {model}")
        return Answers(key, within=self.settings.server.join_within)

    @property
    def blobs(self) -> Blobs:
        """Artifacts."""
        from flyball.storage.blobs import FileBlobs

        return self._once("blobs", lambda: FileBlobs(self.settings.artifacts_dir))

    @property
    def sources(self) -> Sources:
        """Where data comes from."""
        from flyball.storage.sources import FileSources

        return self._once("sources", lambda: FileSources(self.scratch(), self.events))

    @property
    def pseudonyms(self) -> Pseudonyms:
        """What the names of people become."""
        from flyball.storage.secrets import pseudonyms

        return self._once("pseudonyms", lambda: pseudonyms(self.home, self.settings.privacy.key))

    @property
    def datasets(self) -> Datasets:
        """Versioned data."""
        from flyball.storage.datasets import DvcDatasets

        remote = self.settings.datasets.remote or str(self.home / "remote")
        return self._once("datasets", lambda: DvcDatasets(self.home, remote))

    @property
    def lineage(self) -> Lineage:
        """Who is told what the loop did."""
        from flyball.storage.lineage import FileLineage
        from flyball.storage.lineage_receiver import Receiver

        url = self.settings.lineage.url
        receiver = Receiver(url) if url else None
        return self._once("lineage", lambda: FileLineage(self.home / "lineage", receiver))

    @property
    def notifiers(self) -> tuple[Notifier, ...]:
        """Who is told what happens."""
        from flyball.notifiers.configured import configured

        return self._once("notifiers", lambda: configured(self.settings.notify))

    @property
    def notice_marks(self) -> NoticeMarks:
        """How far they were told."""
        from flyball.storage.notice_marks import FileNoticeMarks

        return self._once("notice marks", lambda: FileNoticeMarks(self.home / "notices"))

    @property
    def tracker(self) -> Tracker:
        """Runs and registry."""
        from flyball.storage.tracking import MlflowTracker

        def tracker() -> Tracker:
            made = MlflowTracker(self.settings.mlflow_uri, self.home / "mlruns")
            self._opened.callback(made.close)
            return made

        return self._once("tracker", tracker)

    @property
    def executor(self) -> Executor:
        """Separate processes for heavy work."""
        from flyball.executors.local import LocalExecutor

        return self._once("executor", LocalExecutor)

    @property
    def target(self) -> Target:
        """Where versions serve."""
        from flyball.targets.local import LocalTarget

        def local() -> Target:
            environment = self.settings.environment()
            return LocalTarget(self.home, self.records, self.clock, environment=environment)

        return self._once("target", local)

    def model(self, name: str) -> ModelSettings:
        """The settings of a model."""
        return self.settings.model(name)

    def application(self, model: str) -> Application:
        """The application of a model."""
        name = self.model(model).application
        return self._once(f"application:{name}", lambda: plugins.application(name))

    def schemas(self, model: str) -> tuple[Schema, ...]:
        """The tables of a model's data: reviewed ones, or its application's own.

        Raises:
            ConfigurationError: the reviewed file is wrong, or lacks the table that is learned from.
        """
        reviewed, own = self.model(model).schema_file, self.application(model).schemas
        if not reviewed:
            return own
        from flyball.steps.schema_file import load_schemas

        needed = own[0].name
        return self._once(
            f"schemas:{needed}:{reviewed}", lambda: load_schemas(Path(reviewed), needed=needed)
        )

    def checks(self, model: str) -> list[Check]:
        """The validation checks of a model's application."""
        return [plugins.check(name) for name in self.application(model).checks]

    def scratch(self) -> Path:
        """This process's folder for work in progress; on the home's disk: moves are atomic."""
        return made(self._once("scratch", self._own_scratch))

    def _own_scratch(self) -> Path:
        from flyball.loop.scratch import own_folder

        return self._opened.enter_context(own_folder(made(self.home / "scratch")))

    def study_url(self) -> str:
        """Where searches keep their checkpoints."""
        made(self.home)
        return f"sqlite:///{self.home / 'studies.sqlite'}"

    def workflows_url(self) -> str:
        """Where durable workflows keep their steps."""
        made(self.home)
        url = self.settings.database
        if not url.startswith("postgresql"):
            return f"sqlite:///{self.home / 'workflows.sqlite'}"
        from flyball.storage.postgresql import timed

        return timed(url)

    def _database(self) -> Engine:
        from flyball.storage.database import open_database

        def database() -> Engine:
            if not self.settings.database:
                made(self.home)
            engine = open_database(self.settings.database_url)
            self._opened.callback(engine.dispose)
            return engine

        return self._once("database", database)


def build(settings: Settings) -> Platform:
    """The platform of an installation. Touches nothing until a part is used."""
    return Platform(settings)
