"""Rows in quarantine: explained so that one can act, and repaired without a row coming in twice."""

from __future__ import annotations

import csv
from dataclasses import replace

import polars as pl
import pytest
from privacy_world import PLAYS, PRICES, Shop, pseudonym

from flyball.domain.schema import Column, ColumnType
from flyball.errors import DataQualityError, InvalidRequest
from flyball.steps.origin import Origin, repaired
from flyball.steps.quarantine import advice, counted, export, repairable, rows
from flyball.steps.repair import BY_HAND, Repair, fixes_of, repaired_before, said
from flyball.testing.builders import a_batch

HEADER = "user,value,event"
BAD = (
    "ada,1,play",
    "bob,-5,play",  # line 3
    "bob,500,play",
    "cy,7,gift",  # line 5
    "cy,-1,gift",
    "dan,x,play",  # line 7
    "dan,,play",
    ",8,play",  # line 9
    "ada,1,play",
)


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


@pytest.fixture
def batch(shop):
    return shop.take(HEADER, *BAD)


def path_of(shop, batch):
    return shop.datasets.path(batch.quarantine)


def repair(shop, batch, **fixes):
    """Repair by rule and ingest, as the verb does; what was planned, and the new batch."""
    chosen = fixes_of({rule.replace("__", ":"): how for rule, how in fixes.items()}, PLAYS)
    batches = shop.records.find(type(batch), model="games")
    work = Repair(path_of(shop, batch), chosen, repaired_before(batch.batch_id, batches))
    planned = work.planned()
    if not planned.rows:
        return planned, None
    file = work.write(shop.root, batch)
    location = repaired(batch.batch_id, said(chosen), str(file))
    return planned, shop.ingest(location, accept=True)


class TestAQuarantine:
    def test_counts_each_rule_that_rows_break(self, shop, batch):
        assert counted(path_of(shop, batch)) == {
            "allowed:event": 2,
            "minimum:value": 2,
            "duplicate": 1,
            "maximum:value": 1,
            "not_null:user_id": 1,
            "not_null:value": 1,
            "number:value": 1,
        }

    def test_shows_where_each_row_stood_and_all_its_reasons(self, shop, batch):
        found = {row.line: row for row in rows(path_of(shop, batch), limit=99)}
        assert found[6].reasons == ("minimum:value", "allowed:event")
        assert found[6].cells["event"] == "gift"
        assert found[7].cells == {"user_id": pseudonym("dan"), "value": "x", "event": "play"}

    def test_shows_only_rows_of_a_rule_and_no_more_than_asked(self, shop, batch):
        found = rows(path_of(shop, batch), rule="allowed:event", limit=99)
        assert [row.line for row in found] == [5, 6]
        assert len(rows(path_of(shop, batch), limit=3)) == 3

    @pytest.mark.parametrize(
        ("rule", "words"),
        [
            ("minimum:value", "value is below 0 h. Repair with `clip`"),
            ("maximum:value", "value is above 100 h"),
            ("not_null:value", "value is missing, and must not be. Repair with `=VALUE`"),
            ("allowed:event", "event is none of purchase, play"),
            ("number:value", "value cannot be read as a number"),
            ("timestamp:at", "Repair with `null`"),
            ("width", "its cells are not kept, since it may name a person: look at the line in"),
            ("json", "not a JSON object; its cells are not kept"),
            ("duplicate", "nothing needs to be done"),
            ("forgotten", "nothing may be done"),
            ("something:new", "only by hand"),
        ],
    )
    def test_says_of_each_rule_what_to_do(self, rule, words):
        assert words in advice(rule, PLAYS)

    def test_of_nobody_keeps_a_line_that_could_not_be_divided(self):
        """So it can be exported and corrected, unlike one of a table with people."""
        assert "flyball data quarantine export" in advice("width", PRICES)

    def test_shows_the_first_rows_by_their_place_in_the_source(self, shop):
        """Also repeated ones, which are found last."""
        batch = shop.take(HEADER, "ada,1,play", "ada,1,play", "bob,-5,play", "ada,1,play")
        found = rows(path_of(shop, batch), limit=2)
        assert [(row.line, row.reasons) for row in found] == [
            (3, ("duplicate",)), (4, ("minimum:value",)),
        ]  # fmt: skip

    @pytest.mark.parametrize("kind", ["csv", "parquet"])
    def test_exports_no_row_that_needs_no_repair(self, shop, batch, tmp_path, kind):
        file = tmp_path / f"bad.{kind}"
        export(path_of(shop, batch), file)
        told = pl.read_csv(file) if kind == "csv" else pl.read_parquet(file)
        assert repairable(path_of(shop, batch)) == (told.height, 1) == (7, 1)
        assert told["line"].to_list() == [3, 4, 5, 6, 7, 8, 9]

    def test_exports_every_row_for_a_spreadsheet_that_carries_nothing_out(self, shop, tmp_path):
        batch = shop.take(HEADER, "ada,1,play", 'bob,-5,"=HYPERLINK(1)"', "bob,-6,@SUM(1)")
        file = tmp_path / "bad.csv"
        export(path_of(shop, batch), file)
        with file.open(newline="") as lines:
            told = list(csv.DictReader(lines))
        assert [row["event"] for row in told] == ["'=HYPERLINK(1)", "'@SUM(1)"]
        assert [float(row["value"]) for row in told] == [-5, -6]
        assert told[0]["reasons"] == "minimum:value allowed:event"
        assert told[0]["line"] == "3"


