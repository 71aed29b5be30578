"""A source becomes a batch: once, whole, and whatever happens meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flyball.domain.canonical import canonical_json
from flyball.domain.data import EMPTY, DataBatch, DatasetVersion
from flyball.domain.ledger import Entry
from flyball.domain.schema import Column, ColumnType, Schema
from flyball.errors import (
    BatchConflict,
    DataQualityError,
    FlyballError,
    InvalidRequest,
    NotFound,
    StorageUnavailable,
)
from flyball.ports import Change, DatasetFiles, Datasets, Records
from flyball.settings import Gates
from flyball.steps.ingest import Ingested, ingest
from flyball.storage.datasets import DvcDatasets
from flyball.storage.sources import FileSources
from flyball.testing.fakes import ManualClock, MemoryRecords

SCHEMA = Schema(
    columns=(
        Column(name="user_id", type=ColumnType.STRING, aliases=("user",)),
        Column(name="value", type=ColumnType.NUMBER, minimum=0.0),
    )
)


@dataclass
class Players:
    """As much of an application as an ingest needs."""

    schema: Schema = SCHEMA
    key: tuple[str, ...] = ("user_id", "value")


@dataclass
class World:
    """A home with real storage for data, and records in memory."""

    root: Path
    records: Records = field(default_factory=MemoryRecords)
    clock: ManualClock = field(default_factory=ManualClock)
    limits: Gates = field(default_factory=Gates)

    def __post_init__(self) -> None:
        self.datasets: Datasets = DvcDatasets(self.root / "home", self.root / "remote")

    def source(self, text: str, name: str = "players.csv") -> str:
        """A file with this content; its header is added."""
        path = self.root / name
        path.write_text(f"user,value\n{text}")
        return str(path)

    def ingest(self, location: str, batch_id: str | None = None) -> Ingested:
        """Ingest a source into the model ``games``."""
        return ingest(
            "games",
            location,
            batch_id=batch_id,
            application=Players(),  # type: ignore[arg-type] - all that is needed of one
            limits=self.limits,
            sources=FileSources(),
            datasets=self.datasets,
            records=self.records,
            clock=self.clock,
            actor="operator:ada",
            scratch=self.root / "scratch",
        )

    def state(self) -> dict[str, Any]:
        """Everything that an ingest leaves behind, for comparison."""
        newest = self.records.find(DatasetVersion, model="games", limit=1)
        workspace = self.root / "home" / "data"
        return {
            "batches": sorted(canonical_json(b) for b in self.records.find(DataBatch)),
            "newest": newest,
            "ledger": [row.entry for row in self.records.ledger()],
            "workspace": {
                str(path.relative_to(workspace)): path.read_bytes()
                for path in workspace.rglob("*")
                if path.is_file()
            },
            "scratch": list((self.root / "scratch").glob("*")),
        }

    def rows(self) -> list[tuple[str, float]]:
        """All rows of the newest dataset version."""
        (newest,) = self.records.find(DatasetVersion, model="games", limit=1)
        frames = [pl.read_parquet(self.datasets.path(md5)) for md5 in newest.files.values()]
        return pl.concat(frames).rows()


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
        assert done.batch.file == f"0001-{done.batch.digest[:12]}.parquet"
        assert done.dataset.files == {done.batch.file: done.batch.md5}
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
        with pytest.raises(DataQualityError, match="1 of 1 rows"):
            world.ingest(world.source("1,many\n"))

    def test_a_missing_source_leaves_nothing(self, world: World) -> None:
        """Not even a folder."""
        with pytest.raises(NotFound):
            world.ingest(str(world.root / "nothing.csv"))
        assert list(world.root.iterdir()) == []


class Killed(BaseException):
    """Stands for the end of the process: nothing may catch it."""


@dataclass
class Fuse:
    """Burns down by one at each effect; at zero the process is killed."""

    left: int = 1 << 30

    def burn(self) -> None:
        """One more effect is about to happen, or just happened."""
        self.left -= 1
        if self.left < 0:
            raise Killed


@dataclass
class FusedDatasets:
    """Datasets that may die just before or just after an addition."""

    inner: Datasets
    fuse: Fuse

    def add(self, model: str, files: Mapping[str, str], name: str, content: Path) -> DatasetFiles:
        """See ``Datasets.add``."""
        self.fuse.burn()
        added = self.inner.add(model, files, name, content)
        self.fuse.burn()
        return added

    def path(self, md5: str) -> Path:
        """See ``Datasets.path``."""
        return self.inner.path(md5)


class FusedRecords(MemoryRecords):
    """Records that may die just before or just after a commit."""

    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        self.fuse = fuse

    def commit(self, changes: Sequence[Change], entries: Sequence[Entry] = ()) -> None:
        """See ``Records.commit``."""
        self.fuse.burn()
        super().commit(changes, entries)
        self.fuse.burn()


class TestACrash:
    """A kill between any two effects, then the same command again."""

    @pytest.mark.parametrize("effects", range(6))
    def test_ends_like_an_undisturbed_run(self, tmp_path: Path, effects: int) -> None:
        """Batches, dataset, ledger, workspace: all equal."""
        fuse = Fuse()
        broken = World(tmp_path / "broken", records=FusedRecords(fuse))
        broken.datasets = FusedDatasets(broken.datasets, fuse)
        whole = World(tmp_path / "whole")
        for world in (broken, whole):
            world.root.mkdir()
            world.ingest(world.source("1,1\n", "one.csv"), "one")
        source = broken.source("2,2\n", "two.csv")
        fuse.left = effects
        with pytest.raises(Killed):
            broken.ingest(source, "two")
        fuse.left = 1 << 30
        broken.ingest(source, "two")
        whole.source("2,2\n", "two.csv")
        whole.ingest(str(whole.root / "two.csv"), "two")
        assert _comparable(broken) == _comparable(whole)

    def test_there_are_just_six_moments_to_die_in(self, tmp_path: Path) -> None:
        """So that the test above has tried every one."""
        fuse = Fuse(left=6)
        world = World(tmp_path, records=FusedRecords(fuse))
        world.datasets = FusedDatasets(world.datasets, fuse)
        assert world.ingest(world.source("1,1\n")).new
        assert fuse.left == 0


def _comparable(world: World) -> dict[str, Any]:
    """A world's state, without the folder it happens to lie in."""
    text = repr(world.state())
    return {"state": text.replace(str(world.root), ""), "rows": world.rows()}


