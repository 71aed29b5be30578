"""Small stand-ins at the edges: a clock one turns by hand, records in memory, a settable target."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from flyball.domain import ledger
from flyball.domain.canonical import canonical_json
from flyball.domain.ledger import GENESIS, Entry, LedgerRow
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.nearest import not_found
from flyball.domain.routing import WorkerStatus
from flyball.errors import DeploymentError, StaleWrite, StorageUnavailable
from flyball.ports import Change, R, Record
from flyball.testing.builders import NOON


@dataclass(slots=True)
class ManualClock:
    """A clock that stands still until it is moved."""

    time: datetime = NOON

    def now(self) -> datetime:
        """The time it was set to, UTC."""
        return self.time

    def advance(self, seconds: float = 0.0, **parts: float) -> datetime:
        """Move on by ``seconds`` (and ``minutes=``, ``hours=``, ...); returns the new time."""
        self.time += timedelta(seconds=seconds, **parts)
        return self.time


@dataclass(slots=True)
class FakeTarget:
    """A target whose workers are what a test says they are.

    Attributes:
        running: the workers that are alive; set or change it as the test goes on.
        candidate_url: the URL of any candidate server; None: no candidate becomes ready.
        temporary: a worker that appears while ``at_least_one_worker`` is held and none runs.
        candidates: the versions that a candidate server was asked for, in order.
    """

    running: list[WorkerStatus] = field(default_factory=list)
    candidate_url: str | None = "http://127.0.0.1:9"
    temporary: WorkerStatus | None = None
    candidates: list[str] = field(default_factory=list)

    def workers(self) -> list[WorkerStatus]:
        """A copy of ``running``."""
        return list(self.running)

    @contextmanager
    def candidate(self, version: ModelVersion) -> Iterator[str]:
        """``candidate_url``. Raises DeploymentError where that is None."""
        self.candidates.append(version.id)
        if self.candidate_url is None:
            raise DeploymentError(f"the candidate {version.id} did not become ready")
        yield self.candidate_url

    @contextmanager
    def at_least_one_worker(self) -> Iterator[None]:
        """``temporary`` runs meanwhile, where it is set and no worker runs."""
        if self.running or self.temporary is None:
            yield
            return
        mine = self.temporary
        self.running.append(mine)
        try:
            yield
        finally:
            self.running = [worker for worker in self.running if worker.worker != mine.worker]


_Key = tuple[type[object], str]


class MemoryRecords:
    """``Records`` in a dictionary. Thread-safe; keeps every promise of ``RecordsContract``.

    Attributes:
        broken: while True every call raises StorageUnavailable, as with a full disk.
    """

    def __init__(self) -> None:
        self.broken = False
        self._lock = threading.RLock()
        self._values: dict[_Key, Record] = {}
        self._rows: list[LedgerRow] = []

    def get(self, kind: type[R], id: str) -> R:
        """See ``Records.get``."""
        with self._usable():
            if (kind, id) not in self._values:
                raise not_found(kind, id, [known for k, known in self._values if k is kind])
            return cast(R, self._values[kind, id])

    def find(self, kind: type[R], *, model: str | None = None, limit: int | None = None) -> list[R]:
        """See ``Records.find``."""
        with self._usable():
            found = [
                cast(R, value)
                for (k, _), value in self._values.items()
                if k is kind and model in (None, value.model)
            ]
        return found if limit is None else found[max(0, len(found) - limit) :]

    def commit(self, changes: Sequence[Change], entries: Sequence[Entry] = ()) -> None:
        """See ``Records.commit``."""
        with self._usable():
            values = dict(self._values)
            repeated = [not _write(values, change) for change in changes]
            if changes and all(repeated):
                return
            rows = list(self._rows)
            for entry in entries:
                previous = rows[-1].digest if rows else GENESIS
                rows.append(ledger.chained(entry, seq=len(rows) + 1, previous=previous))
            self._values, self._rows = values, rows

    def discard(self, kind: type[R], id: str) -> None:
        """See ``Records.discard``."""
        with self._usable():
            self._values.pop((kind, id), None)

    def ledger(self, *, model: str | None = None, limit: int | None = None) -> list[LedgerRow]:
        """See ``Records.ledger``."""
        with self._usable():
            rows = [row for row in self._rows if model in (None, row.entry.model)]
        return rows if limit is None else rows[max(0, len(rows) - limit) :]

    def verify_ledger(self) -> int:
        """See ``Records.verify_ledger``."""
        with self._usable():
            head = self._rows[-1].digest if self._rows else GENESIS
            return ledger.verify(self._rows, count=len(self._rows), head=head)

    @contextmanager
    def _usable(self) -> Iterator[None]:
        with self._lock:
            if self.broken:
                raise StorageUnavailable("the records were broken by the test")
            yield


def _write(values: dict[_Key, Record], change: Change) -> bool:
    """Put one change into ``values``; False where it was there already."""
    key = (type(change.value), change.value.id)
    canonical_json(change.value)  # refuses what a database could not keep
    stored = values.get(key)
    if change.replacing is None and stored is not None:
        if stored == change.value:
            return False
        raise StaleWrite(
            f"{key[1]} exists with other content; read it and decide again before writing"
        )
    if change.replacing is not None and stored != change.replacing:
        raise StaleWrite(f"{key[1]} was changed in the meantime; reload it and try again")
    values[key] = change.value
    return True
