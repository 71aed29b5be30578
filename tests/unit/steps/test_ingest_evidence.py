"""What an ingest keeps beside the rows: quarantine, profile, anomalies, schemas, pseudonyms."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from ingest_world import PSEUDONYMS, World

from flyball.domain.data import PACKAGE, Forgotten, Severity
from flyball.domain.ledger import Entry
from flyball.domain.schema import Column, ColumnType, Privacy, Reference, Schema
from flyball.domain.validation import Verdict
from flyball.errors import DataQualityError, SchemaChanged
from flyball.ports import Change
from flyball.settings import Gates
from flyball.stats.profile import Profile
from flyball.steps.origin import repaired

PLAYS = Schema(
    name="plays",
    columns=(
        Column(name="user_id", type=ColumnType.STRING, privacy=Privacy.PERSONAL),
        Column(
            name="title",
            type=ColumnType.STRING,
            references=Reference(table="catalogue", column="title", by_slug=True),
        ),
        Column(name="value", type=ColumnType.NUMBER, nullable=True, minimum=0.0),
        Column(name="day", type=ColumnType.TIMESTAMP, required=False, nullable=True),
    ),
    key=("user_id", "title", "value", "day"),
)
CATALOGUE = Schema(
    name="catalogue",
    columns=(
        Column(name="title", type=ColumnType.STRING),
        Column(name="price", type=ColumnType.NUMBER, lenient=True, nullable=True, unit="USD"),
    ),
    key=("title",),
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An empty home of a model with two tables."""
    return World(tmp_path, schemas=(PLAYS, CATALOGUE))


def file(world: World, name: str, text: str) -> str:
    """A source file."""
    path = world.root / name
    path.write_text(text)
    return str(path)


def plays(world: World, name: str, rows: range, *, value: str = "{n}.5") -> str:
    """A file with a hundred people and ten titles, row by row."""
    lines = [f"p{n % 97},Game {n % 10},{value.format(n=n % 13)}\n" for n in rows]
    return file(world, name, "user_id,title,value\n" + "".join(lines))


class TestTheQuarantine:
    """Every row left out, with its reasons and its line."""

    def test_has_each_row_that_breaks_a_rule(self, world: World) -> None:
        """Those that could not be read, too."""
        good = "".join(f"u{n},A,{n}\n" for n in range(60))
        source = file(world, "a.csv", f"user_id,title,value\n{good}v,A,many\nw,=1+1,-2\n")
        batch = world.ingest(source).batch
        rows = pl.read_parquet(world.datasets.path(batch.quarantine))
        assert rows.select("line", "reasons").rows() == [
            (62, ["number:value"]),
            (63, ["formula:title", "minimum:value"]),
        ]
        assert rows["value"].to_list() == ["many", "-2.0"]
        assert batch.quarantined == 2

    def test_knows_people_by_their_pseudonyms_only(self, world: World) -> None:
        """As does every other file in the home."""
        good = "".join(f"secret-{n},A,{n}\n" for n in range(60))
        source = file(world, "a.csv", f"user_id,title,value\n{good}secret-x,A,-2\n")
        batch = world.ingest(source).batch
        rows = pl.read_parquet(world.datasets.path(batch.quarantine))
        assert rows["user_id"].to_list() == [PSEUDONYMS.of("secret-x")]
        for path in (world.root / "home").rglob("*"):
            assert not path.is_file() or b"secret-" not in path.read_bytes()

    def test_is_absent_where_every_row_is_good(self, world: World) -> None:
        """And says so by an empty hash."""
        batch = world.ingest(plays(world, "a.csv", range(50))).batch
        assert (batch.quarantine, batch.quarantined) == ("", 0)

    def test_rows_repaired_from_it_are_a_batch_that_remembers(self, world: World) -> None:
        """Their people keep the pseudonyms that they have."""
        person = PSEUDONYMS.of("ada")
        mended = file(world, "mended.csv", f"user_id,title,value\n{person},A,1\n")
        batch = world.ingest(repaired("0a1b", "minimum:value=clip", mended)).batch
        assert batch.repaired_from == "0a1b"
        assert batch.source == "quarantine of 0a1b, repaired: minimum:value=clip"
        assert pl.read_parquet(world.datasets.path(batch.md5))["user_id"].to_list() == [person]


