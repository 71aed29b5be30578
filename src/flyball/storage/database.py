"""The database behind records and traffic: SQLite in a file, or PostgreSQL by its URL.

``open_database`` gives an engine whose schema is up to date. ``reading`` and ``writing`` are the
only ways to a connection; they turn what the driver raises into ``StorageUnavailable``.
"""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine

from flyball.errors import ConfigurationError
from flyball.storage.faults import translated
from flyball.storage.schema import ensure_schema

BUSY_TIMEOUT_S = 10
"""How long a write waits for another writer before it gives up."""

_WRITE = "flyball_write"
_WAIT = "flyball_wait"

_TURN_MS = 5
_CHECKPOINT_PAGES = 8_000
"""Pages of SQLite's log (32 MB) before they are copied into the file: each page is copied once,
however often it was written meanwhile."""


def open_database(url: str) -> Engine:
    """An engine on the database at ``url``, its tables made or migrated.

    Safe to call from many processes at once, and to use in a process forked later: no connection
    is shared with the parent.

    Args:
        url: ``sqlite:///<path>`` or ``postgresql+psycopg://user:password@host/database``.

    Raises:
        ConfigurationError: the URL cannot be read or names another kind of database.
        StorageUnavailable: folder, file, server, password or driver; says which and what to do.
            Also where the database was written by a newer Flyball.
    """
    engine = engine_on(url)
    _forget_connections_on_fork(engine)
    try:
        with translated(name(engine)):
            ensure_schema(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def engine_on(url: str) -> Engine:
    """An engine on the database at ``url``, whatever is in it. Nothing is asked of it yet.

    Raises:
        ConfigurationError: the URL cannot be read or names another kind of database.
        StorageUnavailable: its driver is not installed.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    from flyball.storage import postgresql

    return postgresql.engine_on(parsed)


def name(engine: Engine) -> str:
    """What messages call the database: its URL without the password."""
    return f"the database {engine.url.render_as_string(hide_password=True)}"


@contextmanager
def reading(engine: Engine, *, snapshot: bool = False) -> Iterator[Connection]:
    """A transaction that only reads; with ``snapshot`` all of it sees one moment.

    (SQLite always does; PostgreSQL is asked for REPEATABLE READ.)
    """
    options: dict[str, Any] = {}
    if snapshot and engine.dialect.name == "postgresql":
        options["isolation_level"] = "REPEATABLE READ"
    with translated(name(engine)), engine.execution_options(**options).begin() as connection:
        yield connection


@contextmanager
def writing(engine: Engine, *, wait_s: float = BUSY_TIMEOUT_S) -> Iterator[Connection]:
    """A transaction that writes: committed at the end, undone on any error.

    On SQLite it is the only writer from its first statement on (``BEGIN IMMEDIATE``), so that
    nothing it read can change before it writes; it waits ``wait_s`` for the one before it.
    """
    options = {_WRITE: True, _WAIT: wait_s}
    with translated(name(engine)), engine.execution_options(**options).begin() as connection:
        yield connection


def insert_new(connection: Connection, table: sa.Table) -> Any:
    """An insert that leaves rows alone that are there already.

    The dialect is imported here: PostgreSQL's takes a tenth of a second that a laptop never needs.
    """
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert

        return insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects.sqlite import insert as sqlite_insert

    return sqlite_insert(table).on_conflict_do_nothing()


def _parsed(url: str) -> URL:
    try:
        parsed = sa.make_url(url)
        backend = parsed.get_backend_name()
    except (sa.exc.ArgumentError, ValueError):
        backend = ""
    if backend == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    raise ConfigurationError(
        "the setting `database` must be sqlite:///<path to a file> or "
        "postgresql+psycopg://user:password@host/database"
    )


def _sqlite(url: URL) -> Engine:
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver begins nothing; `begin` below does
        connection.execute("PRAGMA synchronous=FULL")  # a commit is on disk when it returns
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get(_WRITE):
            _begin_writing(connection, options.get(_WAIT, BUSY_TIMEOUT_S))
        else:
            connection.exec_driver_sql("BEGIN")

    return engine


def _begin_writing(connection: Connection, wait_s: float) -> None:
    """Become the only writer.

    SQLite waits by sleeping, soon for a tenth of a second at a time: it would miss most of the
    moments between other writers' transactions. So it is asked again before it sleeps that long.
    """
    driver = connection.connection.driver_connection
    assert driver is not None
    deadline = time.monotonic() + wait_s
    driver.execute(f"PRAGMA busy_timeout={_TURN_MS}")
    try:
        while True:
            try:
                driver.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > deadline:
                    break
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # fails, and tells why in the usual way
    finally:
        driver.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}")


def _forget_connections_on_fork(engine: Engine) -> None:
    """In a forked child start with a new pool, and leave the parent's connections untouched."""
    kept: list[object] = []  # never closed in the child: that would end the parent's sessions
    ours = weakref.ref(engine)

    def after_fork() -> None:
        if (engine := ours()) is not None:
            kept.append(engine.pool)
            engine.dispose(close=False)

    os.register_at_fork(after_in_child=after_fork)
