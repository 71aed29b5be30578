"""A person who asks to be forgotten is: and nobody else loses a row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from privacy_world import LATER, PRICES, Shop, bytes_below, pseudonym

from flyball.domain.data import DUPLICATE, FORGOTTEN, DataBatch, DatasetVersion, Forgotten
from flyball.errors import InvalidRequest, StaleWrite, StorageUnavailable
from flyball.ports import Change
from flyball.steps.forget import kept
from flyball.testing.builders import a_list, a_recipe, a_version, an_event
from flyball.testing.fakes import MemoryRecords

HEADER = "user,value,event"


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


def users(shop: Shop, table: str = "plays", column: str = "user_id") -> set[str]:
    return set(shop.table(table)[column])


class TestForgettingAPerson:
    """What they, and an operator, may rely on."""

    def test_takes_their_rows_out_of_the_next_version_and_nobody_else_s(self, shop):
        shop.take(HEADER, "ada,1,play", "bob,2,play", "ada,3,purchase")
        before = shop.newest()
        done = shop.forget("ada")
        assert shop.table()["value"].to_list() == [2.0]
        assert (done.erased.rows, shop.newest().rows) == (2, 1)
        assert shop.newest().version != before.version
        assert shop.newest().files.keys() == before.files.keys()
        assert shop.newest().batches == before.batches

    def test_lays_the_next_version_out_for_people_and_dvc(self, shop, tmp_path):
        shop.take(HEADER, "ada,1,play", "bob,2,play")
        shop.forget("ada")
        [laid_out] = (tmp_path / "home" / "data" / "games").glob("*-plays-*.parquet")
        assert pl.read_parquet(laid_out)["user_id"].to_list() == [pseudonym("bob")]

    def test_leaves_files_alone_that_hold_nothing_of_theirs(self, shop):
        shop.take(HEADER, "bob,1,play")
        shop.take(HEADER, "ada,2,play", "bob,3,play")
        shop.take("price", "9.5")
        before = dict(shop.newest().files)
        done = shop.forget("ada")
        changed = {n for n, md5 in shop.newest().files.items() if before[n] != md5}
        assert changed == set(done.erased.files)
        assert len(changed) == 1

    def test_finds_them_in_each_table_and_each_personal_column(self, shop):
        shop.take("giver,taker", "ada,bob", "bob,ada", "bob,cy")
        shop.take(HEADER, "ada,1,play", "bob,2,play")
        assert shop.forget("ada").erased.rows == 3
        assert shop.table("gifts").rows() == [(pseudonym("bob"), pseudonym("cy"))]
        assert users(shop) == {pseudonym("bob")}

    def test_removes_their_events_and_no_others(self, shop):
        mine = an_event("1", user_id=pseudonym("ada"))
        others = [an_event("2", user_id=pseudonym("bob")), an_event("3", model="adult")]
        shop.events.events = [mine, *others]
        assert shop.forget("ada").events == 1
        assert shop.events.events == others

    def test_removes_the_lists_that_were_shown_to_them_and_no_others(self, shop):
        people = [pseudonym("ada"), pseudonym("bob"), pseudonym("ada"), ""]
        at = int(shop.clock.now().timestamp() * 1000)
        lists = [a_list(f"id-{n}", user_id=user, shown_at=at) for n, user in enumerate(people)]
        shop.served.append(lists)
        assert shop.forget("ada").lists == 2
        now = shop.clock.now()
        left = shop.served.read("games", since=now - timedelta(1), until=now + timedelta(1))
        assert left["user_id"].to_list() == [pseudonym("bob"), ""]
        assert pseudonym("ada") not in shop.records.ledger()[-1].entry.reason

    def test_takes_them_out_of_quarantines_too(self, shop):
        batch = shop.take(HEADER, "bob,1,play", "ada,-1,play", "bob,-2,play", "ada,x,play")
        old = batch.quarantine
        assert shop.forget("ada").erased.quarantined == 2
        assert shop.quarantine(batch.batch_id)["user_id"].to_list() == [pseudonym("bob")]
        assert shop.batch(batch.batch_id).quarantined == 1
        assert old not in shop.datasets.stored()

    def test_leaves_no_quarantine_where_all_rows_were_theirs(self, shop):
        batch = shop.take(HEADER, "bob,1,play", "ada,-1,play")
        shop.forget("ada")
        after = shop.batch(batch.batch_id)
        assert (after.quarantine, after.quarantined) == ("", 0)

    def test_takes_them_out_of_examples_and_profiles(self, shop):
        batch = shop.take(HEADER, *(f"ada,{n},play" for n in range(9)), "bob,1,play", "ada,-1,play")
        assert pseudonym("ada") in str(batch)
        old = batch.sketches
        shop.forget("ada")
        after = shop.batch(batch.batch_id)
        assert pseudonym("ada") not in str(after)
        assert pseudonym("ada").encode() not in shop.datasets.path(after.sketches).read_bytes()
        assert old not in shop.datasets.stored()

    def test_says_so_in_the_ledger_by_their_pseudonym_only(self, shop, tmp_path):
        shop.take(HEADER, "ada-lovelace,1,play", "bob,2,play", "ada-lovelace,-1,play")
        before = shop.newest().version
        (tmp_path / "rows.csv").unlink()  # the source is not ours
        shop.forget("ada-lovelace", reason="asked by letter of 1 March")
        asked, erased = (row.entry for row in shop.records.ledger()[-2:])
        subject = f"games/{pseudonym('ada-lovelace')}"
        assert (asked.action, asked.subject) == ("forget", subject)
        assert asked.reason == "asked by letter of 1 March"
        assert (erased.action, erased.subject) == ("erase", subject)
        assert (erased.before, erased.after) == (before, shop.newest().version)
        assert erased.reason == "1 row of the dataset, 1 of quarantines, 0 events, 0 lists"
        everything = bytes_below(tmp_path) | {"records": str(vars(shop.records)).encode()}
        assert not [name for name, content in everything.items() if b"ada-lovelace" in content]

    def test_names_the_versions_that_learned_from_them(self, shop):
        shop.take(HEADER, "bob,1,play")
        before_ada = shop.newest().version
        shop.take(HEADER, "ada,2,play")
        with_ada = shop.newest().version
        learned = a_version("1.1.0", recipe=a_recipe(data_version=with_ada))
        innocent = a_version("1.0.0", recipe=a_recipe(data_version=before_ada))
        shop.records.commit([Change(value=learned), Change(value=innocent)])
        done = shop.forget("ada")
        assert done.learned == (learned,)
        assert [version.version for version in done.versions] == [with_ada]

    def test_of_whom_nothing_is_stored_is_recorded_all_the_same(self, shop):
        shop.take(HEADER, "bob,1,play")
        before = shop.newest()
        done = shop.forget("nobody")
        assert (done.events, done.erased.rows, done.erased.quarantined) == (0, 0, 0)
        assert shop.newest() == before
        [known] = shop.records.find(Forgotten, model="games")
        assert known.pseudonym == pseudonym("nobody")
        assert shop.records.ledger()[-1].entry.action == "erase"

    def test_works_before_there_is_any_data(self, shop):
        assert shop.forget("ada").erased.dataset is None
        shop.take(HEADER, "ada,1,play", "bob,2,play")
        assert users(shop) == {pseudonym("bob")}

    def test_may_leave_a_file_without_rows(self, shop):
        shop.take(HEADER, "ada,1,play")
        shop.forget("ada")
        assert shop.table().height == 0
        assert shop.table().columns == ["user_id", "value", "event"]

    def test_twice_changes_nothing_more_and_still_names_what_learned(self, shop):
        shop.take(HEADER, "ada,1,play", "bob,2,play")
        old = shop.newest().version
        shop.records.commit([Change(value=a_version(recipe=a_recipe(data_version=old)))])
        first = shop.forget("ada")
        shop.clock.advance(60)
        again = shop.forget("ada")
        assert again.erased.dataset == first.erased.dataset
        assert again.erased.rows == 0
        assert again.learned == first.learned != ()
        assert again.forgotten.at == LATER + timedelta(seconds=60)
        assert shop.records.verify_ledger() == len(shop.records.ledger())

    def test_of_two_people_forgets_both(self, shop):
        shop.take(HEADER, "ada,1,play", "bob,2,play", "cy,3,play")
        shop.forget("ada")
        shop.forget("cy")
        assert users(shop) == {pseudonym("bob")}


class TestWhatComesAfter:
    """Data that arrives once somebody was forgotten."""

    def test_the_same_source_again_is_still_the_same_batch(self, shop):
        """Or else everybody else's rows would be there twice."""
        source = shop.file(HEADER, "ada,1,play", "bob,2,play")
        shop.ingest(source)
        shop.forget("ada")
        again = shop.ingest(source, accept=True)
        assert not again.new
        assert shop.table()["value"].to_list() == [2.0]

    def test_their_rows_are_left_out_and_are_not_bad(self, shop):
        shop.forget("ada")
        batch = shop.take(HEADER, "ada,1,play", "ada,2,play", "bob,3,play")
        assert batch.rows == 1
        assert [(f.rule, f.count) for f in batch.findings] == [(FORGOTTEN, 2)]

    def test_rows_dated_later_are_taken_again(self, shop):
        shop.clock.time = datetime(2026, 3, 1, 12, tzinfo=UTC)
        shop.forget("ada")
        shop.take(
            "user,value,at",
            "ada,1,2026-03-01T12:00:00Z",
            "ada,2,2026-03-01T12:00:01Z",
            "ada,3,",
            "bob,4,",
        )
        assert shop.table()["value"].to_list() == [2.0, 4.0]

    def test_counts_of_forgotten_rows_add_up_over_people(self, shop):
        batch = shop.take(HEADER, "ada,1,play", "bob,2,play", "cy,3,play", "cy,3,play")
        shop.forget("ada")
        shop.forget("cy")
        counts = {f.rule: f.count for f in shop.batch(batch.batch_id).findings}
        assert counts == {DUPLICATE: 1, FORGOTTEN: 2}
        assert shop.batch(batch.batch_id).rows == 1


