"""Live traffic in a database: the port ``Events``."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from flyball.domain.traffic import AHEAD, Event, Window
from flyball.storage.database import insert_new, name, reading, writing
from flyball.storage.encoding import decoded, encoded
from flyball.storage.event_times import EventTimes, row_before
from flyball.storage.faults import translated
from flyball.storage.tables import EVENTS, WINDOWS

APPEND_WAIT_S = 2.0
"""How long an append waits for other writers before it gives up: its sender waits as well."""

_CHUNK = 500
"""Rows in one statement."""

_TOGETHER = 100
"""Rows in one of SQLite's statements that store: as many as a usual batch has."""

_LOCK_KEY = 0x6576656E7473  # "events": the advisory lock of appending
_WINDOWS_KEY = 0x77696E646F77  # "window"
# Written out, because building and compiling them costs more than storing the events does.
_INTO = f"INTO {EVENTS.name} (event_id, model, type, body)"
_INSERT_SQLITE = f"INSERT OR IGNORE {_INTO} VALUES "  # noqa: S608 - constants
_INSERT_POSTGRESQL = (
    f"INSERT {_INTO} SELECT event_id, model, type, body "  # noqa: S608 - constants
    "FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) "
    "WITH ORDINALITY AS sent (event_id, model, type, body, place) ORDER BY place "
    "ON CONFLICT DO NOTHING RETURNING event_id"
)
_NEWEST = sa.select(sa.func.max(EVENTS.c.seq))
_Row = tuple[str, str, str, str]
_ENCODER = msgspec.json.Encoder()
_EVENT = msgspec.json.Decoder(Event)
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
        self._times = EventTimes()

    def append(self, events: Sequence[Event]) -> list[bool]:
        """See ``Events.append``. Waits at most ``APPEND_WAIT_S`` for other writers."""
        rows: dict[str, _Row] = {}
        with translated(name(self._engine)):
            for event in events:
                if event.event_id not in rows:
                    rows[event.event_id] = _event_row(event)
        if not rows:
            return []
        newest = _us(max(event.received_at for event in events))
        with writing(self._engine, wait_s=APPEND_WAIT_S) as connection:
            insert = _on_postgresql
            if connection.dialect.name == "sqlite":
                insert = _on_sqlite
            else:
                _wait_for_turn(connection)
            self._times.passed(connection, newest)
            new = insert(connection, rows)
        answers = []
        for event in events:
            answers.append(event.event_id in new)
            new.discard(event.event_id)  # of two with one id only the first is new
        return answers

    def after(
        self,
        cursor: int,
        *,
        limit: int = 10_000,
        until: int | None = None,
        model: str | None = None,
        types: Collection[str] | None = None,
    ) -> tuple[list[Event], int]:
        """See ``Events.after``."""
        query = sa.select(EVENTS.c.seq, EVENTS.c.body).where(EVENTS.c.seq > cursor)
        if model is not None:
            query = query.where(EVENTS.c.model == model)
        if types is not None:
            query = query.where(EVENTS.c.type.in_(sorted(types)))
        with reading(self._engine) as connection:
            newest = connection.execute(_NEWEST).scalar() or 0
            end = max(cursor, newest if until is None else min(until, newest))
            within = query.where(EVENTS.c.seq <= end).order_by(EVENTS.c.seq).limit(limit)
            rows = connection.execute(within).all() if end > cursor else []
        events = [_event(seq, body) for seq, body in rows]
        return events, rows[-1].seq if len(rows) == limit else end

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
            return connection.execute(_NEWEST).scalar() or 0

    def before(self, at: datetime) -> int:
        """See ``Events.before``."""
        with reading(self._engine) as connection:
            return row_before(connection, _us(at - AHEAD))

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
                if _event(row.seq, row.body).user_id == user_id
            ]
            for start in range(0, len(theirs), _CHUNK):
                chosen = EVENTS.c.seq.in_(theirs[start : start + _CHUNK])
                connection.execute(sa.delete(EVENTS).where(chosen))
        if theirs:
            self._empty_log()
        return len(theirs)

    def _empty_log(self) -> None:
        """Copy SQLite's log into the file, so that what was deleted does not stay in the log.

        Where a reader is in the way the log is emptied later, in the usual course.
        """
        with translated(name(self._engine)), self._engine.connect() as connection:
            if connection.dialect.name == "sqlite":  # outside of any transaction
                connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def add_windows(self, windows: Sequence[Window]) -> None:
        """See ``Events.add_windows``."""
        if windows:
            with writing(self._engine) as connection:
                if connection.dialect.name == "postgresql":  # numbers become visible in order
                    _wait_for_turn(connection, _WINDOWS_KEY)
                connection.execute(
                    insert_new(connection, WINDOWS), [_window_row(w) for w in windows]
                )

    def forget_windows(self, *, before: datetime) -> int:
        """See ``Events.forget_windows``."""
        with writing(self._engine) as connection:
            old = sa.delete(WINDOWS).where(WINDOWS.c.start_us < _us(before))
            return connection.execute(old).rowcount

    def windows_after(
        self, cursor: int, *, model: str, since: datetime
    ) -> tuple[list[Window], int]:
        """See ``Events.windows_after``."""
        table = WINDOWS.c
        query = sa.select(table.seq, table.body).where(
            table.model == model, table.seq > cursor, table.start_us >= _us(since)
        )
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(table.seq)).all()
        found = [decoded(Window, row.body, what=f"window of {model}") for row in rows]
        return found, rows[-1].seq if rows else cursor

    def windows(self, model: str, *, since: datetime, version: str | None = None) -> list[Window]:
        """See ``Events.windows``."""
        table = WINDOWS.c
        query = sa.select(table.body).where(table.model == model, table.start_us >= _us(since))
        if version is not None:
            query = query.where(table.version == version)
        with reading(self._engine) as connection:
            bodies = connection.scalars(query.order_by(table.start_us, table.worker)).all()
        return [decoded(Window, body, what=f"window of {model}") for body in bodies]