class TestTables:
    """Sources find the table they fit, and refer to each other."""

    def test_each_source_goes_to_the_table_it_fits(self, world: World) -> None:
        """A version has the files of both."""
        world.ingest(plays(world, "a.csv", range(50)))
        done = world.ingest(file(world, "c.csv", "title,price\nGame 1,9.5\n"))
        assert done.batch.table == "catalogue"
        assert {table: len(files) for table, files in done.dataset.tables().items()} == {
            "plays": 1,
            "catalogue": 1,
        }

    def test_cells_of_a_lenient_column_cost_no_row(self, world: World) -> None:
        """They count as missing, and are told."""
        batch = world.ingest(file(world, "c.csv", "title,price\nA,9.5\nB,soon\n")).batch
        assert batch.rows == 2
        assert ("unreadable:price", 1, False) in {
            (f.rule, f.count, f.dropped) for f in batch.findings
        }

    def test_what_a_reference_does_not_find_is_told(self, world: World) -> None:
        """Rows and values; case and punctuation do not matter; the rows stay."""
        world.ingest(
            file(world, "c.csv", "title,price\n" + "".join(f"GAME: {n}!,1\n" for n in range(9)))
        )
        batch = world.ingest(plays(world, "a.csv", range(50))).batch
        (finding,) = [f for f in batch.findings if f.rule == "reference:title"]
        assert (finding.count, finding.dropped) == (5, False)
        assert "'Game 9'" in finding.detail
        assert batch.rows == 50

    def test_before_the_other_table_has_rows_nothing_is_asked(self, world: World) -> None:
        """The order of arrival is free."""
        batch = world.ingest(plays(world, "a.csv", range(50))).batch
        assert not [f for f in batch.findings if f.rule.startswith("reference")]

    def test_columns_that_nobody_knows_are_named(self, world: World) -> None:
        """And left out."""
        batch = world.ingest(file(world, "c.csv", "title,price,colour\nA,1,red\n")).batch
        assert [(f.rule, f.dropped) for f in batch.findings] == [("ignored_columns", False)]
        assert "'colour'" in batch.findings[0].detail


class TestTheSchema:
    """Lies with the data, and cannot break with it unnoticed."""

    def test_lies_with_the_data(self, world: World) -> None:
        """As a data package that other tools read."""
        done = world.ingest(plays(world, "a.csv", range(50)))
        package = json.loads(world.datasets.path(done.dataset.files[PACKAGE]).read_bytes())
        assert [resource["name"] for resource in package["resources"]] == ["plays", "catalogue"]

    def test_a_breaking_change_stops_an_ingest_with_the_difference(self, world: World) -> None:
        """Nothing is stored."""
        world.ingest(plays(world, "a.csv", range(50)))
        before = world.state()
        renamed = replace(PLAYS.columns[2], unit="min")
        world.schemas = (replace(PLAYS, columns=(*PLAYS.columns[:2], renamed)), CATALOGUE)
        with pytest.raises(SchemaChanged, match=r"unit"):
            world.ingest(plays(world, "b.csv", range(50, 90)))
        assert world.state() == before

    def test_a_compatible_change_goes_through(self, world: World) -> None:
        """And is stored with the next version."""
        world.ingest(plays(world, "a.csv", range(50)))
        more = Column(name="mood", type=ColumnType.STRING, required=False, nullable=True)
        world.schemas = (replace(PLAYS, columns=(*PLAYS.columns, more)), CATALOGUE)
        done = world.ingest(plays(world, "b.csv", range(50, 90)))
        assert "mood" in world.datasets.path(done.dataset.files[PACKAGE]).read_text()