class RacingRecords(MemoryRecords):
    """Records in which the first commits of two threads happen only when both have come."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Barrier(2, timeout=30)
        self.passed = threading.local()

    def commit(self, changes: Sequence[Change], entries: Sequence[Entry] = ()) -> None:
        """See ``Records.commit``."""
        if not getattr(self.passed, "gate", False):
            self.passed.gate = True
            self.gate.wait()
        super().commit(changes, entries)


class TestTwoAtOnce:
    """Two ingests that both build on what they found, and commit at the same moment."""

    @pytest.mark.parametrize("earlier", [False, True])
    def test_of_different_batches_both_end_in_the_dataset(
        self, tmp_path: Path, earlier: bool
    ) -> None:
        """Also where it is the first version that both would make."""
        world = World(tmp_path)
        if earlier:
            world.ingest(world.source("0,0\n"), "zero")
        before = world.records
        world.records = _racing(before)
        sources = [world.source("1,1\n", "a.csv"), world.source("2,2\n", "b.csv")]
        results = at_once(lambda n: world.ingest(sources[n], "ab"[n]))
        assert [result.new for result in results] == [True, True]
        (newest,) = world.records.find(DatasetVersion, model="games", limit=1)
        assert set(newest.batches) == ({"zero", "a", "b"} if earlier else {"a", "b"})
        assert newest.rows == len(newest.batches) == len(world.rows())
        assert set(newest.files) == {
            path.name for path in (tmp_path / "home" / "data" / "games").iterdir()
        }

    def test_of_the_same_rows_are_one_batch(self, tmp_path: Path) -> None:
        """One is new, the other is told so."""
        world = World(tmp_path, records=RacingRecords())
        ticks = [world.source("1,1\n", "a.csv"), world.source("1,1\n", "b.csv")]
        results = at_once(lambda n: world.ingest(ticks[n]))
        assert sorted(result.new for result in results) == [False, True]
        assert len(world.records.find(DataBatch)) == 1
        assert results[0].batch == results[1].batch

    def test_of_other_rows_under_one_id_only_one_wins(self, tmp_path: Path) -> None:
        """The other is refused, not mixed in."""
        world = World(tmp_path, records=RacingRecords())
        sources = [world.source("1,1\n", "a.csv"), world.source("2,2\n", "b.csv")]

        def attempt(n: int) -> Ingested | FlyballError:
            try:
                return world.ingest(sources[n], "monday")
            except FlyballError as error:
                return error

        results = at_once(attempt)
        assert sum(isinstance(result, BatchConflict) for result in results) == 1
        assert len(world.rows()) == 1
        (newest,) = world.records.find(DatasetVersion, model="games", limit=1)
        laid_out = tmp_path / "home" / "data"
        assert [path.name for path in (laid_out / "games").iterdir()] == list(newest.files)
        assert newest.version in (laid_out / "games.dvc").read_text()


def _racing(records: Records) -> RacingRecords:
    """Racing records with what these hold."""
    racing = RacingRecords()
    racing.passed.gate = True
    for kind in (DataBatch, DatasetVersion):
        racing.commit([Change(value=value) for value in records.find(kind)])
    racing.passed.gate = False
    return racing


def at_once(call: Callable[[int], Any]) -> list[Any]:
    """``call(0)`` and ``call(1)`` in two threads."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(call, range(2)))


class TestTheEnvironment:
    """When a disk or a database fails."""

    def test_a_broken_database_leaves_no_record(self, tmp_path: Path) -> None:
        """And the same command works once it is back."""
        records = MemoryRecords()
        world = World(tmp_path, records=records)
        source = world.source("1,1\n")
        records.broken = True
        with pytest.raises(StorageUnavailable):
            world.ingest(source)
        records.broken = False
        assert world.ingest(source).new

    def test_a_scratch_folder_that_cannot_be_made(self, world: World) -> None:
        """Is said, with the place."""
        (world.root / "scratch").write_text("a file")
        with pytest.raises(StorageUnavailable, match="scratch"):
            world.ingest(world.source("1,1\n"))