class TestARepair:
    def test_clips_to_the_bound_that_is_broken(self, shop, batch):
        _, done = repair(shop, batch, minimum__value="clip", maximum__value="clip")
        assert shop.table()["value"].to_list() == [1.0, 0.0, 100.0]
        assert done.batch.repaired_from == batch.batch_id
        assert done.batch.source == (
            f"quarantine of {batch.batch_id}, repaired: maximum:value=clip; minimum:value=clip"
        )

    def test_sets_a_value(self, shop, batch):
        repair(shop, batch, number__value="=2.5", not_null__value="=0")
        assert sorted(shop.table()["value"]) == [0.0, 1.0, 2.5]

    def test_keeps_people_who_they_were(self, shop, batch):
        repair(shop, batch, minimum__value="clip")
        assert shop.table()["user_id"].to_list() == [pseudonym("ada"), pseudonym("bob")]

    def test_makes_a_cell_missing_where_it_may_be(self, shop):
        batch = shop.take("user,value,at", "ada,1,2026-01-01", "bob,2,never")
        repair(shop, batch, timestamp__at="null")
        assert shop.table()["at"].null_count() == 1
        assert shop.table().height == 2

    def test_waits_for_a_fix_of_each_rule_that_a_row_breaks(self, shop, batch):
        planned, _ = repair(shop, batch, allowed__event="=play")
        assert planned.rows == 1, "the other row is below the minimum as well"
        planned, _ = repair(shop, batch, allowed__event="=play", minimum__value="clip")
        assert (planned.rows, planned.already) == (2, 1)
        assert sorted(shop.table()["value"]) == [0.0, 0.0, 1.0, 7.0]

    def test_shows_examples_before_and_after(self, shop, batch):
        planned, _ = repair(shop, batch, minimum__value="clip", allowed__event="=play")
        assert planned.by_rule == {"minimum:value": 2, "allowed:event": 2}
        shown = {before.line: (before.cells, after.cells) for before, after in planned.examples}
        assert shown[6][0]["value"] == "-1.0"
        assert shown[6][1]["value"] == "0.0"
        assert shown[6][1]["event"] == "play"

    def test_again_adds_nothing(self, shop, batch):
        repair(shop, batch, minimum__value="clip")
        before = shop.newest()
        planned, done = repair(shop, batch, minimum__value="clip")
        assert (planned.rows, planned.already, done) == (0, 1, None)
        planned, done = repair(shop, batch, minimum__value="=3")
        assert (planned.rows, planned.already, done) == (0, 1, None)
        assert shop.newest() == before

    def test_that_was_not_recorded_is_the_same_batch_the_second_time(self, shop, batch):
        """A crash between the ingest and the removal of the file."""
        chosen = fixes_of({"minimum:value": "clip"}, PLAYS)
        work = Repair(path_of(shop, batch), chosen)
        first, again = work.write(shop.root, batch), work.write(shop.root, batch)
        assert first == again
        location = repaired(batch.batch_id, said(chosen), str(first))
        assert shop.ingest(location, accept=True).new
        assert not shop.ingest(location, accept=True).new

    def test_that_does_not_help_lands_in_a_quarantine_of_its_own(self, shop, batch):
        """``gift`` stays the event of a row that is only clipped by hand."""
        file = shop.root / "by-hand.csv"
        file.write_text(
            f"user_id,value,event\n{pseudonym('bob')},5,play\n{pseudonym('cy')},1,gift\n"
        )
        done = shop.ingest(repaired(batch.batch_id, BY_HAND, str(file)), accept=True)
        assert done.batch.quarantined == 1
        assert shop.table()["user_id"].to_list() == [pseudonym("ada"), pseudonym("bob")]

    @pytest.mark.parametrize("kind", ["csv", "parquet"])
    def test_by_hand_brings_no_repeated_row_back(self, shop, batch, kind):
        """Not even from a file that has all of the quarantine, as older exports had."""
        file = shop.root / f"all.{kind}"
        mended = pl.when(pl.col("line") == 3).then(pl.lit("5")).otherwise("value").alias("value")
        everything = pl.read_parquet(path_of(shop, batch)).with_columns(mended)
        if kind == "parquet":
            everything.write_parquet(file)
        else:
            everything.with_columns(pl.col("reasons").list.join(" ")).write_csv(file)
        done = shop.ingest(repaired(batch.batch_id, BY_HAND, str(file)), accept=True).batch
        assert {f.rule: f.count for f in done.findings}["duplicate"] == 1
        assert shop.table()["value"].to_list() == [1.0, 5.0]
        assert "ignored_columns" not in {f.rule for f in done.findings}
        assert done.quarantined == 6
        assert 10 not in shop.quarantine(done.batch_id)["line"]

    def test_by_hand_of_rows_that_need_none_says_that_there_is_nothing(self, shop, batch):
        file = shop.root / "twice.csv"
        file.write_text(f"user_id,value,event,reasons\n{pseudonym('ada')},1,play,duplicate\n")
        with pytest.raises(DataQualityError, match="there is nothing to ingest"):
            shop.ingest(repaired(batch.batch_id, BY_HAND, str(file)), accept=True)

    def test_by_hand_of_corrected_rows_takes_them_whatever_their_reasons_were(self, shop, batch):
        file = shop.root / "mended.csv"
        file.write_text(
            "user_id,value,event,reasons\n"
            f"{pseudonym('bob')},5,play,maximum:value\n{pseudonym('cy')},6,play,allowed:duplicate\n"
            f"{pseudonym('dan')},7,play,\n"
        )
        done = shop.ingest(repaired(batch.batch_id, BY_HAND, str(file)), accept=True).batch
        assert (done.rows, done.findings) == (3, ())
        assert shop.table().columns == ["user_id", "value", "event"]

    def test_by_hand_hides_a_person_who_was_filled_in(self, shop, batch):
        """Whoever mends a row knows the person by their id, not by the pseudonym."""
        file = shop.root / "filled-in.csv"
        file.write_text(f"user_id,value,event\nada,8,play\n{pseudonym('bob')},5,play\n")
        shop.ingest(repaired(batch.batch_id, BY_HAND, str(file)), accept=True)
        people = shop.table()["user_id"].to_list()[-2:]
        assert people == [pseudonym("ada"), pseudonym("bob")]

    def test_by_hand_hides_no_rows_from_later_repairs_by_rule(self, shop, batch):
        file = shop.root / "by-hand.csv"
        file.write_text(f"user_id,value,event\n{pseudonym('bob')},5,play\n")
        done = shop.ingest(repaired(batch.batch_id, BY_HAND, str(file)), accept=True).batch
        assert repaired_before(batch.batch_id, [batch, done]) == []

    def test_of_somebody_forgotten_meanwhile_brings_nothing_back(self, shop, batch):
        shop.forget("bob")
        planned, _ = repair(shop, shop.batch(batch.batch_id), minimum__value="clip")
        assert planned.rows == 0

    @pytest.mark.parametrize("value", ["a;b", "a/b:/c", "100%", "=5", "Zoë", "a b", "x=y; z=w"])
    def test_is_told_apart_whatever_the_value(self, value):
        title = Column(name="title", type=ColumnType.STRING)
        schema = replace(PLAYS, columns=(*PLAYS.columns, title))
        chosen = fixes_of({"not_null:title": f"={value}", "minimum:value": "clip"}, schema)
        origin = Origin.of(repaired("b1", said(chosen), "/home/rows.parquet"))
        assert (origin.location, origin.repaired_from) == ("/home/rows.parquet", "b1")
        done = a_batch(source=origin.shown, repaired_from="b1")
        assert repaired_before("b1", [done]) == [{"not_null:title", "minimum:value"}]
        assert repaired_before("b2", [done]) == []


