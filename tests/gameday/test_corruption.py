"""Bytes that changed on disk: found, named, with what to do; and what is sound stays readable."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from gameday_home import MODEL, artifact, opened, picture, rows, same
from gameday_processes import flyball, started

from flyball.domain.data import DatasetVersion
from flyball.errors import ArtifactCorrupt

pytestmark = pytest.mark.timeout(900)

PAGE = 4096


class TestADamagedDatabase:
    """Of the records, of the workflows, of the search, of MLflow."""

    def test_of_records_is_named_when_its_header_is_gone(self, broken):
        overwrite(broken / "flyball.sqlite", 0, 100)
        for command in (("status",), ("ledger", "verify"), ("versions", MODEL)):
            said = flyball(*command, home=broken)
            said.refused(3, "flyball.sqlite", "damaged", "restore it from a backup")

    def test_of_records_loses_only_the_damaged_page(self, broken):
        overwrite(broken / "flyball.sqlite", (root_page(broken, "flyball_versions") - 1) * PAGE)
        said = flyball("versions", MODEL, home=broken)
        said.refused(3, "flyball.sqlite", "malformed", "restore it from a backup")
        assert flyball("ledger", "verify", home=broken).code == 0
        assert flyball("served", MODEL, home=broken).code == 0

    def test_of_records_does_not_pass_for_a_record(self, broken):
        change(broken, "UPDATE flyball_versions SET body = substr(body, 1, 40)")
        said = flyball("versions", MODEL, home=broken)
        said.refused(3, "ModelVersion games/1.0.0", "damaged", "backup")

    @pytest.mark.slow
    def test_of_workflows_may_be_moved_away_and_nothing_is_done_twice(self, reference, broken):
        path = broken / "workflows.sqlite"
        whole = path.read_bytes()
        for where in (0, 16 * PAGE):
            path.write_bytes(whole)
            overwrite(path, where, 20 * PAGE)
            said = flyball("run", MODEL, reference.source, home=broken)
            said.refused(3, "workflows.sqlite", "damaged: move it away")
            assert flyball("status", home=broken).code == 0
        path.rename(broken / "workflows.damaged")
        assert flyball("run", MODEL, reference.source, home=broken).code == 0
        same(picture(broken), reference.picture())

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["studies", "mlflow"])
    def test_that_training_needs_is_named(self, name, broken):
        before = opened(broken).verify_ledger()
        overwrite(broken / f"{name}.sqlite", 0, 100)
        said = flyball("train", MODEL, "--trials", "1", home=broken)
        said.refused(3, f"{name}.sqlite", "not a database")
        assert opened(broken).verify_ledger() == before


class TestADamagedArtifact:
    """Never served: each file is verified before its first use."""

    @pytest.mark.parametrize("part", ["model/**/*.npy", "manifest.json"])
    def test_does_not_serve(self, part, broken):
        folder = artifact(broken)
        largest = max(folder.glob(part), key=lambda path: path.stat().st_size)
        name = largest.relative_to(folder).as_posix()
        flip(largest)
        version = opened(broken).versions(MODEL)[-1]
        only = ("--port", "0", "--only", version.id)
        with started(*only, home=broken, module="flyball.serving") as server:
            server.ended().refused(3, name, "damaged", str(folder), "backup", "flyball train")

    @pytest.mark.slow
    def test_is_made_whole_by_training_again(self, reference, broken):
        """The advice of the message above."""
        path = artifact(broken) / "manifest.json"
        whole = path.read_bytes()
        flip(path)
        # Another budget is another run; the same trials find the same winner.
        assert flyball("train", MODEL, "--timeout", "599", home=broken).code == 0
        assert path.read_bytes() == whole
        assert len(opened(broken).versions(MODEL)) == 1


class TestADamagedDataFile:
    """There are two copies."""

    def test_is_healed_from_the_other_copy(self, broken):
        [md5] = newest(broken).tables()["interactions"]
        cached = data_file(broken / ".dvc" / "cache", md5)
        whole = cached.read_bytes()
        flip(cached)
        assert opened(broken).platform.datasets.path(md5).read_bytes() == whole
        assert cached.read_bytes() == whole

    @pytest.mark.slow
    def test_is_named_where_both_are_damaged_and_healed_by_its_source(self, reference, broken):
        [md5] = newest(broken).tables()["interactions"]
        for place in (broken / ".dvc" / "cache", broken / "remote"):
            flip(data_file(place, md5))
        said = flyball("train", MODEL, "--trials", "1", home=broken)
        said.refused(3, md5, "damaged", "ingest its source again")
        with pytest.raises(ArtifactCorrupt):
            opened(broken).platform.datasets.path(md5)
        again = flyball("ingest", MODEL, reference.source, "--json", home=broken)
        assert (again.code, again.json()[0]["new"]) == (0, False)
        assert opened(broken).platform.datasets.path(md5).is_file()
        assert opened(broken).verify_ledger() == reference.picture()["verified"]


LEDGER = {
    "a changed row": (
        "UPDATE flyball_ledger SET body = replace(body, 'tests', 'no tests')",
        "row 5",
    ),
    "a changed actor": (
        """UPDATE flyball_ledger SET body = replace(body, '"actor":"', '"actor":"not ') """
        "WHERE seq = 3",
        "row 3",
    ),
    "a removed row": ("DELETE FROM flyball_ledger WHERE seq = 4", "row 4"),
    "the last row removed": ("DELETE FROM flyball_ledger WHERE seq = 9", "8 rows but 9"),
    "two rows swapped": (
        "UPDATE flyball_ledger SET seq = -1 WHERE seq = 6; "
        "UPDATE flyball_ledger SET seq = 6 WHERE seq = 7; "
        "UPDATE flyball_ledger SET seq = 7 WHERE seq = -1",
        "row 6",
    ),
}


class TestAForgedLedger:
    """`flyball ledger verify`: exit code 1, and the first row that does not hold."""

    @pytest.mark.parametrize("kind", LEDGER)
    def test_is_found_and_the_first_row_is_named(self, kind, broken):
        statements, words = LEDGER[kind]
        change(broken, statements)
        flyball("ledger", "verify", home=broken).refused(1, words, "ledger")
        assert flyball("status", home=broken).code == 0  # what is sound is still readable


def flip(path):
    """Change one bit in the middle of a file, whatever its permissions."""
    mode = path.stat().st_mode
    path.chmod(0o644)
    with path.open("r+b") as file:
        at = path.stat().st_size // 2
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))
    path.chmod(mode)


def overwrite(path, at, size=PAGE):
    """Garbage over a part of a file that no process has open."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xa5" * size)


def change(home, statements):
    with closing(sqlite3.connect(home / "flyball.sqlite")) as connection:
        connection.executescript(statements)
        connection.commit()
        assert connection.total_changes > 0


def root_page(home, table):
    query = f"SELECT rootpage FROM sqlite_master WHERE name = '{table}'"
    return rows(home / "flyball.sqlite", query)[0][0]


def newest(home):
    return opened(home).platform.records.find(DatasetVersion)[-1]


def data_file(store, md5):
    return store / "files" / "md5" / md5[:2] / md5[2:]
