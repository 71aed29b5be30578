"""Reproducing a version while something is wrong: nothing is left over, and the version stays."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from gameday_home import MODEL, opened
from gameday_processes import clean, flyball, processes_of, started, until

import flyball as package
from flyball.domain.data import DatasetVersion
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.training import Run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

VERSION = "1.0.0"


@pytest.fixture
def home(broken):
    return broken


@pytest.fixture(autouse=True)
def changes_no_record(request):
    """Whatever went wrong: versions, runs and datasets are as they were, and the ledger holds."""
    home = request.getfixturevalue("home")
    before = recorded(home)
    yield
    assert recorded(home) == before
    assert opened(home).verify_ledger() > 0


def recorded(home):
    with opened(home) as verbs:
        records = verbs.platform.records
        return [records.find(kind) for kind in (ModelVersion, Run, DatasetVersion)]


def reproductions(home):
    """Rows of the ledger about reproductions."""
    with opened(home) as verbs:
        return [row.entry for row in verbs.ledger(MODEL) if row.entry.action == "reproduce"]


def work_in_progress(home):
    return list((home / "scratch").glob("*/reproduce-*"))


def objects(home):
    """Every copy of the Parquet files of the version's data."""
    with opened(home) as verbs:
        [data] = [d for d in verbs.platform.records.find(DatasetVersion, model=MODEL) if d.batches]
    md5s = [md5 for name, md5 in data.files.items() if name.endswith(".parquet")]
    folders = (home / ".dvc" / "cache" / "files" / "md5", home / "remote" / "files" / "md5")
    found = [folder / md5[:2] / md5[2:] for folder in folders for md5 in md5s]
    assert all(path.is_file() for path in found)
    return data, found


def again(home, *options):
    return flyball("reproduce", MODEL, VERSION, *options, "--json", home=home)


def bitwise(ended):
    assert ended.code == 0, ended.err
    return ended.json()["outcome"] == "bitwise equal"


class TestAVersionOfAWholeRun:
    def test_comes_out_bit_by_bit_and_so_does_its_search(self, home):
        assert bitwise(again(home))
        searched = again(home, "--search")
        assert bitwise(searched)
        found = searched.json()
        assert (found["searched"], found["causes"]) == (True, [])
        assert [entry.after for entry in reproductions(home)] == [found["artifact"]] * 2


class TestAKill:
    def test_leaves_no_process_and_no_row_and_the_next_one_removes_the_rest(self, home):
        with started("reproduce", MODEL, VERSION, home=home) as command:
            assert until(lambda: work_in_progress(home) or not command.running)
            assert command.killed(whole_group=False)
        assert reproductions(home) == []
        assert bitwise(again(home))
        assert list((home / "scratch").iterdir()) == []

    @pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
    def test_that_is_asked_for_politely_leaves_nothing_at_once(self, home, sent):
        with started("reproduce", MODEL, VERSION, home=home) as command:
            assert until(lambda: work_in_progress(home) or not command.running)
            command.process.send_signal(sent)
            assert command.ended().code == 130
        assert until(lambda: not processes_of(home), 30.0)
        assert list((home / "scratch").iterdir()) == []
        assert reproductions(home) == []


class TestData:
    def test_that_is_damaged_in_one_place_is_healed_from_the_other(self, home):
        _, (cached, *_) = objects(home)
        damage(cached)
        assert bitwise(again(home))

    def test_that_was_changed_everywhere_is_not_learnt_from(self, home):
        data, copies = objects(home)
        for path in copies:
            damage(path)
        again(home).refused(3, "was changed", "damaged", f"flyball data pull games {data.version}")
        assert reproductions(home) == []
        assert list((home / "scratch").iterdir()) == []

    def test_that_is_gone_is_asked_for(self, home):
        data, copies = objects(home)
        for path in copies:
            path.unlink()
        again(home).refused(3, "is gone", f"flyball data pull games {data.version}")
        assert reproductions(home) == []


class TestAFullDisk:
    @pytest.fixture
    def home(self, reference, small_disk):
        return reference.copied(small_disk("size=256m") / "home")

    def test_ends_it_and_leaves_nothing_and_it_comes_out_when_there_is_space(
        self, home, small_disk
    ):
        used = shutil.disk_usage(home).used
        for free in (200_000, 400_000):
            small_disk(f"size={used + free}")
            again(home).refused(3, "space")
            assert not work_in_progress(home)
            assert not processes_of(home)
        small_disk("size=256m")
        assert bitwise(again(home))


class TestOtherCode:
    def test_is_named_as_the_cause_and_the_model_is_the_same(self, home, tmp_path):
        source = Path(package.__file__).parent
        copy = tmp_path / "src" / "flyball"
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        edited = copy / "recommend" / "ease.py"
        edited.write_text(edited.read_text() + "\n# a remark, which changes nothing\n")
        done = subprocess.run(
            [sys.executable, "-m", "flyball.cli", "reproduce", MODEL, VERSION, "--json"],
            env={**clean(), "PYTHONPATH": str(copy.parent), "FLYBALL_HOME": str(home)},
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert found["outcome"] == "equal in metrics"
        assert found["cause"]["aspect"] == "code"
        assert [pair["path"] for pair in found["differences"]] == ["manifest.json"]


class TestFewerCores:
    def test_change_nothing_because_the_threads_are_the_recorded_ones(self, home):
        """Also polars, which takes as many threads as there are cores, gives the same bits."""
        if len(os.sched_getaffinity(0)) < 2:
            pytest.skip("one core has no fewer")
        done = subprocess.run(
            ["taskset", "-c", str(min(os.sched_getaffinity(0))), sys.executable, "-m",
             "flyball.cli", "reproduce", MODEL, VERSION, "--json"],
            env={**clean(), "FLYBALL_HOME": str(home)},
            check=False,
            capture_output=True,
            text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["outcome"] == "bitwise equal"


def damage(path):
    """One byte in the middle is another."""
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
