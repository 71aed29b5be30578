"""Makes the tables, or brings older ones up to date, once, whoever comes first.

The quick way asks for the recorded revision only. Alembic is loaded where there is work for it.
"""

from __future__ import annotations

import fcntl
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from flyball.errors import StorageUnavailable
from flyball.storage.tables import REVISION, VERSION_TABLE

_LOCK_KEY = 0x666C7962616C6C  # "flyball": the advisory lock of migrations


def ensure_schema(engine: Engine) -> None:
    """Bring the tables to this code's revision; does nothing when they are there already.

    Raises:
        StorageUnavailable: the tables were made by a newer Flyball.
        sqlalchemy.exc.SQLAlchemyError, OSError: the database or its folder cannot be used.
    """
    if revision(engine) == REVISION:
        return
    lock = _file_lock if engine.dialect.name == "sqlite" else _advisory_lock
    with lock(engine) as connection:
        if revision(engine) != REVISION:  # somebody else may have done it while we waited
            _upgrade(connection)


def revision(engine: Engine) -> str | None:
    """The recorded revision, or None for a database that is not Flyball's yet."""
    path = engine.url.database
    if engine.dialect.name == "sqlite" and path is not None and not Path(path).exists():
        return None  # to look would create it
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table(VERSION_TABLE):
            return None
        found = connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608 - a constant
        return found.scalar()


@contextmanager
def _file_lock(engine: Engine) -> Iterator[Connection]:
    path = Path(str(engine.url.database))
    with path.with_name(f"{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with engine.connect() as connection:
            # Kept in the file, so it is set once; outside of any transaction.
            connection.connection.cursor().execute("PRAGMA journal_mode=WAL")
        _closed_to_others(path)
        with engine.execution_options(flyball_write=True).begin() as connection:
            yield connection


def _closed_to_others(path: Path) -> None:
    """Nobody beyond the owner and their group: who reads the signing keys can make tokens."""
    with suppress(PermissionError):  # another's file, who lets us use it
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~stat.S_IRWXO)


@contextmanager
def _advisory_lock(engine: Engine) -> Iterator[Connection]:
    with engine.begin() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_KEY)))
        yield connection


def _upgrade(connection: Connection) -> None:
    """Run the migrations in the caller's transaction: all of them, or none."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, REVISION)
    except CommandError as error:
        raise StorageUnavailable(
            "the database was made by a newer Flyball, or its revision is unknown here "
            f"({error}); upgrade this installation with `pip install --upgrade flyball`"
        ) from error
