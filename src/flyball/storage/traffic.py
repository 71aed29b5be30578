"""Live traffic in a database: the port ``Events``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from flyball.domain.traffic import Event, Window
from flyball.storage.database import insert_new, reading, writing
from flyball.storage.encoding import decoded, encoded
from flyball.storage.tables import EVENTS, WINDOWS

_CHUNK = 500
"""Rows in one statement."""

_LOCK_KEY = 0x6576656E7473  # "events": the advisory lock of appending
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SqlEvents:
    """Events and windows on one database, written by many processes at once. Thread-safe.

    The cursor of ``after`` is the row's number. A reader that saw row 8 must never meet row 7
    later. SQLite has one writer at a time, so rows appear in the order of their numbers. On
    PostgreSQL numbers are drawn before the commit, so an append takes an advisory lock first and
    keeps it until its commit: numbers then become visible in their order too.

    Args:
        engine: of ``flyball.storage.database.open_database``.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def append(self, events: Sequence[Event]) -> list[bool]:
        """See ``Events.append``."""
        first = {event.event_id: index for index, event in reversed(list(enumerate(events)))}
        rows = [_event_row(events[index]) for index in sorted(first.values())]
        if not rows:
            return []
        new: set[str] = set()
        with writing(self._engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_KEY)))
            for start in range(0, len(rows), _CHUNK):
                statement = insert_new(connection, EVENTS).returning(EVENTS.c.event_id)
                new.update(connection.scalars(statement, rows[start : start + _CHUNK]))
        return [e.event_id in new and first[e.event_id] == i for i, e in enumerate(events)]

    def after(
        self,
        cursor: int,
        *,
        limit: int = 10_000,
        until: int | None = None,
        model: str | None = None,
    ) -> tuple[list[Event], int]:
        """See ``Events.after``."""
        query = sa.select(EVENTS.c.seq, EVENTS.c.body).where(EVENTS.c.seq > cursor)
        if until is not None:
            query = query.where(EVENTS.c.seq <= until)
        if model is not None:
            query = query.where(EVENTS.c.model == model)
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(EVENTS.c.seq).limit(limit)).all()
        events = [decoded(Event, row.body, what=f"event {row.seq}") for row in rows]
        return events, rows[-1].seq if rows else cursor

    def count(self, model: str | None = None) -> Mapping[str, int]:
        """See ``Events.count``."""
        query = sa.select(EVENTS.c.type, sa.func.count()).group_by(EVENTS.c.type)
        if model is not None:
            query = query.where(EVENTS.c.model == model)
        with reading(self._engine) as connection:
            return dict(connection.execute(query).all())

    def last(self) -> int:
        """See ``Events.last``."""
        with reading(self._engine) as connection:
            return connection.execute(sa.select(sa.func.max(EVENTS.c.seq))).scalar() or 0

    def forget(self, model: str, user_id: str) -> int:
        """See ``Events.forget``."""
        # The user stands in the body alone: which bodies spell the id, the database finds; whose
        # they are, the values say.
        spelled = EVENTS.c.body.contains(encoded(user_id), autoescape=True)
        query = sa.select(EVENTS.c.seq, EVENTS.c.body).where(EVENTS.c.model == model, spelled)
        with writing(self._engine) as connection:
            if connection.dialect.name == "sqlite":  # else the bytes stay until they are reused
                connection.exec_driver_sql("PRAGMA secure_delete = ON")
            theirs = [
                row.seq
                for row in connection.execute(query)
                if decoded(Event, row.body, what=f"event {row.seq}").user_id == user_id
            ]
            for start in range(0, len(theirs), _CHUNK):
                chosen = EVENTS.c.seq.in_(theirs[start : start + _CHUNK])
                connection.execute(sa.delete(EVENTS).where(chosen))
        return len(theirs)

    def add_windows(self, windows: Sequence[Window]) -> None:
        """See ``Events.add_windows``."""
        if windows:
            with writing(self._engine) as connection:
                connection.execute(
                    insert_new(connection, WINDOWS), [_window_row(w) for w in windows]
                )

    def forget_windows(self, *, before: datetime) -> int:
        """See ``Events.forget_windows``."""
        with writing(self._engine) as connection:
            old = sa.delete(WINDOWS).where(WINDOWS.c.start_us < _us(before))
            return connection.execute(old).rowcount

    def windows(self, model: str, *, since: datetime, version: str | None = None) -> list[Window]:
        """See ``Events.windows``."""
        table = WINDOWS.c
        query = sa.select(table.body).where(table.model == model, table.start_us >= _us(since))
        if version is not None:
            query = query.where(table.version == version)
        with reading(self._engine) as connection:
            bodies = connection.scalars(query.order_by(table.start_us, table.worker)).all()
        return [decoded(Window, body, what=f"window of {model}") for body in bodies]


def _event_row(event: Event) -> dict[str, Any]:
    return {
        "event_id": event.event_id,
        "model": event.model,
        "type": str(event.type),
        "body": encoded(event),
    }


def _window_row(window: Window) -> dict[str, Any]:
    return {
        "worker": window.worker,
        "start_us": _us(window.start),
        "model": window.model,
        "version": window.version,
        "body": encoded(window),
    }


def _us(time: datetime) -> int:
    """Whole microseconds since 1970, UTC."""
    return (time - _EPOCH) // timedelta(microseconds=1)
