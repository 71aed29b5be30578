"""The durable workflow engine: one a process, under the home's lock.

A workflow's steps are recorded as they end. When the process is killed at any instant, the next
engine on the same home takes each unfinished workflow up at its first unfinished step.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from dbos import DBOS, DBOSClient, DBOSConfig
from dbos import error as dbos_error
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from flyball.domain.canonical import digest
from flyball.errors import FlyballError, StorageUnavailable
from flyball.loop.codec import JsonCodec, error_from
from flyball.loop.lock import CONTROL, control_lock
from flyball.loop.parts import Parts
from flyball.loop.pipeline import QUEUES, ROLLOUTS, WORK, register
from flyball.loop.scratch import sweep
from flyball.loop.tasks import Plain
from flyball.loop.troubles import report
from flyball.loop.underway import UNRECORDED_AFTER_S, Underway
from flyball.loop.upkeep import tell

APPLICATION = "flyball"
VERSION = "1"
"""Of the workflows' code: raised when a stored workflow could no longer go on with it."""

log = logging.getLogger("flyball.engine")

_POLL_S = 0.1
_TOLD_WITHIN_S = 2.0
"""How long a command that ends waits for a lineage receiver on the network."""

_MADE_WITHIN_S = 20.0
_UNMADE = ("no such table", "no such column", "does not exist")
"""What a database says whose tables another process is about to make."""

_DAMAGED = ("not a database", "malformed", "disk image")
_UNFINISHED = frozenset({"PENDING", "ENQUEUED", "DELAYED"})


@contextmanager
def engine(parts: Parts, role: str) -> Iterator[Underway]:
    """Run workflows in this process while inside, unfinished ones of a killed process first.

    Gives what is under way. The lasting control process also takes up again what it could not
    record the end of, once the disk lets it.

    Raises:
        AlreadyRunning: another process holds the home; says which.
        StorageUnavailable: the workflows' database cannot be used.
    """
    with control_lock(parts.home, role, now=parts.clock.now()):
        sweep(parts.scratch().parent)
        underway, over = Underway(), threading.Event()
        stranded = threading.Thread(
            target=_take_up_again, args=(underway, over), name="stranded", daemon=True
        )
        try:
            _launch(parts, underway)
            if role == CONTROL:
                stranded.start()
            yield underway
        finally:
            over.set()
            if stranded.is_alive():
                stranded.join(_POLL_S)  # it may be in the middle of a look at a slow database
            DBOS.destroy(destroy_registry=True)
            report(tell(parts, within_s=_TOLD_WITHIN_S), {})