class Crash(BaseException):
    """The process dies."""


class TestACrash:
    """Wherever it comes, the same call ends what was begun."""

    @pytest.mark.parametrize("dies_at", range(8))
    def test_is_made_good_by_doing_it_again(self, tmp_path, dies_at):
        class Dies(MemoryRecords):
            left = -1

            def commit(self, changes, entries=()):
                self.tick()
                super().commit(changes, entries)
                self.tick()

            def tick(self) -> None:
                if self.left == 0:
                    self.left = -1
                    raise Crash
                self.left -= 1

        records = Dies()
        shop = Shop(tmp_path, records=records)
        shop.events.events = [an_event("1", user_id=pseudonym("ada"))]
        batch = shop.take(HEADER, "ada,1,play", "bob,2,play", "ada,-1,play", "bob,-1,play")
        keep, lay_out, forget = shop.datasets.keep, shop.datasets.lay_out, shop.events.forget

        def dying(call):
            def called(*args):
                records.tick()
                return call(*args)

            return called

        shop.datasets.keep, shop.datasets.lay_out = dying(keep), dying(lay_out)
        shop.events.forget = dying(forget)
        records.left = dies_at
        with pytest.raises(Crash):
            shop.forget("ada")
        shop.forget("ada")
        assert users(shop) == {pseudonym("bob")}
        assert shop.events.events == []
        assert shop.quarantine(batch.batch_id)["user_id"].to_list() == [pseudonym("bob")]
        assert shop.records.verify_ledger() == len(shop.records.ledger())
        assert list((tmp_path / "scratch").iterdir()) == []


