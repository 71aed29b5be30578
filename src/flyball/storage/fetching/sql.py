"""Rows of a query: any database that SQLAlchemy has a driver for, and nothing is ever changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine

from flyball.errors import (
    ConfigurationError,
    DataQualityError,
    EnvironmentFailed,
    FlyballError,
    InvalidRequest,
    NotFound,
)
from flyball.storage.fetching.arrow import BATCH_ROWS, write_rows
from flyball.storage.fetching.retrying import Interruption, Patience, persistently
from flyball.storage.postgresql import times_of

CONNECT_TIMEOUT_S = 10

_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_OPENING = re.compile(r"[\s(]*(select|with|values|table)\b", re.IGNORECASE)
_ADVICE = (
    ("no such table", "check the SELECT's table"),
    ("no such column", "check the SELECT's columns"),
    ("does not exist", "check the SELECT's tables and columns, and the database's name"),
    ("syntax error", "check the SELECT"),
    ("password", "check user and password"),
    ("refused", "no server listens there; start it, or check host and port"),
    ("host", "check the host's name"),
    ("not a database", "the file is no SQLite database"),
    ("read-only transaction", "only a SELECT that changes nothing is allowed"),
    ("readonly database", "only a SELECT that changes nothing is allowed"),
    ("locked", "another process keeps it busy; try again later"),
)


def query(location: str, target: Path, *, shown: str, patience: Patience) -> int:
    """Carry out ``<SQLAlchemy URL>#<SELECT>`` and write its rows as one Arrow file.

    Rows are streamed, ``BATCH_ROWS`` at a time. The transaction is read-only where the database
    has such, and undone at the end in any case.

    Args:
        location: see above.
        target: a new file.
        shown: the location without its password.

    Returns:
        how many rows there were.

    Raises:
        InvalidRequest: the URL or the statement is none, or there is more than one statement.
        NotFound: no such SQLite file.
        DataQualityError: two columns with one name, or a column of bytes; names it.
        EnvironmentFailed: no driver, no connection, refused or broken off; in the database's
            words.
    """
    text, _, select = location.partition("#")
    url, statement = _url(text), single_statement(select)
    engine = _engine(url, shown)

    def attempt() -> int:
        with _translated(shown, url), _rows(engine, statement) as rows:
            names = list(rows.keys())
            _distinct(names, shown)
            return write_rows(names, rows.partitions(BATCH_ROWS), target, what=shown)

    try:
        return persistently(shown, attempt, patience)
    finally:
        engine.dispose()


def single_statement(select: str) -> str:
    """A SELECT without the semicolon at its end.

    Raises:
        InvalidRequest: it is empty, no SELECT, or more than one statement.
    """
    statement = select.strip().rstrip(";").strip()
    bare = _QUOTED.sub(lambda found: "''" if found[0][0] in "'\"" else " ", statement)
    if not _OPENING.match(bare):
        raise InvalidRequest(
            "a database location is <SQLAlchemy URL>#<SELECT statement>, for example "
            "'sqlite:///shop.sqlite#SELECT user_id, title FROM plays'"
        )
    # Within a backslash or a dollar quote it may be text; nobody needs it enough to risk it.
    if ";" in bare or (";" in statement and ("\\" in statement or "$" in statement)):
        raise InvalidRequest("the SELECT holds a semicolon; give a single statement")
    return statement


def _url(text: str) -> URL:
    try:
        url = sa.make_url(text)
        url.get_backend_name()
    except (sa.exc.ArgumentError, ValueError) as error:
        raise InvalidRequest("the SQLAlchemy URL before the # cannot be read") from error
    if url.get_backend_name() in ("postgres", "postgresql") and "+" not in url.drivername:
        return url.set(drivername="postgresql+psycopg")
    return url


def _engine(url: URL, shown: str) -> Engine:
    options: dict[str, Any] = {}
    if url.get_backend_name() == "sqlite":
        url = _read_only_sqlite(url)
    elif url.get_backend_name() == "postgresql":
        options["connect_args"] = times_of(url) | {"connect_timeout": CONNECT_TIMEOUT_S}
    try:
        return sa.create_engine(url, poolclass=sa.NullPool, **options)
    except (sa.exc.NoSuchModuleError, ImportError) as error:
        extra = (
            "`pip install 'flyball[postgres]'`"
            if "postgres" in url.drivername
            else ("install the package that SQLAlchemy names for it")
        )
        raise EnvironmentFailed(
            f"{shown} needs a driver that is not installed ({error}); {extra}"
        ) from error
    except (sa.exc.ArgumentError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{shown} cannot be opened: {error}") from error


def _read_only_sqlite(url: URL) -> URL:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise InvalidRequest("a SQLite location is sqlite:///<path to a file>#<SELECT statement>")
    path = Path(url.database)
    if not path.is_file():
        raise NotFound(f"there is no SQLite database {path}; check the path")
    database = f"file:{quote(str(path.resolve()))}"
    return url.set(database=database, query={"mode": "ro", "uri": "true"})


@contextmanager
def _rows(engine: Engine, statement: str) -> Iterator[sa.CursorResult[Any]]:
    options = {"stream_results": True, "max_row_buffer": BATCH_ROWS, "no_parameters": True}
    if engine.dialect.name == "postgresql":
        options["postgresql_readonly"] = True
    with engine.connect().execution_options(**options) as connection:
        _forbid_writing(connection)
        result = connection.exec_driver_sql(statement)
        if not result.returns_rows:
            raise InvalidRequest("the statement gives no rows; give a SELECT")
        with result:
            yield result


def _forbid_writing(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA query_only = ON")
    elif connection.dialect.name in ("mysql", "mariadb"):
        connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
        connection.rollback()  # what follows begins such a transaction


def _distinct(names: list[str], shown: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataQualityError(
            f"{shown} gives more than one column called {twice[0]!r}; name each with AS"
        )


@contextmanager
def _translated(shown: str, url: URL) -> Iterator[None]:
    try:
        yield
    except FlyballError:
        raise
    except sa.exc.SQLAlchemyError as error:
        cause = error.orig if isinstance(error, sa.exc.DBAPIError) and error.orig else error
        words = " ".join(str(cause).split())
        if url.password:
            words = words.replace(str(url.password), "***")
        if isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated:
            raise Interruption(f"the connection broke off: {words}") from error
        if "could not decode to utf-8" in words.lower():
            raise DataQualityError(f"{shown} holds text that is not UTF-8: {words}") from error
        advice = next((text for sign, text in _ADVICE if sign in words.lower()), "check it")
        raise EnvironmentFailed(f"{shown} cannot be read: {words}; {advice}") from error
