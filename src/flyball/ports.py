"""Every protocol, on one page: what Flyball needs of the world and of an application.

Values go in and out; adapters live in ``storage``, ``executors`` and ``targets``, applications and
models in packages that register an entry point. Each protocol has a published contract suite in
``flyball.testing``: an implementation passes by inheriting it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self, TypeAlias, TypeVar

from flyball.domain.data import DataBatch, DatasetVersion
from flyball.domain.deployment import Deployment
from flyball.domain.ledger import Entry, LedgerRow
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.routing import Route, Variant, WorkerStatus
from flyball.domain.schema import Schema
from flyball.domain.traffic import Event, Window
from flyball.domain.training import Run, Trial
from flyball.domain.validation import CheckResult, ValidationReport

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from fastapi import APIRouter
    from pydantic import BaseModel

    from flyball.settings import Gates

Record: TypeAlias = (
    DataBatch
    | DatasetVersion
    | Run
    | ModelVersion
    | ValidationReport
    | Deployment
    | Route
    | WorkerStatus
)
R = TypeVar("R", bound=Record)


# --- the platform's needs ---------------------------------------------------------------------


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Now, in UTC, with its time zone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One record to write: new where ``replacing`` is None, else in place of exactly that value."""

    value: Record
    replacing: Record | None = None


class Records(Protocol):
    """What is: every record of the loop, and the ledger of how it came to be. Thread-safe."""

    def get(self, kind: type[R], id: str) -> R:
        """The record with this id.

        Raises:
            NotFound: there is none; names the kind, the id and the nearest ids there are.
            StorageUnavailable: the database cannot be read.
        """
        ...

    def find(self, kind: type[R], *, model: str | None = None, limit: int | None = None) -> list[R]:
        """Records of a kind, the first written first; with ``limit`` the last so many of them."""
        ...

    def commit(self, changes: Sequence[Change], entries: Sequence[Entry] = ()) -> None:
        """Write all changes and append all entries to the ledger, or nothing.

        Writing a new record that is already there with equal content changes nothing (and then
        appends no entries if all changes of the call were such), so that a step may be repeated.

        Raises:
            StaleWrite: a record no longer equals its ``replacing``, or a new one's id is taken by
                other content.
            StorageUnavailable: the database cannot be written; nothing was.
        """
        ...

    def discard(self, kind: type[R], id: str) -> None:
        """Forget a record that is no longer true (a worker that is gone). Missing is fine."""
        ...

    def ledger(self, *, model: str | None = None, limit: int | None = None) -> list[LedgerRow]:
        """Rows by rising ``seq``; with ``limit`` the last so many of them."""
        ...

    def verify_ledger(self) -> int:
        """Check the whole chain; returns the number of rows.

        Raises:
            LedgerBroken: names the first row that was changed, removed or reordered.
        """
        ...


class Blobs(Protocol):
    """Immutable directories, named by the digest of their content."""

    def put(self, directory: Path) -> str:
        """Store a copy of a directory; returns its digest (SHA-256, hex). Atomic: all or nothing.

        The same content twice is stored once.

        Raises:
            StorageUnavailable: no space, no permission.
        """
        ...

    def get(self, digest: str, *, verify: bool = True) -> Path:
        """A local, read-only directory with that content.

        Args:
            verify: read every byte and compare (always do before a first use).

        Raises:
            NotFound: no such content.
            ArtifactCorrupt: names the file that is missing, added or changed.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A file, read and made to fit a schema.

    Attributes:
        frame: canonical columns and types, in the file's order; rows that could not be read are
            left out.
        unreadable: by reason, how many rows were left out, and up to three examples in words.
    """

    frame: pl.DataFrame
    unreadable: Mapping[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)


class Sources(Protocol):
    """Where data comes from."""

    def read(self, location: str, schema: Schema) -> Table:
        """Read CSV, JSONL or Parquet, plain, ``.gz`` or ``.zst``.

        Raises:
            DataQualityError: missing columns, empty, header only, binary, wrongly encoded,
                truncated or wrong delimiter; the message says which, where, and what to do.
            NotFound: no such file.
        """
        ...