class TestAFix:
    @pytest.mark.parametrize(
        ("rule", "how", "words"),
        [
            ("duplicate", "null", "nothing needs to be done"),
            ("forgotten", "null", "nothing may be done"),
            ("width", "=3", "look at the line in the source"),
            ("minimum:nothing", "clip", "only by hand"),
            ("not_null:value", "null", "Repair with `=VALUE`"),
            ("minimum:value", "null", "Repair with `clip`"),
            ("allowed:event", "clip", "Repair with `=VALUE`"),
            ("minimum:value", "delete", "Repair with `clip`"),
            ("minimum:value", "=", "Repair with"),
            ("not_null:user_id", "=ada", "a value does not repair .* only by hand"),
            ("minimum:value", "=many", "'many' for value is not a number"),
            ("minimum:value", "=nan", "is not a number"),
            ("minimum:value", "=-3", "is out of bounds itself"),
            ("allowed:event", "=gift", "is none of purchase, play"),
        ],
    )
    def test_that_cannot_help_is_refused_with_one_that_can(self, rule, how, words):
        with pytest.raises(InvalidRequest, match=words):
            fixes_of({rule: how}, PLAYS)

    def test_that_names_a_person_is_not_repeated(self):
        with pytest.raises(InvalidRequest) as refused:
            fixes_of({"not_null:user_id": "=ada"}, PLAYS)
        assert "ada" not in str(refused.value)

    def test_is_needed(self):
        with pytest.raises(InvalidRequest, match="--rule RULE --with FIX"):
            fixes_of({}, PLAYS)
