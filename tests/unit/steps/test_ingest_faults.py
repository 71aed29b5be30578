"""Crashes, races and failing surroundings do not change what an ingest leaves behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ingest_world import World

from flyball.domain.data import DataBatch, DatasetVersion
from flyball.domain.ledger import Entry
from flyball.errors import ArtifactCorrupt, BatchConflict, FlyballError, StorageUnavailable
from flyball.ports import Change, Datasets, Records
from flyball.steps.shelf import Ingested
from flyball.testing.fakes import MemoryRecords


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An empty home."""
    return World(tmp_path)


MOMENTS = 12
"""Before and after: three files kept, laid out, committed, laid out again."""


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
    """Datasets that may die just before or just after each effect."""

    inner: Datasets
    fuse: Fuse

    def keep(self, content: Path) -> str:
        """See ``Datasets.keep``."""
        self.fuse.burn()
        kept = self.inner.keep(content)
        self.fuse.burn()
        return kept

    def lay_out(self, model: str, files: Mapping[str, str]) -> str:
        """See ``Datasets.lay_out``."""
        self.fuse.burn()
        version = self.inner.lay_out(model, files)
        self.fuse.burn()
        return version

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

    @pytest.mark.parametrize("effects", range(MOMENTS))
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

    def test_there_are_no_more_moments_to_die_in(self, tmp_path: Path) -> None:
        """So that the test above has tried every one."""
        fuse = Fuse(left=MOMENTS)
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
        assert {path.name for path in (laid_out / "games").iterdir()} == set(newest.files)
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

    def test_ingesting_again_heals_bytes_damaged_everywhere(self, world: World) -> None:
        """As the error about them advises."""
        source = world.source("1,1\n")
        md5 = world.ingest(source).batch.md5
        places = [*world.root.glob(f"**/files/md5/{md5[:2]}/{md5[2:]}")]
        for place in places:
            place.chmod(0o644)
            place.write_bytes(b"damaged")
        with pytest.raises(ArtifactCorrupt, match="ingest its source again"):
            world.rows()
        assert not world.ingest(source).new
        assert world.rows() == [("1", 1.0)]
        assert len(places) == 2

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

    def test_a_scratch_folder_that_cannot_be_made_tells_no_password(self, world: World) -> None:
        """Messages are stored and logged; a location may open a database."""
        (world.root / "scratch").write_text("a file")
        with pytest.raises(StorageUnavailable) as refused:
            world.ingest("postgresql://reader:s3cret@db/shop#SELECT 1")
        assert "s3cret" not in str(refused.value)
