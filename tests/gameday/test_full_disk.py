"""A disk that is full or read-only: nothing half-written, and the same command goes on later."""

from __future__ import annotations

import shutil
import signal
from contextlib import suppress

import pytest
from gameday_home import MODEL, Finished, opened, picture, same
from gameday_processes import control, flyball, processes_of, started, until

from flyball.domain.data import DataBatch
from flyball.domain.training import Run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.xdist_group("full-disk"),  # groups begin first, and these take long
]

SIZES = ("60k", "700k", "1500k", "6m")
"""Too small for the workflows, the data, the search, the artifact: found by trying."""
ENOUGH = "64m"


class TestAFullDisk:
    """Exit code 3 and what to do, whatever was being written."""

    def test_stops_a_run_which_goes_on_when_there_is_space(self, reference, small_disk):
        home = small_disk(f"size={ENOUGH}") / "home"
        for size in SIZES:
            before = Finished.on(home)
            small_disk(f"size={size}")
            run = flyball("run", MODEL, reference.source, home=home)
            run.refused(3, "run the same command again", "space")
            assert not processes_of(home)
            small_disk(f"size={ENOUGH}")
            before.still_stands(home)
        assert opened(home).verify_ledger() == 1  # the batch, and no half of anything
        before = Finished.on(home)
        assert flyball("run", MODEL, reference.source, home=home).code == 0
        before.still_stands(home)
        same(picture(home), reference.picture())

    def test_leaves_the_batches_before_it_as_they_were(self, reference, small_disk, tmp_path):
        home = small_disk(f"size={ENOUGH}") / "home"
        assert flyball("ingest", MODEL, reference.source, home=home).code == 0
        more = tmp_path / "more.csv"
        more.write_text(reference.source.read_text().replace("player-", "newcomer-"))
        before, records = Finished.on(home), opened(home).platform.records
        batches = records.find(DataBatch)
        filler = home.parent / "filler"
        filler.write_bytes(bytes(shutil.disk_usage(home).free - 40_000))
        flyball("ingest", MODEL, more, home=home).refused(3, "space")
        before.still_stands(home)
        assert records.find(DataBatch) == batches
        filler.unlink()
        assert flyball("ingest", MODEL, more, home=home).code == 0
        assert len(records.find(DataBatch)) == 2
        assert opened(home).verify_ledger() == 2

    def test_is_outlived_by_the_control_process(self, reference, small_disk):
        """The command is told, where that could still be recorded; else the work goes on by itself
        once there is space."""
        home = small_disk(f"size={ENOUGH}") / "home"
        with control(home) as process:
            with started("run", MODEL, reference.source, home=home) as command:
                records = opened(home).platform.records
                assert until(lambda: records.find(Run) or not command.running, every=0.1)
                filler = filled(home.parent)
                until(lambda: not command.running, 5)
                assert process.running
                filler.unlink()
                ended = command.ended()
            if ended.code:
                ended.refused(3, "space")
                ended = flyball("run", MODEL, reference.source, home=home)
            assert ended.code == 0, ended.err
            process.process.send_signal(signal.SIGTERM)
            assert process.ended().code == 0
        same(picture(home), reference.picture())


class TestAReadOnlyHome:
    """It cannot even be opened for looking (SQLite's log must be written), and says so."""

    def test_refuses_every_command_and_changes_nothing(self, reference, small_disk):
        home = reference.copied(small_disk(f"size={ENOUGH}") / "home")
        small_disk("ro")
        for command in (("run", MODEL, reference.source), ("status",), ("ledger", "verify")):
            flyball(*command, home=home).refused(3, str(home), "cannot be written")
        small_disk("rw")
        same(picture(home), reference.picture())


def filled(disk):
    """A file that takes all the space there is."""
    path = disk / "filler"
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(1 << 16)):
            pass
    return path
