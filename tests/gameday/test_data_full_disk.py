"""A batch that is larger than the disk: the dataset stays as it was, and the user is told."""

from __future__ import annotations

import pytest
from data_home import is_whole, left_over, shelf, write_rows
from data_measured import measured
from gameday_home import MODEL
from gameday_processes import flyball

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SMALL, LARGE = 20_000, 500_000
ENOUGH = "200m"
TIGHT = ("12m", "20m")
"""Too small for what is staged, and for the copies of the batch: found by trying."""


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full-disk")
    return [
        write_rows(folder / "small.csv", SMALL, seed=41, bad=0.02),
        write_rows(folder / "large.csv", LARGE, seed=42, bad=0.02),
    ]


class TestABatchLargerThanTheDisk:
    def test_is_refused_and_comes_in_when_there_is_space(self, sources, small_disk):
        home = small_disk(f"size={ENOUGH}") / "home"
        small, large = sources
        assert flyball("ingest", MODEL, small, home=home).code == 0
        before = shelf(home)
        for size in TIGHT:
            small_disk(f"size={size}")
            refused = flyball("ingest", MODEL, large, home=home)
            refused.refused(3, "space", "run the same command again")
            assert shelf(home) == before
            assert temporary(home) == []
        small_disk(f"size={ENOUGH}")
        is_whole(home)
        assert flyball("ingest", MODEL, large, home=home).code == 0
        assert shelf(home)["batches"][:1] == before["batches"]
        assert len(shelf(home)["batches"]) == 2
        is_whole(home)

    def test_of_standard_input_is_refused_and_not_kept(self, sources, small_disk, tmp_path):
        home = small_disk("size=12m") / "home"
        path = tmp_path / "rows.csv"
        path.write_bytes(sources[1].read_bytes())
        with path.open("rb") as stdin:
            refused = measured("ingest", MODEL, "-", home=home, stdin=stdin)
        refused.ended.refused(3, "standard input", "space")
        assert temporary(home) == []


class TestForgettingOnAFullDisk:
    def test_says_so_and_ends_when_there_is_space(self, sources, small_disk):
        home = small_disk(f"size={ENOUGH}") / "home"
        assert flyball("ingest", MODEL, sources[1], home=home).code == 0
        before = shelf(home)
        used = sum(path.stat().st_blocks * 512 for path in home.rglob("*") if path.is_file())
        small_disk(f"size={used + (1 << 20)}")
        refused = flyball("data", "forget", MODEL, "player-17", home=home)
        refused.refused(3, "space", "run the same command again")
        assert shelf(home)["newest"] == before["newest"]
        assert temporary(home) == []
        small_disk(f"size={ENOUGH}")
        done = flyball("data", "forget", MODEL, "player-17", "--json", home=home)
        assert done.code == 0, done.err
        assert done.json()["rows"] > 10
        is_whole(home)


def temporary(home):
    """What is half-done; a workflow may be there, whose end could not be recorded."""
    return [found for found in left_over(home) if not found.startswith("[")]
