"""The durable workflow engine: one a process, under the home's lock.

A workflow's steps are recorded as they end. When the process is killed at any instant, the next
engine on the same home takes each unfinished workflow up at its first unfinished step.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from dbos import DBOS, DBOSClient, DBOSConfig
from sqlalchemy.exc import SQLAlchemyError

from flyball.domain.canonical import digest
from flyball.errors import FlyballError, StorageUnavailable
from flyball.loop.codec import JsonCodec, error_from
from flyball.loop.lock import control_lock
from flyball.loop.parts import Parts
from flyball.loop.pipeline import QUEUES, ROLLOUTS, WORK, register
from flyball.loop.tasks import Plain

APPLICATION = "flyball"
VERSION = "1"
"""Of the workflows' code: raised when a stored workflow could no longer go on with it."""

_POLL_S = 0.1
_UNFINISHED = frozenset({"PENDING", "ENQUEUED", "DELAYED"})


@contextmanager
def engine(parts: Parts, role: str) -> Iterator[None]:
    """Run workflows in this process while inside, unfinished ones of a killed process first.

    Raises:
        AlreadyRunning: another process holds the home; says which.
        StorageUnavailable: the workflows' database cannot be used.
    """
    with control_lock(parts.home, role, now=parts.clock.now()):
        _launch(parts)
        try:
            yield
        finally:
            DBOS.destroy(destroy_registry=True)


def _launch(parts: Parts) -> None:
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
    try:
        _write_ahead(url)
        DBOS(config=config)
        register(parts)
        DBOS.launch()
        DBOS.register_queue(WORK, worker_concurrency=1, polling_interval_sec=_POLL_S)
        DBOS.register_queue(ROLLOUTS, worker_concurrency=8, polling_interval_sec=_POLL_S)
    except (SQLAlchemyError, sqlite3.Error) as error:
        DBOS.destroy(destroy_registry=True)
        raise StorageUnavailable(
            f"the workflows' database {url.split('://')[-1]} cannot be used: {error}; "
            "if it is damaged, move it away: records, data and versions are kept elsewhere"
        ) from error


def _write_ahead(url: str) -> None:
    """SQLite's write-ahead log: the engine never asks for it, and halves a step's cost by it."""
    if url.startswith("sqlite:///"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=10)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        finally:
            connection.close()


class Client:
    """Hands workflows to the home's engine, in this process or another, and follows them."""

    def __init__(self, parts: Parts) -> None:
        self._client = DBOSClient(
            system_database_url=parts.workflows_url(),
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
        stem = f"{kind}-{digest(request)[:20]}"
        attempt = 1
        while (status := self._status(f"{stem}-{attempt}")) is not None:
            if status in _UNFINISHED:
                return f"{stem}-{attempt}"
            attempt += 1
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
        """Whether it has a result or an error."""
        return self._status(workflow) not in _UNFINISHED

    def result(self, workflow: str) -> Plain:
        """What it returned; waits for it.

        Raises:
            FlyballError: the one that ended it.
        """
        try:
            found: Plain = self._client.retrieve_workflow(workflow).get_result(
                polling_interval_sec=_POLL_S
            )
        except FlyballError:
            raise
        except Exception as error:
            raise error_from(type(error).__name__, str(error)) from error
        return found

    def unfinished(self) -> list[str]:
        """Ids of workflows that have not ended."""
        return [
            status.workflow_id for status in self._client.list_workflows(status=sorted(_UNFINISHED))
        ]

    def _status(self, workflow: str) -> str | None:
        found = self._client.list_workflows(workflow_ids=[workflow])
        return found[0].status if found else None
