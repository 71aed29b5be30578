"""Every protocol, on one page: what Flyball needs of the world and of an application.

Values go in and out; adapters live in ``storage``, ``executors`` and ``targets``, applications and
models in packages that register an entry point. Each protocol has a published contract suite in
``flyball.testing``: an implementation passes by inheriting it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Literal,
    Protocol,
    Self,
    TypeAlias,
    TypeVar,
    runtime_checkable,
)

from flyball.domain.access import ApiKey, Caller, Principal, RefreshFamily, SigningKey
from flyball.domain.bundle import ChainTip, SignedBundle
from flyball.domain.data import DataBatch, DatasetVersion, Forgotten
from flyball.domain.deployment import Deployment
from flyball.domain.judging import Standing
from flyball.domain.ledger import Entry, LedgerRow
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.notices import Notice
from flyball.domain.routing import Route, Variant, Watch, WorkerStatus
from flyball.domain.rules import Rules
from flyball.domain.schema import Schema
from flyball.domain.tensors import Outputs, Signature, Tensor
from flyball.domain.told import JobRun, Mark
from flyball.domain.traffic import Answers, Event, Shown, Window
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
    | Forgotten
    | Run
    | ModelVersion
    | ValidationReport
    | Deployment
    | Standing
    | SignedBundle
    | ChainTip
    | Route
    | Rules
    | WorkerStatus
    | ApiKey
    | Principal
    | RefreshFamily
    | SigningKey
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


LINE: Literal["__line"] = "__line"
REASON: Literal["__reason"] = "__reason"
DETAIL: Literal["__detail"] = "__detail"
RAW: Literal["__raw"] = "__raw"
"""Columns that come with rows: the line of the source, and why and how a row could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Consecutive rows of a source.

    Attributes:
        file: which of the source's files they come from; empty where it has only one.
        frame: the rows that could be read: the reading's ``columns``, in canonical order and
            types, then ``LINE`` (Int64; the row's number where the source has no lines, from 1).
        rejected: the rows that could not: ``LINE``, ``REASON`` (for example ``"number:value"``),
            ``DETAIL`` (words, without the value of a personal column), ``RAW`` (the line as it
            stands, where it could not be divided into cells and the schema has no personal column;
            else null), then ``columns`` as text.
        blank: how many records held no value at all; passed over.
        unread_cells: by column, how many cells of lenient columns could not be read.
    """

    file: str
    frame: pl.DataFrame
    rejected: pl.DataFrame
    blank: int = 0
    unread_cells: Mapping[str, int] = field(default_factory=dict)


class Reading(Protocol):
    """A source that was opened: its table, and its rows, once, in bounded memory.

    Attributes:
        source: where it is, as people may see it: without passwords.
        schema: the one it fits.
        columns: canonical names of the columns it has, in the schema's order.
        ignored: its columns that the schema does not know.
        pseudonymous: personal values are pseudonyms already (Flyball's own events).
    """

    source: str
    schema: Schema
    columns: tuple[str, ...]
    ignored: tuple[str, ...]
    pseudonymous: bool

    def __iter__(self) -> Iterator[Chunk]:
        """The rows, in the source's order.

        Raises:
            DataQualityError: the source is truncated, damaged or wrongly encoded further down.
        """
        ...


class Sources(Protocol):
    """Where data comes from."""

    def open(self, location: str, schemas: Sequence[Schema]) -> AbstractContextManager[Reading]:
        """Open CSV, JSONL, Parquet or Arrow, plain or packed (gzip, zstd, zip).

        Args:
            location: a file, a glob, a directory, ``http(s)://...``, ``s3://...``, a database
                (``<SQLAlchemy URL>#<SELECT statement>``) or ``events:MODEL:AFTER:UNTIL``.
            schemas: tables it may hold; the first that it fits counts.

        Raises:
            DataQualityError: missing columns, empty, header only, binary, wrongly encoded,
                truncated or wrong delimiter; the message says which, where, and what to do.
            NotFound: no such file or object.
            EnvironmentFailed: it could not be fetched, also after further attempts.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred:
    """What went to or came from a remote: how many objects and bytes were not there yet."""

    objects: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An object on this machine.

    Attributes:
        size: bytes it takes, in the cache and in a remote in the home.
        kept_at: when it was last kept, UTC; keeping the same bytes again counts.
    """

    size: int
    kept_at: datetime


class Datasets(Protocol):
    """Versioned data files, readable by the ``dvc`` command. Safe for several processes at once.

    Every file is named by its DVC hash (MD5, 32 hex digits), and so is a version: by the hash of
    its listing, without ``.dir``.
    """

    def keep(self, content: Path) -> str:
        """Store a copy of a file; returns its DVC hash. The same bytes are stored once.

        Raises:
            StorageUnavailable: no space, no permission; nothing was stored.
        """
        ...

    def lay_out(self, model: str, files: Mapping[str, str]) -> str:
        """Make these the dataset that people and ``dvc`` see; returns the version.

        Args:
            files: DVC hash by file name; each was kept.

        Raises:
            NotFound, ArtifactCorrupt: a file is nowhere sound.
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

    def push(self, md5s: Iterable[str]) -> Transferred:
        """Copy objects (files' hashes; a version's ends in ``.dir``) to the remote.

        Raises:
            NotFound, ArtifactCorrupt: one is not sound here; nothing unsound was copied.
            StorageUnavailable: the remote failed, also after further attempts.
        """
        ...

    def pull(self, md5s: Iterable[str]) -> Transferred:
        """Copy objects that are not sound here from the remote. Raises as ``push`` does."""
        ...

    def listing(self, version: str) -> Mapping[str, str]:
        """A version's files: DVC hash by name, by the bytes of its listing here.

        Raises:
            NotFound: the listing is not here; ``pull`` it.
        """
        ...

    def stored(self) -> Mapping[str, Stored]:
        """Every object here, by its hash (a listing's ends in ``.dir``)."""
        ...

    def remove(self, md5s: Iterable[str], *, kept_before: datetime) -> Transferred:
        """Remove objects from the cache, and from a remote in the home; returns what went.

        Missing is fine. One that was kept at ``kept_before`` or later stays: somebody may be about
        to name it.

        Raises:
            StorageUnavailable: no permission; the objects before it are gone.
        """
        ...


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

    def after(
        self,
        cursor: int,
        *,
        limit: int = 10_000,
        until: int | None = None,
        model: str | None = None,
        types: Collection[str] | None = None,
    ) -> tuple[list[Event], int]:
        """Events stored after a cursor (0: the first), in order of storing; the next cursor.

        A page with fewer than ``limit`` events is the last: the cursor is then behind everything
        that is stored now (up to ``until``), also behind what was not asked for.

        Args:
            until: only those up to and with this cursor.
            model: only this model's.
            types: only those of these types.
        """
        ...

    def before(self, at: datetime) -> int:
        """A cursor after which every event comes that was received at ``at`` or later.

        Many others may come after it as well: it is where to begin to read, in a store of any
        size, not what to go by.
        """
        ...

    def count(self, model: str | None = None) -> Mapping[str, int]:
        """How many events there are, by type."""
        ...

    def forget(self, model: str, user_id: str) -> int:
        """Remove every event of a user (their id as stored); returns how many there were."""
        ...

    def last(self) -> int:
        """The cursor after the newest event; 0 where there is none."""
        ...

    def add_windows(self, windows: Sequence[Window]) -> None:
        """Store one-second windows. The same (worker, start, model, version) again is ignored."""
        ...

    def forget_windows(self, *, before: datetime) -> int:
        """Drop windows that start before a time; returns how many there were."""
        ...

    def windows_after(
        self, cursor: int, *, model: str, since: datetime
    ) -> tuple[list[Window], int]:
        """A model's windows stored after a cursor (0: the first), as they were; the next cursor.

        For who follows them: each comes once, also one that was stored late.

        Args:
            since: only those that start at or after it.
        """
        ...

    def windows(self, model: str, *, since: datetime, version: str | None = None) -> list[Window]:
        """Windows that start at or after ``since``, oldest first."""
        ...


class ServedLists(Protocol):
    """Lists that were answered, kept for a while. Called from many processes at once."""

    def append(self, lists: Sequence[Shown]) -> None:
        """Write lists, in the order in which they were shown; not flushed to disk.

        Lists of people who were forgotten since are left out.

        Raises:
            StorageUnavailable: no space or no permission; some of them may be written.
        """
        ...

    def read(self, model: str, *, since: datetime, until: datetime) -> pl.DataFrame:
        """Lists shown from ``since`` to ``until`` (excluded), one a row, by time.

        Its columns are the fields of ``Shown``; ``shown_at`` as a time in UTC. What a killed
        process left half-written is passed over.

        Raises:
            StorageUnavailable: they cannot be read.
        """
        ...

    def forget(self, model: str, user_id: str) -> int:
        """Remove every list that was shown to a user until now; returns how many there were.

        Raises:
            StorageUnavailable: no space or no permission; the same call goes on.
        """
        ...

    def tidy(self) -> int:
        """Remove what is older, or takes more, than is kept, the oldest first; returns bytes.

        Raises:
            StorageUnavailable: no permission.
        """
        ...


class Lineage(Protocol):
    """Tells whoever keeps lineage what the loop did. Safe for several threads and processes."""

    def mark(self) -> Mark:
        """How far the records have been told.

        Raises:
            ArtifactCorrupt: what says so is damaged.
        """
        ...

    def tell(self, runs: Sequence[JobRun], *, before: Mark, after: Mark) -> None:
        """Write what was done, then the mark; after a crash between the two nothing is doubled.

        Args:
            before: the mark from which ``runs`` were worked out.
            after: how far the records are told with them; its ``size`` is set here.

        Raises:
            StaleWrite: the mark is not ``before`` any more: somebody else told it.
            StorageUnavailable: it cannot be written; tell it again.
        """
        ...

    def deliver(self, *, within_s: float) -> None:
        """Send what was written and not sent yet to the receiver, if there is one.

        Waits at most ``within_s`` seconds; sending goes on meanwhile. A receiver that is away is
        no error: what it missed is sent later.
        """
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


class Notifier(Protocol):
    """Tells people. Nothing that it raises or logs holds a secret (a webhook's URL, a password).

    Attributes:
        name: what it is called, for example ``"webhook"``; the same as long as it tells the same
            people.
        whom: whom it tells, as anybody may see it.
    """

    name: str
    whom: str

    def tell(self, notice: Notice) -> None:
        """Tell one thing; returns once it is handed over.

        Raises:
            EnvironmentFailed: it could not be handed over within the notifier's own time limit;
                says to whom and why. Telling again is right.
        """
        ...

    def reach(self) -> None:
        """Connect, and sign in where that is needed; nobody is told anything.

        Raises:
            EnvironmentFailed: it cannot be reached; says why.
        """
        ...


class NoticeTurn(Protocol):
    """One process's turn to tell, while it lasts.

    Attributes:
        told: the last row of the ledger that was told; None where nobody was told anything yet.
    """

    told: int | None

    def move(self, row: int) -> None:
        """Everything up to this row of the ledger is told.

        Raises:
            StorageUnavailable: that cannot be written; what was told will be told again.
        """
        ...


class NoticeMarks(Protocol):
    """How far each notifier was told. Safe for several threads and processes."""

    def turn(self, notifier: str) -> AbstractContextManager[NoticeTurn]:
        """The only turn of this notifier, over all processes; waits for another's end.

        Raises:
            StorageUnavailable: the mark cannot be read or kept.
        """
        ...

    def told(self, notifier: str) -> int | None:
        """How far it was told, without taking a turn. Raises as ``turn`` does."""
        ...


# --- an application's parts -------------------------------------------------------------------


Tables: TypeAlias = "Mapping[str, pl.DataFrame]"
"""The rows of a dataset version by table; a table without a batch is absent."""


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
    """Frozen, forbids extra keys, and has ``suggest(trial: Suggest) -> Self``.

    A family that is made of others has ``combining(best: Mapping[str, Any]) -> Self`` instead: from
    the best configuration found of each other family, the best first. The search asks it last.
    """

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
        split: how it was split, JSON types; the same tables and split give the same folds. ``kind``
            names the way, and ``cutoff`` the last day learnt from, where it is split by time: two
            versions are compared only where neither was taught what the other is asked.
        search: folds of rising fidelity for the search (training part, validation part); the last
            is the whole. Built on the training part only.
        final: the training part and the held-out test part.
        baseline: the family every candidate must beat.
        skipped: families that this data gives no reason to try, and why, in words.
    """

    split: Mapping[str, Any]
    search: Sequence[Any]
    final: Any
    baseline: str
    skipped: Mapping[str, str] = field(default_factory=dict)


class Servable(Protocol):
    """A loaded artifact, ready to answer. Read-only, shared by all requests of a worker."""

    def smoke(self) -> int:
        """Exercise it as its users would; returns how many requests it answered rightly.

        Raises:
            DeploymentError: an answer was wrong; says which.
        """
        ...


class Host(Protocol):
    """What a worker gives an application's routes.

    Attributes:
        answers: gives ids to the model's answers.
        exploration: the share of lists that chance may have a part in, in [0, 1].
    """

    model: str
    answers: Answers
    exploration: float

    def pseudonym(self, user: str) -> str:
        """The name under which the data knows a user. All below take a user by it."""
        ...

    def limit(self, caller: Caller, user: str) -> None:
        """Count a request that names a user, here by the id that the caller knows them by.

        Raises:
            TooManyRequests: there are more of them in a minute than there may be.
        """
        ...

    def choose(self, user: str | None) -> Choice:
        """The version that answers this user now.

        Args:
            user: as the data knows them; None where nobody is named: then each request is drawn
                by itself.

        Raises:
            NotFound: no version of the model is loaded yet (HTTP 503 at the edge).
        """
        ...

    def champion(self) -> Choice:
        """The version that serves, drawn for nobody: for what no version has a part in.

        Raises:
            NotFound: no version of the model is loaded yet (HTTP 503 at the edge).
        """
        ...

    def working(self, choice: Choice | None) -> None:
        """This process works on answers of this choice from here on; None: of none.

        Needed while a rollout is watched (``Choice.watch``): a version that never comes back is
        counted as failed for those whom it keeps waiting. The answers of one model are worked on
        by one thread.
        """
        ...

    def beside(self, choice: Choice) -> Choice | None:
        """The other version that is loaded, if any: it may answer where this one failed."""
        ...

    def fell_back(self, choice: Choice, to: str) -> None:
        """Count an answer that this version failed to give.

        Args:
            to: what gave it: ``"other_version"`` or ``"popularity"``.
        """
        ...

    def served(
        self, choice: Choice, endpoint: str, seconds: float, status: int, *, answers: int = 1
    ) -> None:
        """Count an answer in metrics and windows, or several that took the same time together.

        Those whom ``choice`` was drawn for are counted with it (``Choice.units``).
        """
        ...

    def shown(
        self,
        choice: Choice,
        recommendation_id: str,
        at_ms: int,
        user: str | None,
        items: Sequence[str],
        *,
        k: int,
        propensities: Sequence[float] | None = None,
        filtered: bool = False,
        fallback: str = "",
        trace: str = "",
    ) -> None:
        """Note a list that is being answered; it is stored later, and never keeps an answer back.

        Args:
            at_ms: milliseconds since 1970.
            user: as the data knows them; None where nobody was named.
            items: ids, the best first; not changed afterwards.
            propensities: of each item; default 1: this version always gives this list.
            k, filtered, fallback, trace: see ``Shown``.
        """
        ...

    async def accept(self, events: Sequence[Event]) -> list[bool]:
        """Store events; returns when they are on disk. True: new, False: a duplicate."""
        ...

    def overlay(self, user: str) -> Mapping[str, frozenset[str]]:
        """Item ids by event type (purchase, play, dislike) from events since the snapshots."""
        ...

    def rules(self) -> Any:
        """The business rules in force, as ``Application.read_rules`` gave them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A version chosen for one request.

    Attributes:
        share: the probability that a user gets this variant now, in (0, 1].
        watch: how the rollout under way is watched; None where none is.
        units: while it is: the tags (``routing.Draw``) of those whom it was drawn for. Empty for a
            version that stands in for another, or was asked for by name.
    """

    servable: Any
    version: str
    variant: Variant
    share: float = 1.0
    watch: Watch | None = None
    units: tuple[int, ...] = ()

    def drawn_for(self, units: tuple[int, ...]) -> Choice:
        """This choice for these units."""
        return Choice(
            servable=self.servable,
            version=self.version,
            variant=self.variant,
            share=self.share,
            watch=self.watch,
            units=units,
        )


class Application(Protocol):
    """A use of the platform: its data, its candidates, its measures and its API.

    Attributes:
        name: the plug-in's name, for example ``"games"``.
        version: of the feature code; a change makes the next version a new MAJOR.
        schemas: of its tables. Models learn from the first; the others are referred to.
        objective: the metric that decides, for example ``"ndcg@10"``.
        families: names of its candidate models (entry points in ``flyball.models``), the simplest
            first: of two that do equally well the earlier wins.
        checks: names of its validation checks (entry points in ``flyball.checks``).
    """

    name: str
    version: int
    schemas: tuple[Schema, ...]
    objective: str
    families: tuple[str, ...]
    checks: tuple[str, ...]

    def prepare(self, tables: Tables, *, seed: int) -> Prepared:
        """Split the rows of a dataset version.

        Raises:
            TrainingError: too little data to learn or to judge from; says how much is needed.
        """
        ...

    def evaluate(self, model: Model, fold: Any) -> Evaluation:
        """Judge a model on a fold's held-out part."""
        ...

    def package(self, model: Model, prepared: Prepared, tables: Tables, directory: Path) -> None:
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

    def read_rules(self, document: Mapping[str, Any]) -> Any:
        """Business rules, read from a document of JSON types; an empty one means none.

        Raises:
            ConfigurationError: it has none, or cannot read these; says which key is wrong.
        """
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
        """Try something out on the rows of a dataset version; nothing is kept but the answer.

        Args:
            name: of the experiment, for example ``"launch"``.
            model: the family to fit, as often as it takes; ``config``: its hyperparameters.
            options: the experiment's own, JSON types.

        Returns:
            JSON types.

        Raises:
            NotFound: it has no experiment of this name; names those it has.
            InvalidRequest: an option is unknown or wrong.
            TrainingError: the data is too little for it; says what is missing.
        """
        ...


class Inference(Protocol):
    """How one model answers in tensors (Open Inference Protocol v2).

    Attributes:
        signature: what it takes and gives; the same for all its versions.
    """

    signature: Signature

    async def infer(
        self,
        inputs: Mapping[str, Tensor],
        parameters: Mapping[str, Any],
        *,
        pinned: Choice | None,
        caller: Caller,
        deadline: float,
        trace: str,
    ) -> Outputs:
        """The outputs for these inputs.

        Args:
            inputs: by name; of the signature's types and shapes, none missing but optional ones.
            parameters: of the request: texts, numbers, booleans.
            pinned: the version that is to answer; None: those that the routes give each user.
            caller, deadline, trace: see ``flyball.exchange.Call``.

        Raises:
            InvalidRequest: inputs do not fit together, or a parameter is unknown or wrong.
        """
        ...


@dataclass(slots=True)
class Asking:
    """Who asks for a list, when, and what they did by then.

    Attributes:
        user: as the data knows them.
        k: how many items.
        overlay: their item ids by event type (purchase, play, dislike), as ``Host.overlay`` has it.
        at: when, UTC.
    """

    user: str
    k: int
    overlay: Mapping[str, frozenset[str]]
    at: datetime


@runtime_checkable
class Ranks(Protocol):
    """An ``Application`` that answers with lists, so that logs can judge a version. Optional."""

    def ranked(self, servable: Any, asked: Sequence[Asking], rules: Any) -> list[list[str]]:
        """What the servable would have answered to each: item ids, the best first.

        Args:
            rules: the business rules in force, as ``Application.read_rules`` gave them; or None.
        """
        ...


@runtime_checkable
class InTensors(Protocol):
    """An ``Application`` that answers the Open Inference Protocol as well. Optional."""

    def inference(self, host: Host) -> Inference:
        """How the model of this host answers."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckContext:
    """What a check may use.

    Attributes:
        application: the application.
        candidate: the version on trial; ``artifact`` is its directory (not yet verified).
        champion: the version serving now, with its directory, or None.
        champion_split: how the data was split that it learnt from; empty where there is none.
        tables: the rows of the dataset version it is judged on.
        prepared: those rows, split as recorded.
        objective: the metric that decides.
        limits: the configured gates.
        blobs, executor, target: to verify, to isolate, to serve.
        shared: where the checks of one validation keep what they work out together, by a name of
            theirs; gone with the validation.
    """

    application: Application
    candidate: ModelVersion
    champion: ModelVersion | None
    champion_split: Mapping[str, Any]
    tables: Tables
    prepared: Prepared
    objective: str
    limits: Gates
    blobs: Blobs
    executor: Executor
    target: Target
    shared: dict[str, Any] = field(default_factory=dict)


class Check(Protocol):
    """One test of a candidate."""

    name: ClassVar[str]

    def run(self, context: CheckContext) -> CheckResult:
        """Judge. A check that raises a FlyballError is recorded with verdict ``error``."""
        ...


Progress: TypeAlias = Callable[[Trial], None]
"""Called after each trial of a search."""