class TestBesideOthers:
    """Ingests that go on at the same time."""

    def test_a_batch_that_came_first_is_searched_too(self, tmp_path):
        class Raced(MemoryRecords):
            race = None

            def commit(self, changes, entries=()):
                race, self.race = self.race, None
                kinds = {type(change.value) for change in changes}
                if race is not None and DatasetVersion in kinds:
                    race()
                else:
                    self.race = race
                super().commit(changes, entries)

        records = Raced()
        shop = Shop(tmp_path, records=records)
        shop.take(HEADER, "ada,1,play", "bob,2,play")
        # an ingest that began before the wish was recorded, and so does not know of it
        other = Shop(tmp_path, records=records)
        other_records = _WithoutForgotten(records)
        other.records = other_records

        def race():
            other.take(HEADER, "ada,5,play", "bob,6,play")

        records.race = race
        shop.forget("ada")
        assert shop.table()["value"].to_list() == [2.0, 6.0]
        assert len(shop.newest().batches) == 2

    def test_a_dataset_that_never_rests_is_said_so(self, tmp_path):
        class Restless(MemoryRecords):
            def commit(self, changes, entries=()):
                if any(entry.action == "erase" for entry in entries):
                    raise StaleWrite("somebody was first")
                super().commit(changes, entries)

        shop = Shop(tmp_path, records=Restless())
        shop.take(HEADER, "ada,1,play")
        with pytest.raises(StaleWrite, match="run the same command again"):
            shop.forget("ada")