class TestAnomalies:
    """A batch is compared with the earlier ones of its table."""

    def test_the_first_batch_cannot_be_judged_and_says_so(self, world: World) -> None:
        """Inconclusive is no pass."""
        batch = world.ingest(plays(world, "a.csv", range(500))).batch
        (volume,) = [m for m in batch.measured if m.measure == "volume"]
        assert volume.verdict is Verdict.INCONCLUSIVE
        assert batch.anomalies == ()

    def test_its_profile_is_kept_for_those_that_follow(self, world: World) -> None:
        """Whole, by its hash."""
        batch = world.ingest(plays(world, "a.csv", range(500))).batch
        profile = Profile.from_json(world.datasets.path(batch.sketches).read_bytes())
        assert profile.rows == 500

    def test_a_severe_one_refuses_the_batch_until_somebody_accepts_it(self, world: World) -> None:
        """With its evidence; refused is stored nowhere."""
        for number in range(5):
            start = 1000 * number
            world.ingest(plays(world, f"{number}.csv", range(start, start + 900)))
        before = world.state()
        seconds = plays(world, "unit.csv", range(7000, 7900), value="{n}500.5")
        with pytest.raises(DataQualityError, match=r"distribution:value.*") as caught:
            world.ingest(seconds)
        assert "--accept-anomalies" in str(caught.value)
        assert world.state() == before
        batch = world.ingest(seconds, accept=True).batch
        assert Severity.SEVERE in {m.severity for m in batch.anomalies}

    def test_the_same_source_again_is_no_anomaly(self, world: World) -> None:
        """It is the same batch, however much it overlaps with itself."""
        source = plays(world, "a.csv", range(500))
        world.ingest(source)
        assert not world.ingest(source).new


class TestAForgottenPerson:
    """Stays forgotten, whatever arrives."""

    def test_older_and_undated_rows_are_left_out_and_kept_nowhere(self, world: World) -> None:
        """Later ones are a new beginning."""
        world.limits = Gates(max_quarantined=0.0)
        at = world.clock.now()
        gone = Forgotten(model="games", pseudonym=PSEUDONYMS.of("ada"), at=at)
        world.records.commit([Change(value=gone)])
        later, earlier = at + timedelta(days=1), at - timedelta(days=1)
        days = [f"ada,A,1,{later.isoformat()}", f"ada,A,2,{earlier.isoformat()}", "ada,A,3,"]
        source = file(
            world, "a.csv", "user_id,title,value,day\n" + "\n".join([*days, "bob,A,4,"]) + "\n"
        )
        batch = world.ingest(source).batch
        kept = pl.read_parquet(world.datasets.path(batch.md5))
        assert kept["value"].to_list() == [1.0, 4.0]
        assert batch.quarantined == 0
        assert [(f.rule, f.count) for f in batch.findings] == [("forgotten", 2)]

    def test_their_bad_rows_are_kept_nowhere_either(self, world: World) -> None:
        """Not in the quarantine."""
        gone = Forgotten(model="games", pseudonym=PSEUDONYMS.of("ada"), at=world.clock.now())
        world.records.commit([Change(value=gone)])
        good = "".join(f"u{n},A,{n}\n" for n in range(60))
        source = file(
            world, "a.csv", f"user_id,title,value\n{good}ada,A,-1\nada,A,many\nbob,A,-1\n"
        )
        batch = world.ingest(source).batch
        rows = pl.read_parquet(world.datasets.path(batch.quarantine))
        assert rows["user_id"].to_list() == [PSEUDONYMS.of("bob")]
        assert ("forgotten", 2) in {(f.rule, f.count) for f in batch.findings}

    def test_who_asks_while_a_batch_comes_in_is_taken_out_of_it(self, world: World) -> None:
        """Whatever the moment."""
        records = world.records
        commit = records.commit

        def meanwhile(changes: Sequence[Change], entries: Sequence[Entry] = ()) -> None:
            records.commit = commit  # type: ignore[method-assign] - once
            gone = Forgotten(model="games", pseudonym=PSEUDONYMS.of("p1"), at=world.clock.now())
            commit([Change(value=gone)])
            commit(changes, entries)

        records.commit = meanwhile  # type: ignore[method-assign] - the moment before the commit
        done = world.ingest(plays(world, "a.csv", range(200)))
        (md5,) = done.dataset.tables()["plays"]
        assert PSEUDONYMS.of("p1") not in pl.read_parquet(world.datasets.path(md5))["user_id"]
        assert done.batch.rows == done.dataset.rows == 197


def test_a_repaired_batch_may_keep_few_rows(world: World) -> None:
    """What is still bad goes into its own quarantine."""
    mended = file(world, "mended.csv", "user_id,title,value\n" + "u,A,1\n" + "u,A,-1\n" * 3)
    batch = world.ingest(repaired("0a1b", "allowed:x=null", mended)).batch
    assert (batch.rows, batch.quarantined) == (1, 3)