class Datasets(Protocol):
    """Versioned data files, readable by the ``dvc`` command."""

    def add(self, model: str, files: Mapping[str, str], name: str, content: Path) -> DatasetFiles:
        """Add one file to a model's dataset.

        Args:
            files: the dataset so far: DVC hash by file name (immutable history: the order of the
                names is the order of arrival).
            name: the new file's name in the dataset.
            content: where its bytes are now; they are copied.

        Returns:
            the new version and its files. Adding the same name and bytes again returns the same.

        Raises:
            StorageUnavailable: no space, no permission; the dataset is as it was.
        """
        ...

    def path(self, md5: str) -> Path:
        """A local, read-only file with that DVC hash.

        Raises:
            NotFound: neither in the cache nor in the remote.
            ArtifactCorrupt: the bytes there do not have that hash.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetFiles:
    """A dataset version (DVC hash without ``.dir``) and its files: DVC hash by name."""

    version: str
    files: Mapping[str, str]


class Tracker(Protocol):
    """Experiment tracking and model registry."""

    def record(
        self,
        run: Run,
        *,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        trials: Sequence[Trial],
        artifact: Path,
    ) -> str:
        """Track one finished run with its dataset input; returns the tracker's id of it.

        Idempotent by ``run.id``: a run that is there already is completed, never doubled.
        """
        ...

    def register(self, version: ModelVersion, tracked_as: str) -> None:
        """Register a version under its model, tagged with its name. Idempotent."""
        ...

    def alias(
        self, model: str, alias: Literal["champion", "challenger"], version: str | None
    ) -> None:
        """Point an alias at a version, or remove it."""
        ...


class Events(Protocol):
    """Live traffic, stored. Called from many processes at once."""

    def append(self, events: Sequence[Event]) -> list[bool]:
        """Store events durably; returns, for each, whether it was new (False: a duplicate id).

        When this returns, they are on disk (flushed, not only written).

        Raises:
            StorageUnavailable: nothing of the call was stored.
        """
        ...

    def after(self, cursor: int, *, limit: int = 10_000) -> tuple[list[Event], int]:
        """Events stored after a cursor (0: the first), in order of storing; the next cursor."""
        ...

    def count(self, model: str | None = None) -> Mapping[str, int]:
        """How many events there are, by type."""
        ...

    def add_windows(self, windows: Sequence[Window]) -> None:
        """Store one-second windows. The same (worker, start, model, version) again is ignored."""
        ...

    def forget_windows(self, *, before: datetime) -> int:
        """Drop windows that start before a time; returns how many there were."""
        ...

    def windows(self, model: str, *, since: datetime, version: str | None = None) -> list[Window]:
        """Windows that start at or after ``since``, oldest first."""
        ...


class Executor(Protocol):
    """Runs one function in a separate process, so that its crash, memory or hang stays there."""

    def call(self, function: str, request: Mapping[str, Any], *, timeout_s: float) -> Any:
        """The JSON result of ``"package.module:function"`` called with ``request``.

        The child ends when this process ends, however it ends.

        Raises:
            FlyballError: of the kind that the function raised, with its message.
            EnvironmentFailed: the child crashed, was killed (out of memory), or ran past
                ``timeout_s``; says which, with the end of its standard error.
        """
        ...


class Target(Protocol):
    """Where versions serve: makes a route real, and says what is."""

    def workers(self) -> list[WorkerStatus]:
        """The serving processes that are alive."""
        ...

    def candidate(self, version: ModelVersion) -> AbstractContextManager[str]:
        """A real, separate inference server that serves only this version; gives its URL.

        Raises:
            DeploymentError: it did not become ready; says why.
        """
        ...

    def at_least_one_worker(self) -> AbstractContextManager[None]:
        """While inside, some worker follows the routes: a temporary one if none is alive."""
        ...


# --- an application's parts -------------------------------------------------------------------


class Suggest(Protocol):
    """The part of an Optuna trial that a search space needs."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number from [low, high]."""
        ...

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """A whole number from [low, high]."""
        ...

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of the choices."""
        ...


class Model(Protocol):
    """A trainable model: a typed config with its search space, and four verbs.

    ``data``, ``queries`` and the shape of predictions belong to the application that uses it.
    Deterministic for given data, config and number of threads.
    """

    family: ClassVar[str]
    version: ClassVar[int]
    Config: ClassVar[type[BaseModel]]
    """Frozen, forbids extra keys, and has ``suggest(trial: Suggest) -> Self``."""

    @classmethod
    def fit(cls, data: Any, config: Any) -> Self:
        """Learn. Raises TrainingError for data nothing can be learnt from."""
        ...

    def predict(self, queries: Any) -> np.ndarray:
        """One row of scores a query; finite."""
        ...

    def save(self, directory: Path) -> None:
        """Write ``.npy`` (``allow_pickle=False``), ``.safetensors``, JSON or Parquet files."""
        ...

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Open what ``save`` wrote, arrays mapped from disk."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a model is worth on a fold.

    Attributes:
        metrics: means, by metric name.
        units: the values behind each mean, shape (n,) in the fold's unit order (users, rows), so
            that two models on one fold compare pairwise.
    """

    metrics: Mapping[str, float]
    units: Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An application's data, split.

    Attributes:
        split: how it was split, JSON types; the same frame and split give the same folds.
        search: folds of rising fidelity for the search (training part, validation part); the last
            is the whole. Built on the training part only.
        final: the training part and the held-out test part.
        baseline: the family every candidate must beat.
    """

    split: Mapping[str, Any]
    search: Sequence[Any]
    final: Any
    baseline: str


class Servable(Protocol):
    """A loaded artifact, ready to answer. Read-only, shared by all requests of a worker."""

    def smoke(self) -> int:
        """Exercise it as its users would; returns how many requests it answered rightly.

        Raises:
            DeploymentError: an answer was wrong; says which.
        """
        ...


class Host(Protocol):
    """What a worker gives an application's routes."""

    model: str

    def choose(self, user: str) -> Choice:
        """The version that answers this user now.

        Raises:
            NotFound: no version of the model is loaded yet (HTTP 503 at the edge).
        """
        ...

    def served(self, choice: Choice, endpoint: str, seconds: float, status: int) -> None:
        """Count one answer in metrics and windows."""
        ...

    async def accept(self, events: Sequence[Event]) -> list[bool]:
        """Store events; returns when they are on disk. True: new, False: a duplicate."""
        ...

    def overlay(self, user: str) -> Mapping[str, frozenset[str]]:
        """Item ids by event type (purchase, play, dislike) from events since the snapshots."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A version chosen for one request."""

    servable: Any
    version: str
    variant: Variant


