"""Records with signed evidence keep every promise of records, in memory and on real databases."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from flyball.domain.bundle import ChainTip, SignedBundle
from flyball.domain.evidence import Evidence
from flyball.domain.facts import Facts
from flyball.domain.ledger import Entry
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.routing import WorkerStatus
from flyball.errors import ConfigurationError, StaleWrite
from flyball.ports import Change, Records
from flyball.steps.reading_bundles import bundle_of
from flyball.storage.database import open_database
from flyball.storage.records import SqlRecords
from flyball.storage.signed import Reading, SignedRecords
from flyball.storage.signing import Checker, Signer
from flyball.testing.builders import a_run, a_version, a_worker, an_entry
from flyball.testing.fakes import MemoryRecords
from flyball.testing.records import RecordsContract, together

FORK = multiprocessing.get_context("fork")


class Crash(BaseException):
    """The process ended here."""


def nothing_known(
    reading: Reading, version: ModelVersion, evidence: Evidence | None, before: Facts | None
) -> Facts:
    """Facts of versions whose story is not told here."""
    return Facts(missing=(version.id,))


def signed_records(records: Records, home: Path) -> SignedRecords:
    return SignedRecords(records, Signer(home), nothing_known)


class TestSignedMemoryRecords(RecordsContract):
    """Over the fake."""

    @pytest.fixture
    def records(self, tmp_path: Path) -> Records:
        return signed_records(MemoryRecords(), tmp_path)


class TestSignedSqlRecords(RecordsContract):
    """On SQLite and PostgreSQL."""

    @pytest.fixture
    def records(self, engine: Engine, tmp_path: Path) -> Records:
        return signed_records(SqlRecords(engine), tmp_path)

    def test_raced_for_by_processes_make_one_chain(self, database_url: str, tmp_path: Path) -> None:
        engine = open_database(database_url)
        signed_records(SqlRecords(engine), tmp_path).commit([Change(value=a_version())])
        engine.dispose()
        with FORK.Pool(4) as pool:
            won = pool.starmap(_move, [(database_url, tmp_path)] * 4, chunksize=1)
        assert sorted(won) == [False, False, False, True]
        [signed] = SqlRecords(engine).find(SignedBundle)
        engine.dispose()
        assert Checker.of_home(tmp_path)(signed) == ""


@pytest.fixture
def records(tmp_path: Path) -> SignedRecords:
    return signed_records(MemoryRecords(), tmp_path)


def moved(source: State, target: State) -> tuple[Change, Entry]:
    version = a_version()
    return (
        Change(value=replace(version, state=target), replacing=replace(version, state=source)),
        an_entry(before=str(source), after=str(target)),
    )


class TestEveryMove:
    def test_has_a_bundle_that_follows_the_one_before(self, records: SignedRecords) -> None:
        records.commit([Change(value=a_version())])
        path = (State.DEVELOPMENT, State.TRAINING, State.VALIDATION, State.STAGING)
        for source, target in pairwise(path):
            change, entry = moved(source, target)
            records.commit([change], [entry])
        signed = records.find(SignedBundle)
        bundles = [bundle_of(one) for one in signed]
        assert [bundle.move.target for bundle in bundles] == list(path[1:])
        assert [b.previous for b in bundles[1:]] == [one.digest for one in signed[:-1]]
        rows = records.ledger()
        assert [b.ledger.digest for b in bundles[1:]] == [row.digest for row in rows[:-1]]
        assert records.get(ChainTip, a_version().id).digest == signed[-1].digest

    def test_of_several_in_one_commit_has_its_own(self, records: SignedRecords) -> None:
        entries = [an_entry(before=a, after=b) for a, b in (("", "a"), ("a", "b"), ("b", "c"))]
        records.commit([Change(value=a_version())], entries)
        assert [one.number for one in records.find(SignedBundle)] == [1, 2, 3]

    def test_goes_on_from_where_another_process_left_the_chain(self, tmp_path: Path) -> None:
        inner = MemoryRecords()
        one, other = signed_records(inner, tmp_path), signed_records(inner, tmp_path)
        one.commit([Change(value=a_version())])
        path = (State.DEVELOPMENT, State.TRAINING, State.VALIDATION, State.STAGING)
        for records, (source, target) in zip((one, other, one), pairwise(path), strict=True):
            change, entry = moved(source, target)
            records.commit([change], [entry])
        signed = inner.find(SignedBundle)
        assert [bundle_of(b).previous for b in signed[1:]] == [b.digest for b in signed[:-1]]

    def test_that_loses_a_race_leaves_no_bundle(self, records: SignedRecords) -> None:
        records.commit([Change(value=a_version())])
        change, entry = moved(State.DEVELOPMENT, State.TRAINING)

        def move(index: int) -> None:
            records.commit([change], [replace(entry, actor=f"{index}")])

        lost = [one for one in together(4, move) if isinstance(one, StaleWrite)]
        assert len(lost) == 3
        assert len(records.find(SignedBundle)) == 1
        assert len(records.ledger()) == 1

    def test_that_is_repeated_by_several_at_once_is_made_once(self, records: SignedRecords) -> None:
        """A new version: writing it again is no mistake, and so none may be refused."""

        def write(_: int) -> None:
            records.commit([Change(value=a_version())], [an_entry()])

        assert together(4, write) == [None] * 4
        assert len(records.find(SignedBundle)) == 1
        assert len(records.ledger()) == 1

    def test_that_is_repeated_with_something_new_keeps_its_one_bundle(
        self, records: SignedRecords
    ) -> None:
        records.commit([Change(value=a_version())], [an_entry()])
        records.commit([Change(value=a_version()), Change(value=a_run())], [an_entry()])
        assert records.find(type(a_run())) == [a_run()]
        assert len(records.find(SignedBundle)) == 1

    def test_is_made_wholly_or_not_at_all_wherever_the_process_ends(self, tmp_path: Path) -> None:
        change, entry = moved(State.DEVELOPMENT, State.TRAINING)
        for at in ("gather", "sign", "before the commit", "after the commit"):
            inner = MemoryRecords()
            inner.commit([Change(value=a_version())])
            dying = _dying(inner, tmp_path, at)
            with pytest.raises(Crash):
                dying.commit([change], [entry])
            done = at == "after the commit"
            assert len(inner.find(SignedBundle)) == len(inner.ledger()) == int(done), at
            if not done:  # the same command again
                signed_records(inner, tmp_path).commit([change], [entry])
            assert [one.number for one in inner.find(SignedBundle)] == [1]


class TestOtherCommits:
    def test_need_no_key(self, tmp_path: Path) -> None:
        (tmp_path / "home").write_text("no folder, so no key either")
        records = signed_records(MemoryRecords(), tmp_path / "home")
        changes = [Change(value=a_worker()), Change(value=a_version())]
        records.commit(changes, [an_entry(subject="x")])
        assert records.find(WorkerStatus) == [a_worker()]
        assert records.find(SignedBundle) == []

    def test_of_the_same_process_are_not_signed(self, records: SignedRecords) -> None:
        records.commit([Change(value=a_run())], [an_entry(action="ingest")])
        assert records.find(SignedBundle) == []


def test_a_move_into_service_waits_for_the_key_and_a_rollback_does_not(tmp_path: Path) -> None:
    (tmp_path / "evidence.key").write_text("damaged")
    records = signed_records(MemoryRecords(), tmp_path)
    serving = a_version(state=State.PRODUCTION)
    records.commit([Change(value=serving)])
    back = replace(serving, state=State.ROLLBACK)
    ahead = replace(serving, state=State.MONITORING)
    with pytest.raises(ConfigurationError):
        records.commit(
            [Change(value=ahead, replacing=serving)],
            [an_entry(before="production", after="monitoring")],
        )
    records.commit(
        [Change(value=back, replacing=serving)], [an_entry(before="production", after="rollback")]
    )
    [unsigned] = records.find(SignedBundle)
    assert unsigned.signature == ""
    assert bundle_of(unsigned).move.target == "rollback"


def _dying(inner: MemoryRecords, home: Path, at: str) -> SignedRecords:
    class Dying(MemoryRecords):
        def commit(self, changes: Sequence[Change], entries: Sequence[Entry] = ()) -> None:
            if at == "before the commit":
                raise Crash
            inner.commit(changes, entries)
            raise Crash

    def gather(*known: object) -> Facts:
        if at == "gather":
            raise Crash
        return Facts()

    class Dead(Signer):
        def sign(self, body: str) -> tuple[str, str]:
            if at == "sign":
                raise Crash
            return super().sign(body)

    return SignedRecords(Dying(), Dead(home), gather)


def _move(url: str, home: Path) -> bool:
    """Whether this process was the one to move the version."""
    engine = open_database(url)
    change, entry = moved(State.DEVELOPMENT, State.TRAINING)
    try:
        signed_records(SqlRecords(engine), home).commit([change], [entry])
    except StaleWrite:
        return False
    finally:
        engine.dispose()
    return True
