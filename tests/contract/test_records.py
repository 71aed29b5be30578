"""Records keep their promises in memory, on SQLite and on PostgreSQL."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from flyball.domain.ledger import GENESIS
from flyball.domain.lifecycle import ModelVersion, State
from flyball.errors import ArtifactCorrupt, LedgerBroken, StaleWrite, StorageUnavailable
from flyball.ports import Change, Records
from flyball.storage.database import open_database
from flyball.storage.records import SqlRecords
from flyball.storage.tables import LEDGER, LEDGER_HEAD, RECORDS
from flyball.testing.builders import a_version, an_entry
from flyball.testing.fakes import MemoryRecords
from flyball.testing.records import RecordsContract

FORK = multiprocessing.get_context("fork")


class TestMemoryRecords(RecordsContract):
    """The fake that other tests stand on."""

    @pytest.fixture
    def records(self) -> Records:
        return MemoryRecords()

    def test_can_be_broken_as_by_a_full_disk(self) -> None:
        records = MemoryRecords()
        records.broken = True
        with pytest.raises(StorageUnavailable):
            records.find(ModelVersion)


class TestSqlRecords(RecordsContract):
    """On SQLite and PostgreSQL."""

    @pytest.fixture
    def records(self, engine: Engine) -> Records:
        return SqlRecords(engine)

    def test_raced_for_by_processes_go_to_exactly_one(self, database_url: str) -> None:
        engine = open_database(database_url)
        SqlRecords(engine).commit([Change(value=a_version())])
        engine.dispose()
        with FORK.Pool(4) as pool:
            won = pool.map(_move, [database_url] * 4, chunksize=1)
        assert sorted(won) == [False, False, False, True]

    def test_ledger_keeps_one_chain_under_many_processes(self, database_url: str) -> None:
        engine = open_database(database_url)
        with FORK.Pool(3) as pool:
            pool.map(_enter_five, [database_url] * 6, chunksize=1)
        assert SqlRecords(engine).verify_ledger() == 30
        engine.dispose()

    def test_may_be_used_by_a_forked_child_and_its_parent(self, engine: Engine) -> None:
        """The child does not share the parent's connections, and does not end them."""
        records = SqlRecords(engine)
        records.commit([], [an_entry(actor="parent")])
        child = FORK.Process(target=records.commit, args=([], [an_entry(actor="child")]))
        child.start()
        child.join(30)
        assert child.exitcode == 0
        records.commit([], [an_entry(actor="parent")])
        assert [row.entry.actor for row in records.ledger()] == ["parent", "child", "parent"]
        assert records.verify_ledger() == 3

    def test_damaged_are_refused(self, engine: Engine, records: Records) -> None:
        records.commit([Change(value=a_version())])
        with engine.begin() as connection:
            connection.execute(sa.update(RECORDS[ModelVersion]).values(body='{"model": 7'))
        with pytest.raises(ArtifactCorrupt, match="restore"):
            records.get(ModelVersion, a_version().id)
        with pytest.raises(ArtifactCorrupt, match=a_version().id):
            records.find(ModelVersion)


class TestTamperingWithTheLedger:
    """What ``flyball ledger verify`` finds in the database itself, row by row."""

    @pytest.fixture
    def records(self, engine: Engine) -> SqlRecords:
        records = SqlRecords(engine)
        records.commit([], [an_entry(reason=f"reason {number}") for number in range(1, 6)])
        assert records.verify_ledger() == 5
        return records

    @pytest.mark.parametrize(
        ("change", "row"),
        [
            ({"body": '{"half'}, 3),
            ({"actor": "mallory"}, 3),
            ({"at": "2020-01-01T00:00:00+00:00"}, 3),
            ({"model": "adult"}, 3),
            ({"action": "nothing"}, 3),
            ({"subject": "games/other"}, 3),
            ({"digest": "0" * 64}, 3),
            ({"previous": "0" * 64}, 3),
        ],
        ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
    )
    def test_finds_a_changed_row(
        self, engine: Engine, records: SqlRecords, change: dict[str, str], row: int
    ) -> None:
        with engine.begin() as connection:
            if "actor" in change:
                body = connection.scalar(sa.select(LEDGER.c.body).where(LEDGER.c.seq == row))
                change = {"body": body.replace('"actor":"control"', '"actor":"mallory"')}
                assert change["body"] != body
            connection.execute(sa.update(LEDGER).where(LEDGER.c.seq == row).values(change))
        with pytest.raises(LedgerBroken, match=f"row {row}"):
            records.verify_ledger()

    @pytest.mark.parametrize(("gone", "named"), [(1, "row 1"), (3, "row 3"), (5, "4 rows")])
    def test_finds_a_removed_row(
        self, engine: Engine, records: SqlRecords, gone: int, named: str
    ) -> None:
        with engine.begin() as connection:
            connection.execute(sa.delete(LEDGER).where(LEDGER.c.seq == gone))
        with pytest.raises(LedgerBroken, match=named):
            records.verify_ledger()

    def test_finds_exchanged_rows(self, engine: Engine, records: SqlRecords) -> None:
        with engine.begin() as connection:
            for old, new in ((2, 99), (4, 2), (99, 4)):
                moved = sa.update(LEDGER).where(LEDGER.c.seq == old).values(seq=new)
                connection.execute(moved)
        with pytest.raises(LedgerBroken, match="row 2"):
            records.verify_ledger()

    def test_finds_a_removed_end_hidden_by_nobody(
        self, engine: Engine, records: SqlRecords
    ) -> None:
        with engine.begin() as connection:
            connection.execute(sa.delete(LEDGER))
        with pytest.raises(LedgerBroken, match="0 rows but 5"):
            records.verify_ledger()

    def test_finds_a_changed_or_removed_head(self, engine: Engine, records: SqlRecords) -> None:
        with engine.begin() as connection:
            connection.execute(sa.update(LEDGER_HEAD).values(length=4, digest=GENESIS))
        with pytest.raises(LedgerBroken):
            records.verify_ledger()
        with engine.begin() as connection:
            connection.execute(sa.delete(LEDGER_HEAD))
        with pytest.raises(LedgerBroken, match="head"):
            records.verify_ledger()
        with pytest.raises(LedgerBroken, match="head"):
            records.commit([], [an_entry()])


def _move(url: str) -> bool:
    """Whether this process was the one to move the version."""
    engine = open_database(url)
    try:
        moved = replace(a_version(), state=State.TRAINING)
        SqlRecords(engine).commit([Change(value=moved, replacing=a_version())], [an_entry()])
    except StaleWrite:
        return False
    finally:
        engine.dispose()
    return True


def _enter_five(url: str) -> None:
    engine = open_database(url)
    for number in range(5):
        SqlRecords(engine).commit([], [an_entry(reason=f"{number}")])
    engine.dispose()
