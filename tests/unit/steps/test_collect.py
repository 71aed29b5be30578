"""Which data files are garbage, and that nothing else goes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from flyball.domain.data import EMPTY, DataBatch, DatasetVersion
from flyball.errors import NotFound
from flyball.ports import Change, Stored
from flyball.steps.collect import YOUNG, Named, Why, collect, decided
from flyball.storage.datasets import DvcDatasets
from flyball.testing.builders import NOON, a_batch, a_dataset, a_recipe, a_run, a_version
from flyball.testing.datasets import a_file, soon
from flyball.testing.fakes import ManualClock, MemoryRecords

OLD, ROWS, PACK, PROFILE, LEFT = ("0f" * 16, "aa" * 16, "bb" * 16, "cc" * 16, "dd" * 16)
DIR = f"{OLD}.dir"
THEN = NOON - timedelta(days=3)


def stored(*oids: str, kept_at=THEN) -> dict[str, Stored]:
    return {oid: Stored(size=10, kept_at=kept_at) for oid in oids}


def version(**fields) -> DatasetVersion:
    return a_dataset(version=OLD, files={"0001-x-a.parquet": ROWS, "p": PACK}, **fields)


def head(of: str) -> DatasetVersion:
    return a_dataset(version=EMPTY, batches=(), files={}, rows=0, head=of)


BATCH = a_batch(sketches=PROFILE, quarantine=LEFT)
ALL = (DIR, ROWS, PACK, PROFILE, LEFT)


class TestWhatIsDecided:
    """No effects: what is stored and recorded alone decide."""

    def judge(self, named: Named, *oids: str):
        return decided(stored(*(oids or ALL)), named, kept_before=NOON)

    def test_what_nothing_names_is_garbage(self):
        """A version that no head, model version or run names, and all that belongs to it."""
        named = Named(versions=[version(), head("ee" * 16)], batches=[BATCH])
        assert set(self.judge(named).garbage) == set(ALL)

    def test_the_newest_version_stays_whole(self):
        """With its listing, the profiles and the quarantines of its batches."""
        found = self.judge(Named(versions=[version(), head(OLD)], batches=[BATCH]))
        assert found.garbage == {}
        assert {why: kept.objects for why, kept in found.kept.items()} == {
            Why.NEWEST: 3,
            Why.PROFILE: 1,
            Why.QUARANTINE: 1,
        }

    @pytest.mark.parametrize(("by", "why"), [("learned", Why.MODEL_VERSION), ("read", Why.RUN)])
    def test_what_a_model_learned_from_stays(self, by, why):
        """For as long as the model version or the run is recorded."""
        named = Named(versions=[version()], batches=[BATCH], **{by: {("games", OLD)}})
        found = self.judge(named)
        assert found.garbage == {}
        assert found.kept[why].size == 30

    def test_another_models_dataset_is_no_reason(self):
        """Names are by model: the same hash elsewhere counts there alone."""
        named = Named(versions=[version()], batches=[BATCH], learned={("income", OLD)})
        assert set(self.judge(named).garbage) == set(ALL)

    def test_a_file_shared_with_a_version_in_use_stays(self):
        """Only what the other one alone had is garbage."""
        other = a_dataset(version="9a" * 16, files={"0001-x-a.parquet": ROWS}, batches=())
        named = Named(versions=[version(), other, head(other.version)], batches=[BATCH])
        found = self.judge(named, *ALL, f"{other.version}.dir")
        assert set(found.garbage) == {DIR, PACK, PROFILE, LEFT}

    def test_what_was_kept_a_moment_ago_stays(self):
        """An ingest keeps files first and records them after."""
        found = decided(stored(ROWS, kept_at=NOON), Named(), kept_before=NOON)
        assert found.garbage == {}
        assert found.kept[Why.YOUNG].objects == 1
        late = decided(stored(ROWS, kept_at=NOON), Named(), kept_before=NOON + YOUNG)
        assert set(late.garbage) == {ROWS}
        assert late.size == 10


@pytest.fixture
def home(tmp_path: Path) -> DvcDatasets:
    return DvcDatasets(tmp_path / "home", tmp_path / "home" / "remote")


class TestWhatIsDone:
    """On real storage, with records in memory."""

    @pytest.fixture
    def records(self) -> MemoryRecords:
        return MemoryRecords()

    def lay_out(self, home, records, folder, text: str, *, named: bool) -> str:
        md5 = home.keep(a_file(folder, text))
        made = home.lay_out("games", {"0001-x-a.parquet": md5})
        dataset = a_dataset(version=made, files={"0001-x-a.parquet": md5}, batches=())
        changes = [Change(value=dataset)]
        if named:
            recipe = replace(a_recipe(), data_version=made)
            changes.append(Change(value=a_version(recipe=recipe)))
        records.commit(changes)
        return made

    def later(self) -> ManualClock:
        return ManualClock(soon() + YOUNG)

    def test_removes_garbage_and_keeps_what_a_model_version_names(self, home, records, tmp_path):
        """And says so in the ledger."""
        kept = self.lay_out(home, records, tmp_path, "one", named=True)
        lost = self.lay_out(home, records, tmp_path, "two", named=False)
        done = collect(records, home, self.later(), actor="operator:ada")
        assert done.removed.objects == 2
        assert home.path(home.listing(kept)["0001-x-a.parquet"]).read_text() == "one"
        with pytest.raises(NotFound):
            home.listing(lost)
        (row,) = records.ledger()
        assert (row.entry.action, row.entry.actor) == ("collect", "operator:ada")
        assert records.get(DatasetVersion, f"games/{lost}").rows == 10

    def test_a_dry_run_changes_nothing(self, home, records, tmp_path):
        """It lists what would go."""
        self.lay_out(home, records, tmp_path, "two", named=False)
        before = home.stored()
        done = collect(records, home, self.later(), actor="ada", dry_run=True)
        assert set(done.decided.garbage) == set(before)
        assert done.removed.objects == 0
        assert home.stored() == before
        assert records.ledger() == []

    def test_a_second_time_there_is_nothing_to_do(self, home, records, tmp_path):
        """And nothing to record."""
        self.lay_out(home, records, tmp_path, "two", named=False)
        collect(records, home, self.later(), actor="ada")
        assert collect(records, home, self.later(), actor="ada").decided.garbage == {}
        assert len(records.ledger()) == 1

    def test_an_ingest_under_way_loses_nothing(self, home, records, tmp_path):
        """It keeps bytes that are old garbage; its record comes after the collection."""
        self.lay_out(home, records, tmp_path, "two", named=False)
        (md5,) = {oid for oid in home.stored() if not oid.endswith(".dir")}

        class KeptMeanwhile(MemoryRecords):
            def find(self, *arguments, **named):
                while home.stored()[md5].kept_at == between:  # a file's clock ticks every 4 ms
                    home.keep(a_file(tmp_path, "two"))
                return []

        between = home.stored()[md5].kept_at
        clock = ManualClock(between + timedelta(microseconds=1) + YOUNG)
        done = collect(KeptMeanwhile(), home, clock, actor="ada")
        assert md5 in done.decided.garbage
        assert home.path(md5).read_text() == "two"


def test_runs_and_versions_are_read_from_the_records():
    """Of all models."""
    records = MemoryRecords()
    values = [version(), BATCH, a_run(data_version=OLD), a_version()]
    records.commit([Change(value=value) for value in values])
    named = Named.of(records)
    assert list(named.versions) == records.find(DatasetVersion)
    assert list(named.batches) == records.find(DataBatch)
    assert named.read == {("games", OLD)}
    assert named.learned == {("games", a_version().recipe.data_version)}