def _on_sqlite(connection: Connection, rows: Mapping[str, _Row]) -> set[str]:
    """Insert rows; the ids of those that were new. The transaction is the only writer."""
    last = connection.execute(_NEWEST).scalar() or 0
    # Many rows a statement: the driver lets other threads run during each statement, and then has
    # to wait for its turn again.
    inserted = 0
    for some in _batched(rows.values(), _TOGETHER):
        values = ",".join(["(?, ?, ?, ?)"] * len(some))
        done = connection.exec_driver_sql(_INSERT_SQLITE + values, tuple(chain(*some)))
        inserted += done.rowcount
    if inserted == len(rows):
        return set(rows)
    # Numbers only rise, also after deletions: what has a higher one than all before is new.
    fresh = sa.select(EVENTS.c.event_id).where(EVENTS.c.seq > last)
    return set(connection.scalars(fresh))


def _batched(rows: Iterable[_Row], size: int) -> Iterator[tuple[_Row, ...]]:
    left = iter(rows)
    while some := tuple(islice(left, size)):
        yield some


def _on_postgresql(connection: Connection, rows: Mapping[str, _Row]) -> set[str]:
    """Insert rows; the ids of those that were new."""
    columns = tuple(list(column) for column in zip(*rows.values(), strict=True))
    return set(connection.exec_driver_sql(_INSERT_POSTGRESQL, columns).scalars())


def _wait_for_turn(connection: Connection, key: int = _LOCK_KEY) -> None:
    """Become the only one who appends, on PostgreSQL."""
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(APPEND_WAIT_S * 1000)}")
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


def _event_row(event: Event) -> _Row:
    if event.value is not None and not math.isfinite(event.value):
        encoded(event)  # raises, and says what is wrong
    return event.event_id, event.model, event.type.value, _ENCODER.encode(event).decode()


def _event(seq: int, body: str) -> Event:
    try:
        return _EVENT.decode(body)
    except msgspec.DecodeError:
        return decoded(Event, body, what=f"event {seq}")  # raises, and says what to do


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