class _WithoutForgotten:
    """Records as somebody sees them who looked before anybody was forgotten."""

    def __init__(self, records: MemoryRecords) -> None:
        self._records = records

    def __getattr__(self, name):
        return getattr(self._records, name)

    def find(self, kind, **chosen):
        return [] if kind is Forgotten else self._records.find(kind, **chosen)


class TestItIsRefused:
    """Before anything is done."""

    def refused(self, shop, match, user="ada", reason=""):
        with pytest.raises(InvalidRequest, match=match):
            shop.forget(user, reason)
        assert shop.records.ledger() == []
        assert shop.records.find(Forgotten) == []

    def test_without_an_id(self, shop):
        self.refused(shop, "whom to forget", user="  ")

    def test_with_a_reason_that_names_the_person(self, shop):
        self.refused(shop, "the reason names the person", reason="player (ada) asked")

    def test_where_no_column_is_personal(self, shop):
        shop.schemas = (PRICES,)
        self.refused(shop, "knows nobody")

    def test_a_reason_that_only_contains_the_letters_is_fine(self, shop):
        assert shop.forget("ada", "asked from Canada").events == 0


def test_a_full_disk_is_said_so_and_the_dataset_stays(shop, tmp_path):
    shop.take(HEADER, "ada,1,play", "bob,2,play")
    before = shop.newest()
    scratch = tmp_path / "scratch"
    scratch.rmdir()
    scratch.write_text("in the way")
    with pytest.raises(StorageUnavailable, match="run the same command again"):
        shop.forget("ada")
    assert shop.newest() == before
    scratch.unlink()
    shop.forget("ada")
    assert users(shop) == {pseudonym("bob")}


class TestKept:
    """Which rows stay, as one expression."""

    AT = datetime(2026, 1, 1, tzinfo=UTC)

    def stays(self, frame, personal, dated):
        return frame.select(kept({"p": self.AT, "q": self.AT}, personal, dated)).to_series()

    def test_by_person_and_time(self):
        hour = timedelta(hours=1)
        rows = [
            ("p", self.AT - hour, False),
            ("p", self.AT, False),
            ("p", self.AT + hour, True),
            ("q", None, False),
            ("other", None, True),
            (None, self.AT, True),
        ]
        who, when, expected = zip(*rows, strict=True)
        frame = pl.DataFrame({"who": who, "when": pl.Series(when, dtype=pl.Datetime("us", "UTC"))})
        assert self.stays(frame, ["who"], "when").to_list() == list(expected)

    def test_in_any_personal_column(self):
        frame = pl.DataFrame({"giver": ["p", "x", "x"], "taker": ["x", "q", "x"]})
        assert self.stays(frame, ["giver", "taker"], None).to_list() == [False, False, True]


def test_a_table_without_people_is_left_alone(shop):
    shop.take("price", "1.5")
    shop.forget("ada")
    assert [batch.rows for batch in shop.records.find(DataBatch)] == [1]
