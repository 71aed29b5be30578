"""Opening a database: it is ready at once, or the error says what is wrong and what to do."""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Engine

import flyball.storage.migrations
from flyball.domain.canonical import digest, plain
from flyball.domain.deployment import Deployment
from flyball.domain.routing import Route
from flyball.domain.traffic import Window
from flyball.errors import ConfigurationError, StorageUnavailable
from flyball.ports import Change
from flyball.storage.database import open_database, writing
from flyball.storage.records import SqlRecords
from flyball.storage.tables import REVISION, VERSION_TABLE, metadata
from flyball.storage.traffic import SqlEvents
from flyball.testing.builders import (
    NOON,
    a_deployment,
    a_route,
    a_run,
    a_version,
    a_window,
    an_entry,
)

Open = Callable[[str], Engine]
FORK = multiprocessing.get_context("fork")


class TestAnOpenDatabase:
    """On SQLite and PostgreSQL."""

    def test_has_the_tables_that_the_code_declares(self, engine: Engine) -> None:
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
            )
            assert compare_metadata(context, metadata) == []

    def test_keeps_what_it_holds_when_opened_again(self, database_url: str, opened: Open) -> None:
        SqlRecords(opened(database_url)).commit([Change(value=a_version())])
        assert SqlRecords(opened(database_url)).find(type(a_version())) == [a_version()]

    def test_of_a_newer_flyball_is_refused(self, database_url: str) -> None:
        engine = open_database(database_url)
        with engine.begin() as connection:
            connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
        engine.dispose()
        with pytest.raises(StorageUnavailable, match=r"newer Flyball.*upgrade"):
            open_database(database_url)

    def test_is_made_once_by_many_who_come_at_once(
        self, tmp_path: Path, new_postgresql: Callable[..., str], opened: Open
    ) -> None:
        urls = [f"sqlite:///{tmp_path / 'new.sqlite'}", new_postgresql(empty=True)]
        with FORK.Pool(4) as pool:
            assert pool.map(_enter, urls * 4, chunksize=1) == [None] * 8
        for url in urls:
            assert SqlRecords(opened(url)).verify_ledger() == 4

    def test_is_made_whole_or_not_at_all(self, tmp_path: Path) -> None:
        """A migration that fails half-way leaves nothing behind."""
        path = tmp_path / "flyball.sqlite"
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE flyball_windows (theirs)")
        with pytest.raises(StorageUnavailable, match="flyball_windows"):
            open_database(f"sqlite:///{path}")
        names = sqlite3.connect(path).execute("SELECT name FROM sqlite_master").fetchall()
        assert names == [("flyball_windows",)]

    def test_is_opened_again_without_loading_alembic(self, tmp_path: Path) -> None:
        """So that `flyball status` stays quick."""
        url = f"sqlite:///{tmp_path / 'flyball.sqlite'}"
        open_database(url).dispose()
        program = (
            "import sys; from flyball.storage.database import open_database; "
            "open_database(sys.argv[1]); sys.exit('alembic' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", program, url], check=False).returncode == 0


def test_the_revision_in_the_code_is_the_newest_migration() -> None:
    scripts = ScriptDirectory(str(Path(flyball.storage.migrations.__file__).parent))
    assert scripts.get_current_head() == REVISION