def _launch(parts: Parts, underway: Underway) -> None:
    for name in ("dbos", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # errors reach the caller instead
    url = parts.workflows_url()
    config: DBOSConfig = {
        "name": APPLICATION,
        "system_database_url": url,
        "executor_id": "control",
        "application_version": VERSION,
        "serializer": JsonCodec(),
        "log_level": "CRITICAL",
    }
    with _translated(url):
        _write_ahead(url)
        DBOS(config=config)
        register(parts, underway)
        DBOS.launch()
        DBOS.register_queue(WORK, worker_concurrency=1, polling_interval_sec=_POLL_S)
        DBOS.register_queue(ROLLOUTS, worker_concurrency=8, polling_interval_sec=_POLL_S)


def _take_up_again(underway: Underway, over: threading.Event) -> None:
    """Resume what is unfinished while nobody works on it; a disk that is still full refuses."""
    while not over.wait(UNRECORDED_AFTER_S):
        if underway.rested_s() < UNRECORDED_AFTER_S:
            continue
        try:
            for status in DBOS.list_workflows(status="PENDING"):
                DBOS.resume_workflow(status.workflow_id)
        except (SQLAlchemyError, dbos_error.DBOSException) as error:
            log.warning("unfinished work cannot be taken up again yet: %s", error)


@contextmanager
def _translated(url: str) -> Iterator[None]:
    """Errors of the workflows' database as StorageUnavailable."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        reason = " ".join(str(cause).split())
        damaged = any(words in reason for words in _DAMAGED)
        raise StorageUnavailable(
            f"the workflows' database {_shown(url)} cannot be used: {reason}; "
            + (
                "it is damaged: move it away, then run the same command again (records, data and "
                "versions are kept elsewhere, and nothing is done twice)"
                if damaged
                else "free space or fix the permissions, then run the same command again"
            )
        ) from error


def _shown(url: str) -> str:
    """A database as messages name it: SQLite's by its path, another without its password."""
    parsed = make_url(url)
    if url.startswith("sqlite"):
        return parsed.database or ""
    return parsed.set(query={}).render_as_string()


def _write_ahead(url: str) -> None:
    """SQLite's write-ahead log: the engine never asks for it, and halves a step's cost by it."""
    if url.startswith("sqlite:///"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=10)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        finally:
            connection.close()


class Client:
    """Hands workflows to the home's engine, in this process or another, and follows them.

    Args:
        underway: of the engine in this process; None where another process runs it.

    Every method raises StorageUnavailable where the workflows' database cannot be used.
    """

    def __init__(self, parts: Parts, underway: Underway | None = None) -> None:
        self._url = parts.workflows_url()
        self._underway = underway
        with _translated(self._url):
            self._client = DBOSClient(
                system_database_url=self._url,
                serializer=JsonCodec(),
                application_name=APPLICATION,
            )

    def close(self) -> None:
        """Let the connections go."""
        self._client.destroy()

    def submit(self, kind: str, request: Plain) -> str:
        """Ask for a workflow; returns its id.

        The id is made from what is asked for, so the same request that is still under way (or was
        cut off by a kill) is joined and not begun again. One that ended is asked for anew, and
        its tasks find in the records what is already done.
        """
        if self._underway is not None:
            self._underway.awaited()
        self._await_tables()
        stem = f"{kind}-{digest(request)[:20]}"
        attempt = 1
        while (status := self._status(f"{stem}-{attempt}")) is not None:
            if status in _UNFINISHED:
                return f"{stem}-{attempt}"
            attempt += 1
        with _translated(self._url):
            self._client.enqueue(
                {
                    "workflow_name": kind,
                    "queue_name": QUEUES[kind],
                    "workflow_id": f"{stem}-{attempt}",
                    "app_version": VERSION,
                },
                request,
            )
        return f"{stem}-{attempt}"

    def ended(self, workflow: str) -> bool:
        """Whether it has a result or an error.

        Raises:
            FlyballError: it has none, and nobody works on it; see ``Underway.check``.
        """
        if self._status(workflow) not in _UNFINISHED:
            return True
        if self._underway is not None:
            self._underway.check(workflow)
        return False

    def result(self, workflow: str) -> Plain:
        """What it returned; waits for it.

        Raises:
            FlyballError: the one that ended it.
        """
        with _translated(self._url):
            try:
                found: Plain = self._client.retrieve_workflow(workflow).get_result(
                    polling_interval_sec=_POLL_S
                )
            except (FlyballError, SQLAlchemyError):
                raise
            except Exception as error:
                raise error_from(type(error).__name__, str(error)) from error
        return found

    def _status(self, workflow: str) -> str | None:
        with _translated(self._url):
            found = self._client.list_workflows(workflow_ids=[workflow])
        return found[0].status if found else None

    def _await_tables(self) -> None:
        """Where another process has only begun to hold the home, it still makes its tables."""
        pause, deadline = threading.Event(), time.monotonic() + _MADE_WITHIN_S
        while True:
            try:
                self._status("")
            except StorageUnavailable as error:
                said = str(error)
                unmade = any(w in said for w in _UNMADE) and 'database "' not in said
                if self._underway is not None or not unmade or time.monotonic() > deadline:
                    raise
                pause.wait(_POLL_S)
            else:
                return
