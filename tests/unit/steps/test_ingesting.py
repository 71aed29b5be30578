"""A source becomes a batch: once, whole, and with every row accounted for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ingest_world import World

from flyball.domain.data import EMPTY, DataBatch, DatasetVersion
from flyball.errors import BatchConflict, DataQualityError, InvalidRequest, NotFound
from flyball.settings import Gates


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An empty home."""
    return World(tmp_path)


class TestABatch:
    """What a user may rely on."""

    def test_holds_the_rows_of_its_source(self, world: World) -> None:
        """As canonical Parquet, found by the hash in its record."""
        done = world.ingest(world.source("1,2.5\n2,3\n"))
        assert done.new
        assert world.rows() == [("1", 2.5), ("2", 3.0)]
        assert done.batch.batch_id == done.batch.digest[:12]
        assert done.batch.file == f"0001-plays-{done.batch.digest[:12]}.parquet"
        assert done.dataset.tables() == {"plays": [done.batch.md5]}
        assert done.batch.profile["rows"] == 2

    def test_is_written_in_the_ledger(self, world: World) -> None:
        """Who, what, and the version it made."""
        done = world.ingest(world.source("1,2.5\n"))
        (row,) = world.records.ledger()
        assert (row.entry.actor, row.entry.action) == ("operator:ada", "ingest")
        assert (row.entry.subject, row.entry.after) == (done.batch.id, done.dataset.version)

    def test_the_same_rows_again_are_the_same_batch(self, world: World) -> None:
        """Said, not an error; also from another file of another format."""
        first = world.ingest(world.source("1,2.5\n"))
        before = world.state()
        other = world.root / "again.jsonl"
        other.write_text(json.dumps({"value": 2.5, "user": 1}))
        world.clock.advance(3600)
        second = world.ingest(str(other))
        assert not second.new
        assert (second.batch, second.dataset) == (first.batch, first.dataset)
        assert "nothing was added" in second.note
        assert world.state() == before

    def test_the_same_rows_under_another_id_keep_the_first(self, world: World) -> None:
        """And that is said."""
        world.ingest(world.source("1,2.5\n"), "monday")
        again = world.ingest(world.source("1,2.5\n"), "tuesday")
        assert again.batch.batch_id == "monday"
        assert "'tuesday' was not used" in again.note

    def test_an_id_never_gets_other_content(self, world: World) -> None:
        """Refused, and nothing is stored."""
        world.ingest(world.source("1,2.5\n"), "monday")
        before = world.state()
        with pytest.raises(BatchConflict, match=r"'monday'.*another id"):
            world.ingest(world.source("9,9\n"), "monday")
        assert world.state() == before

    @pytest.mark.parametrize("batch_id", ["", "../x", "a b", "x" * 65])
    def test_an_id_is_a_plain_word(self, world: World, batch_id: str) -> None:
        """It becomes part of names that people type."""
        with pytest.raises(InvalidRequest, match="cannot name a batch"):
            world.ingest(world.source("1,2.5\n"), batch_id)

    def test_the_version_before_the_first_is_the_empty_one(self, world: World) -> None:
        """The newest one is always the last that was written."""
        done = world.ingest(world.source("1,1\n"))
        empty, first = world.records.find(DatasetVersion, model="games")
        assert (empty.version, empty.rows, empty.head) == (EMPTY, 0, first.version)
        assert first == done.dataset

    def test_batches_add_up_in_order_of_arrival(self, world: World) -> None:
        """Each makes a new dataset version of all so far."""
        first = world.ingest(world.source("1,1\n"), "one")
        second = world.ingest(world.source("2,2\n"), "two")
        assert second.dataset.batches == ("one", "two")
        assert second.dataset.rows == 2
        assert second.dataset.version != first.dataset.version
        assert world.rows() == [("1", 1.0), ("2", 2.0)]
        assert second.batch.file.startswith("0002-")


class TestQuality:
    """What becomes of bad rows."""

    def test_few_bad_rows_are_left_out_and_kept_on_record(self, world: World) -> None:
        """Up to the share that the gates allow."""
        rows = "".join(f"{n},1\n" for n in range(40))
        done = world.ingest(world.source(f"{rows}x,many\ny,-1\n"))
        assert done.batch.rows == 40
        assert {(f.rule, f.count) for f in done.batch.findings} == {
            ("number:value", 1),
            ("minimum:value", 1),
        }

    def test_too_many_bad_rows_are_refused_with_every_reason(self, world: World) -> None:
        """Each rule, its count and examples; and nothing is stored."""
        with pytest.raises(DataQualityError) as caught:
            world.ingest(world.source("1,1\nx,many\ny,-1\nz,1,1\n"))
        text = str(caught.value)
        assert "3 of 4 rows (75.0%)" in text
        assert "at most 5.0%" in text
        for reason in ("number:value: 1 row", "minimum:value: 1 row", "width: 1 row", "line 3"):
            assert reason in text
        assert world.records.find(DataBatch) == []
        assert not (world.root / "home").exists()

    def test_repeated_rows_are_not_bad(self, world: World) -> None:
        """They are kept once, however many there are."""
        done = world.ingest(world.source("1,1\n" * 10))
        assert done.batch.rows == 1
        assert [(f.rule, f.count) for f in done.batch.findings] == [("duplicate", 9)]

    def test_a_source_without_one_good_row_is_refused(self, world: World) -> None:
        """Whatever the gates allow."""
        world.limits = Gates(max_quarantined=1.0)
        with pytest.raises(DataQualityError, match=r"1 of 1 row .*no other is left") as caught:
            world.ingest(world.source("1,many\n"))
        assert "max_quarantined" not in str(caught.value), "raising it would not help"

    def test_a_source_with_only_blank_rows_is_not_called_bad(self, world: World) -> None:
        """Nothing is wrong, and no gate is at fault."""
        with pytest.raises(DataQualityError, match="there is nothing to ingest") as caught:
            world.ingest(world.source(",\n,\n"))
        assert "blank: 2 rows, without any value" in str(caught.value)
        assert "max_quarantined" not in str(caught.value)

    def test_details_leave_the_count_to_whoever_shows_it(self, world: World) -> None:
        """Beside it, once, with separators."""
        world.limits = Gates(max_quarantined=0.9)
        rows = "".join("x,many\n" for _ in range(1200)) + "".join(f"{n},1\n" for n in range(300))
        [finding] = world.ingest(world.source(rows)).batch.findings
        assert (finding.count, finding.detail[:20]) == (1200, "for example: line 2:")
        world.limits = Gates()
        with pytest.raises(DataQualityError, match="number:value: 1,200 rows, for example: line 2"):
            world.ingest(world.source(f"{rows}y,2\n"))

    def test_a_missing_source_leaves_nothing(self, world: World) -> None:
        """Not even a file of work in progress."""
        with pytest.raises(NotFound):
            world.ingest(str(world.root / "nothing.csv"))
        assert [path for path in world.root.rglob("*") if path.name != "scratch"] == []