class TestASqliteFileThatCannotBeUsed:
    """Says which file, what is wrong, and what to do."""

    def test_in_a_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(StorageUnavailable, match=r"missing/flyball.*folder does not exist"):
            open_database(f"sqlite:///{tmp_path / 'missing' / 'flyball.sqlite'}")

    def test_in_a_folder_that_takes_no_files(self) -> None:
        with pytest.raises(StorageUnavailable, match=r"/proc/flyball\.sqlite"):
            open_database("sqlite:////proc/flyball.sqlite")

    def test_that_is_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(StorageUnavailable, match="check that its folder exists"):
            open_database(f"sqlite:///{tmp_path}")

    def test_that_is_another_kind_of_file(self, tmp_path: Path) -> None:
        path = tmp_path / "flyball.sqlite"
        path.write_bytes(b"not a database at all, " * 100)
        with pytest.raises(StorageUnavailable, match=r"not a database; .* restore it"):
            open_database(f"sqlite:///{path}")
        assert path.read_bytes().startswith(b"not a database at all")

    def test_that_was_damaged(self, tmp_path: Path) -> None:
        path = tmp_path / "flyball.sqlite"
        engine = open_database(f"sqlite:///{path}")
        SqlRecords(engine).commit([], [an_entry(reason="x" * 500)] * 200)
        engine.dispose()
        whole = path.read_bytes()
        path.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
        with pytest.raises(StorageUnavailable, match="restore it from a backup"):
            SqlRecords(open_database(f"sqlite:///{path}")).verify_ledger()

    def test_on_a_full_disk_keeps_what_it_has_and_goes_on_afterwards(self, tmp_path: Path) -> None:
        engine = open_database(f"sqlite:///{tmp_path / 'flyball.sqlite'}")
        records = SqlRecords(engine)
        records.commit([Change(value=a_version())], [an_entry()])
        big = Change(value=a_run(error="x" * 5_000_000))
        full = _with_pragma(engine, "max_page_count = 200")
        with pytest.raises(StorageUnavailable, match="free some space"):
            SqlRecords(full).commit([big], [an_entry()])
        full.dispose()
        assert records.find(type(a_run())) == []
        assert records.verify_ledger() == 1
        records.commit([big], [an_entry()])
        assert records.verify_ledger() == 2

    def test_that_may_only_be_read(self, tmp_path: Path) -> None:
        engine = open_database(f"sqlite:///{tmp_path / 'flyball.sqlite'}")
        readonly = _with_pragma(engine, "query_only = ON")
        with pytest.raises(StorageUnavailable, match="check the permissions"):
            SqlRecords(readonly).commit([Change(value=a_version())])

    def test_that_another_process_never_lets_go(self, tmp_path: Path) -> None:
        engine = open_database(f"sqlite:///{tmp_path / 'flyball.sqlite'}")
        hasty = _with_pragma(engine, "busy_timeout = 20")
        with writing(engine), pytest.raises(StorageUnavailable, match="another process"):
            SqlRecords(hasty).commit([Change(value=a_version())])