class Application(Protocol):
    """A use of the platform: its data, its candidates, its measures and its API.

    Attributes:
        name: the plug-in's name, for example ``"games"``.
        version: of the feature code; a change makes the next version a new MAJOR.
        schema: of its data.
        key: the columns whose repetition is a duplicate row.
        objective: the metric that decides, for example ``"ndcg@10"``.
        families: names of its candidate models (entry points in ``flyball.models``).
        checks: names of its validation checks (entry points in ``flyball.checks``).
    """

    name: str
    version: int
    schema: Schema
    key: tuple[str, ...]
    objective: str
    families: tuple[str, ...]
    checks: tuple[str, ...]

    def prepare(self, frame: pl.DataFrame, *, seed: int) -> Prepared:
        """Split the rows of a dataset version.

        Raises:
            TrainingError: too little data to learn or to judge from; says how much is needed.
        """
        ...

    def evaluate(self, model: Model, fold: Any) -> Evaluation:
        """Judge a model on a fold's held-out part."""
        ...

    def package(
        self, model: Model, prepared: Prepared, frame: pl.DataFrame, directory: Path
    ) -> None:
        """Write everything that serving needs beside the platform's manifest."""
        ...

    def evaluate_artifact(self, directory: Path, fold: Any) -> Evaluation:
        """Judge a packaged model on a fold, also one made from older data.

        Its items or columns are mapped to the fold's; what it does not know, it cannot score.
        """
        ...

    def open(self, directory: Path) -> Servable:
        """Load a verified artifact for serving."""
        ...

    def routes(self, host: Host) -> APIRouter:
        """Its HTTP routes, answered through ``host``."""
        ...

    def scoring_probe(self, servable: Servable) -> Callable[[], None]:
        """A function that answers one typical request, for the latency check."""
        ...

    def exercise(self, url: str) -> Iterator[tuple[str, bool, str]]:
        """Call its API on a running server: (what was tried, whether it held, detail)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckContext:
    """What a check may use.

    Attributes:
        application: the application.
        candidate: the version on trial; ``artifact`` is its directory (not yet verified).
        champion: the version serving now, with its directory, or None.
        frame: the rows of the dataset version it is judged on.
        prepared: those rows, split as recorded.
        objective: the metric that decides.
        limits: the configured gates.
        blobs, executor, target: to verify, to isolate, to serve.
    """

    application: Application
    candidate: ModelVersion
    champion: ModelVersion | None
    frame: pl.DataFrame
    prepared: Prepared
    objective: str
    limits: Gates
    blobs: Blobs
    executor: Executor
    target: Target


class Check(Protocol):
    """One test of a candidate."""

    name: ClassVar[str]

    def run(self, context: CheckContext) -> CheckResult:
        """Judge. A check that raises a FlyballError is recorded with verdict ``error``."""
        ...


Progress: TypeAlias = Callable[[Trial], None]
"""Called after each trial of a search."""
