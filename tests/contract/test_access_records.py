"""Access on real databases: processes that race, an older database, a file others cannot read."""

from __future__ import annotations

import multiprocessing
import stat
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Engine

import flyball.storage.migrations
from flyball.access.refresh import begun, rotated
from flyball.access.verbs import Access
from flyball.domain.access import ApiKey, RefreshFamily, Scope
from flyball.domain.ledger import Entry
from flyball.errors import StaleWrite, Unauthenticated
from flyball.ports import Change
from flyball.storage.database import open_database
from flyball.storage.records import SqlRecords
from flyball.testing.access import a_principal, an_api_key
from flyball.testing.builders import NOON
from flyball.testing.fakes import ManualClock

FORK = multiprocessing.get_context("fork")
WORKERS = 4


def test_of_processes_that_exchange_one_token_at_once_exactly_one_gets_the_next(
    database_url: str,
) -> None:
    """And the one that did is not thrown out by the others."""
    engine = open_database(database_url)
    records = SqlRecords(engine)
    records.commit([Change(value=a_principal())])
    token = begun(records, a_principal(), [Scope.READ], now=NOON, lifetime=timedelta(days=1))
    engine.dispose()
    for turn in range(2, 5):
        with FORK.Pool(WORKERS, _meet, [FORK.Barrier(WORKERS)]) as pool:
            got = pool.starmap(_exchanged, [(database_url, token)] * WORKERS, chunksize=1)
        [token] = [text for text in got if text is not None]
        family = records.find(RefreshFamily)[0]
        assert (family.turn, family.revoked_at) == (turn, None)
    engine.dispose()


def test_of_processes_that_rotate_one_key_at_once_exactly_one_does(database_url: str) -> None:
    engine = open_database(database_url)
    records = SqlRecords(engine)
    records.commit([Change(value=an_api_key())])
    engine.dispose()
    with FORK.Pool(WORKERS, _meet, [FORK.Barrier(WORKERS)]) as pool:
        done = pool.map(_key_rotated, [database_url] * WORKERS, chunksize=1)
    assert sorted(done) == [False, False, False, True]
    assert len(records.find(ApiKey)) == 2
    assert records.verify_ledger() == 1
    engine.dispose()


def test_the_families_of_one_principal_are_found_by_their_subject(engine: Engine) -> None:
    records = SqlRecords(engine)
    for name in ("ada", "bo", "ada"):
        begun(records, a_principal(name=name), [Scope.READ], now=NOON, lifetime=timedelta(days=1))
    found = records.find(RefreshFamily, model="account:ada")
    assert [family.subject for family in found] == ["account:ada"] * 2


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_database_from_before_there_was_access_control_keeps_what_it_holds(
    kind: str, tmp_path: Path, new_postgresql: Callable[..., str]
) -> None:
    url = f"sqlite:///{tmp_path / 'old.sqlite'}"
    if kind == "postgresql":
        url = new_postgresql(empty=True)
    _made_at("0003", url)
    engine = open_database(url)
    records = SqlRecords(engine)
    assert [row.entry.action for row in records.ledger()] == []
    assert Access(records, ManualClock(), "operator:ada").create_key("shop", [Scope.READ])
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT body FROM flyball_rules")) == "kept"
    engine.dispose()


def test_a_new_file_is_closed_to_other_users_of_the_machine_and_so_is_an_upgraded_one(
    tmp_path: Path,
) -> None:
    """It holds the keys that sign tokens."""
    for name in ("new.sqlite", "old.sqlite"):
        path = tmp_path / name
        if name.startswith("old"):
            _made_at("0003", f"sqlite:///{path}")
            path.chmod(0o644)
        engine = open_database(f"sqlite:///{path}")
        SqlRecords(engine).commit([Change(value=an_api_key())])
        for file in tmp_path.glob(f"{name}*"):
            if not file.name.endswith(".lock"):
                assert stat.S_IMODE(file.stat().st_mode) & stat.S_IRWXO == 0, file
        engine.dispose()


def _made_at(revision: str, url: str) -> None:
    """A database as the migrations up to one left it, with a row of rules in it."""
    config = Config()
    folder = Path(flyball.storage.migrations.__file__).parent
    config.set_main_option("script_location", str(folder))
    engine = sa.create_engine(sa.make_url(url))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.execute(
            sa.text(
                "INSERT INTO flyball_rules (id, model, digest, body, written_at) "
                "VALUES ('games', 'games', 'x', 'kept', 'then')"
            )
        )
    engine.dispose()


_START: list[object] = []


def _meet(barrier: object) -> None:
    _START[:] = [barrier]


def _exchanged(url: str, token: str) -> str | None:
    engine = open_database(url)
    _START[0].wait()  # type: ignore[attr-defined]
    try:
        return rotated(SqlRecords(engine), token, now=NOON)[1]
    except Unauthenticated:
        return None
    finally:
        engine.dispose()


class _MeetBeforeTheyWrite(SqlRecords):
    """So that all have read the same."""

    def commit(self, changes: Sequence[Change], entries: Sequence[Entry] = ()) -> None:
        _START[0].wait()  # type: ignore[attr-defined]
        super().commit(changes, entries)


def _key_rotated(url: str) -> bool:
    engine = open_database(url)
    try:
        records = _MeetBeforeTheyWrite(engine)
        Access(records, ManualClock(), "operator:ada").rotate_key(an_api_key().id)
    except StaleWrite:
        return False
    finally:
        engine.dispose()
    return True