class TestAPostgresqlThatCannotBeUsed:
    """Says which database, without its password, what is wrong, and what to do."""

    def test_where_no_server_listens(self, tmp_path: Path) -> None:
        with pytest.raises(StorageUnavailable, match="no server listens there") as refused:
            open_database(f"postgresql://ada:secret@/flyball?host={tmp_path}")
        assert "secret" not in str(refused.value)
        with pytest.raises(StorageUnavailable, match="no server listens there"):
            open_database("postgresql+psycopg://ada:secret@127.0.0.1:9/flyball")

    def test_with_a_wrong_password(self, postgresql_server: sa.URL, locked_role: str) -> None:
        url = postgresql_server.set(username=locked_role, password="wrong-one")
        with pytest.raises(StorageUnavailable, match="check user and password") as refused:
            open_database(url.render_as_string(hide_password=False))
        assert "wrong-one" not in str(refused.value)

    def test_that_does_not_exist(self, postgresql_server: sa.URL) -> None:
        with pytest.raises(StorageUnavailable, match=r"nowhere.*create what is missing"):
            open_database(str(postgresql_server.set(database="nowhere")))

    def test_that_takes_no_writes(self, new_postgresql: Callable[..., str], opened: Open) -> None:
        url = new_postgresql()
        engine = opened(url)
        with engine.begin() as connection:
            name = sa.make_url(url).database
            connection.execute(
                sa.text(f"ALTER DATABASE {name} SET default_transaction_read_only=1")
            )
        engine.dispose()
        with pytest.raises(StorageUnavailable, match="connect to its primary"):
            SqlRecords(opened(url)).commit([Change(value=a_version())])

    def test_without_its_driver(self) -> None:
        """Flyball is installed without PostgreSQL's driver unless asked for."""
        program = (
            "import sys; sys.modules['psycopg'] = None\n"
            "from flyball.storage.database import open_database\n"
            "open_database('postgresql://127.0.0.1:9/flyball')"
        )
        ran = subprocess.run(
            [sys.executable, "-c", program], check=False, capture_output=True, text=True
        )
        assert "StorageUnavailable" in ran.stderr
        assert "flyball[postgres]" in ran.stderr

    def test_that_comes_back_is_used_again(
        self, new_postgresql: Callable[..., str], opened: Open
    ) -> None:
        """A restarted server, or a cut connection, costs no process its life."""
        url = new_postgresql()
        records = SqlRecords(opened(url))
        records.commit([Change(value=a_version())])
        cutter = sa.create_engine(sa.make_url(url).set(database="postgres"))
        with cutter.begin() as connection:
            cut = sa.text(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE datname = :name"
            )
            assert connection.scalar(cut, {"name": sa.make_url(url).database}) >= 1
        cutter.dispose()
        assert records.find(type(a_version())) == [a_version()]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://host/flyball",
        "http://host:port/",
    ],
)
def test_a_url_of_no_known_database_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="postgresql\\+psycopg://"):
        open_database(url)


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens databases that are closed again after the test."""
    engines: list[Engine] = []

    def opens(url: str) -> Engine:
        engines.append(open_database(url))
        return engines[-1]

    yield opens
    for engine in engines:
        engine.dispose()


@pytest.fixture
def locked_role(postgresql_server: sa.URL) -> str:
    """A user of the server who has to give a password."""
    engine = sa.create_engine(postgresql_server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        rules = Path(connection.execute(sa.text("SHOW hba_file")).scalar_one())
        rule = "local all locked scram-sha-256\n"
        if rule not in rules.read_text():
            rules.write_text(rule + rules.read_text())
            connection.execute(sa.text("CREATE ROLE locked LOGIN PASSWORD 'right-one'"))
        connection.execute(sa.text("SELECT pg_reload_conf()"))
    engine.dispose()
    return "locked"


def _with_pragma(engine: Engine, pragma: str) -> Engine:
    """Another engine on the same file, with a limit set on each connection."""
    limited = open_database(str(engine.url))
    limited.dispose()
    sa.event.listen(limited, "connect", lambda raw, _: raw.execute(f"PRAGMA {pragma}"))
    return limited


def _enter(url: str) -> None:
    engine = open_database(url)
    SqlRecords(engine).commit([], [an_entry()])
    engine.dispose()


class TestWhatAnOlderReleaseWrote:
    """Is read, and can be changed, after the upgrade."""

    @pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
    def test_of_routes_deployments_and_windows(
        self, kind: str, tmp_path: Path, new_postgresql: Callable[..., str], opened: Open
    ) -> None:
        url = f"sqlite:///{tmp_path / 'old.sqlite'}"
        if kind == "postgresql":
            url = new_postgresql(empty=True)
        engine = sa.create_engine(url)
        route, deployment, window = a_route(), a_deployment(), a_window()
        config = Config()
        folder = Path(flyball.storage.migrations.__file__).parent
        config.set_main_option("script_location", str(folder))
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "0005")
            for name, record in (("routes", route), ("deployments", deployment)):
                _insert(connection, f"flyball_{name}", _before(record, SINCE_0006))
            _insert(connection, "flyball_windows", _window_before(window))
        engine.dispose()
        upgraded = opened(url)
        records = SqlRecords(upgraded)
        read = records.get(Route, route.id)
        assert read == route
        switched = replace(read, generation=read.generation + 1)
        records.commit([Change(value=switched, replacing=read)])
        moved = replace(deployment, held="look")
        records.commit([Change(value=moved, replacing=records.get(Deployment, deployment.id))])
        assert SqlEvents(upgraded).windows("games", since=NOON) == [window]


SINCE_0006 = {
    "slow_above_s", "rehearsal_ends", "steps", "shifts", "held", "approved_by", "promoted_by",
}  # fmt: skip


def _before(record, new: set[str]) -> dict[str, object]:
    """A record's row as it was written while it had no ``new`` fields."""
    body = {key: value for key, value in plain(record).items() if key not in new}
    return {
        "id": record.id,
        "model": record.model,
        "digest": digest(body),
        "body": json.dumps(body),
        "written_at": "2026-03-01T12:00:00+00:00",
    }


def _window_before(window: Window) -> dict[str, object]:
    body = {
        key: value
        for key, value in plain(window).items()
        if key not in {"units", "units_below", "salt"}
    }
    return {
        "worker": window.worker,
        "start_us": int(window.start.timestamp() * 1_000_000),
        "model": window.model,
        "version": window.version,
        "body": json.dumps(body),
    }


def _insert(connection: sa.Connection, table: str, row: dict[str, object]) -> None:
    connection.execute(sa.table(table, *(sa.column(name) for name in row)).insert().values(row))
