"""``flyball data infer`` and ``flyball data schema``, from the command line to the records."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from flyball.cli import data_schema
from flyball.data.schema import Schemas
from flyball.domain.data import EMPTY, PACKAGE, DatasetVersion, batch_file
from flyball.domain.ledger import Entry
from flyball.domain.schema import Column, ColumnType, Privacy, Schema
from flyball.domain.table_schema import from_package, package_bytes, to_package
from flyball.errors import NotFound, SchemaChanged, StaleWrite
from flyball.steps.shelf import Shelf
from flyball.storage.datasets import DvcDatasets
from flyball.storage.sources import FileSources
from flyball.testing.fakes import ManualClock, MemoryRecords

OLD = Schema(
    name="plays",
    columns=(
        Column(name="user", type=ColumnType.STRING),
        Column(name="hours", type=ColumnType.NUMBER, unit="h", maximum=24.0),
    ),
)


def with_hours(**change):
    return replace(OLD, columns=(OLD.columns[0], replace(OLD.columns[1], **change)))


@dataclass
class Home:
    """A home with real storage for data, and records in memory: what a ``Part`` needs of one."""

    root: Path
    declared: tuple[Schema, ...] = (OLD,)
    records: MemoryRecords = field(default_factory=MemoryRecords)
    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self):
        self.home = self.root
        self.datasets = DvcDatasets(self.root / "home", str(self.root / "remote"))
        self.sources = FileSources(self.root)

    def scratch(self):
        return self.root

    def model(self, name):
        if name != "games":
            raise NotFound(f"there is no model {name!r}")

    def schemas(self, model):
        return self.declared

    def stores(self, name="batch", package=True):
        """A batch of one row, stored under the declared schemas."""
        content = self.root / f"{name}.parquet"
        pl.DataFrame({"user": [name], "hours": [1.0]}).write_parquet(content)
        shelf = self.shelf()
        start, newest = shelf.ends()
        before = newest.files if newest else {}
        md5 = self.datasets.keep(content)
        files = {**before, batch_file(len(before) + 1, "plays", md5): md5}
        if package:
            declared = self.root / "declared.json"
            declared.write_bytes(package_bytes(to_package(self.declared)))
            files[PACKAGE] = self.datasets.keep(declared)
        version = DatasetVersion(
            model="games",
            version=self.datasets.lay_out("games", files),
            batches=(*(newest.batches if newest else ()), name),
            files=files,
            rows=len(files),
            created_at=self.clock.now(),
        )
        entry = Entry(
            at=self.clock.now(), actor="x", action="ingest", subject=name, model="games",
            before="", after=version.version, reason="",
        )  # fmt: skip
        shelf.record(version, start, [], entry)
        return version

    def shelf(self):
        return Shelf(model="games", datasets=self.datasets, records=self.records, actor="x")

    def newest(self):
        return self.shelf().ends()[1]


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.fixture
def schemas(home):
    return Schemas(home, "operator:ada")


@pytest.fixture
def call(schemas):
    """Run a command line; returns how it ended."""

    class Verbs:
        data = schemas

        def close(self):
            """Nothing was opened."""

    app = typer.Typer()
    data_schema.register(app)
    return lambda *line: CliRunner().invoke(app, line, obj=lambda home: Verbs())


class TestLooking:
    def test_says_that_there_is_no_data_yet(self, schemas, call):
        found = schemas.schema("games")
        assert (found.recorded, found.changes, found.dataset) == (None, (), None)
        assert "no data yet" in call("schema", "games").stdout

    def test_says_that_nothing_differs(self, home, schemas, call):
        home.stores()
        assert schemas.schema("games").changes == ()
        ended = call("schema", "games")
        assert ended.exit_code == 0
        assert "the same as recorded" in ended.stdout
        assert "number in h" in ended.stdout

    def test_shows_a_breaking_difference_and_ends_with_no(self, home, call):
        home.stores()
        home.declared = (with_hours(unit="min", maximum=1440.0),)
        ended = call("schema", "games")
        assert ended.exit_code == 1
        assert "~ plays.hours: unit 'min' instead of 'h' (breaking)" in ended.stdout
        assert "~ plays.hours: maximum 1440 instead of 24\n" in ended.stdout
        assert "--accept" in ended.stdout

    def test_shows_a_compatible_difference_and_ends_well(self, home, call):
        home.stores()
        home.declared = (with_hours(maximum=48.0),)
        ended = call("schema", "games")
        assert ended.exit_code == 0
        assert "compatible" in ended.stdout

    def test_answers_with_one_json_document(self, home, call):
        home.stores()
        home.declared = (with_hours(unit="min"),)
        found = json.loads(call("schema", "games", "--json").stdout)
        assert found["changes"][0]["breaking"] is True
        assert found["recorded"][0]["columns"][1]["unit"] == "h"
        assert found["declared"][0]["columns"][1]["unit"] == "min"

    def test_at_data_from_before_schemas_were_recorded_says_so(self, home, schemas, call):
        home.stores(package=False)
        assert schemas.schema("games").recorded is None
        assert "without a schema" in call("schema", "games").stdout

    def test_at_an_unknown_model_says_so(self, call):
        ended = call("schema", "gmaes")
        assert ended.exit_code == 2
        assert "no model 'gmaes'" in ended.stderr


class TestAccepting:
    def test_records_the_schema_in_a_new_version_with_the_same_rows(self, home, schemas):
        before = home.stores()
        home.declared = (with_hours(unit="min"),)
        found = schemas.accept_schema("games")
        after = home.newest()
        assert found.changes == ()
        assert (found.dataset, found.recorded) == (after, home.declared)
        assert after.version != before.version
        assert (after.batches, after.rows) == (before.batches, before.rows)
        assert {n: m for n, m in after.files.items() if n != PACKAGE} == {
            n: m for n, m in before.files.items() if n != PACKAGE
        }
        laid_out = home.root / "home" / "data" / "games" / PACKAGE
        assert from_package(json.loads(laid_out.read_bytes())) == home.declared

    def test_is_in_the_ledger(self, home, schemas):
        before = home.stores()
        home.declared = (with_hours(unit="min"),)
        schemas.accept_schema("games")
        entry = home.records.ledger()[-1].entry
        assert (entry.action, entry.actor) == ("schema", "operator:ada")
        assert (entry.before, entry.after) == (before.version, home.newest().version)
        assert "1 change, 1 breaking" in entry.reason

    def test_twice_is_once(self, home, schemas):
        home.stores()
        home.declared = (with_hours(unit="min"),)
        schemas.accept_schema("games")
        rows = home.records.ledger()
        schemas.accept_schema("games")
        assert home.records.ledger() == rows

    def test_and_back_again_ends_at_the_first_version(self, home, schemas):
        before = home.stores()
        home.declared = (with_hours(unit="min"),)
        schemas.accept_schema("games")
        home.declared = (OLD,)
        schemas.accept_schema("games")
        assert home.newest() == before

    @pytest.mark.parametrize(
        ("column", "says"),
        [
            (Column(name="hours", type=ColumnType.STRING), "stored as number, not string"),
            (
                Column(name="user", type=ColumnType.STRING, privacy=Privacy.PERSONAL),
                "stored as it came, and would be personal",
            ),
        ],
    )
    def test_what_stored_rows_contradict_is_refused(self, home, schemas, column, says):
        before = home.stores()
        kept = tuple(c for c in OLD.columns if c.name != column.name)
        home.declared = (replace(OLD, columns=(*kept, column)),)
        with pytest.raises(SchemaChanged, match=says):
            schemas.accept_schema("games")
        assert home.newest() == before

    def test_a_table_with_stored_rows_cannot_be_left_out(self, home, schemas, call):
        """Nothing would say any more what its rows are."""
        before = home.stores()
        home.declared = (replace(OLD, name="others"),)
        with pytest.raises(SchemaChanged, match="table plays has stored rows, and is not declared"):
            schemas.accept_schema("games")
        assert call("schema", "games", "--accept").exit_code == 1
        assert home.newest() == before

    def test_a_table_without_rows_may_go(self, home, schemas):
        home.declared = (OLD, replace(OLD, name="others"))
        home.stores()
        home.declared = (OLD,)
        assert schemas.accept_schema("games").recorded == (OLD,)

    def test_without_data_is_refused(self, schemas):
        with pytest.raises(NotFound, match="no data yet"):
            schemas.accept_schema("games")

    def test_meets_another_ingest_and_keeps_both(self, home, schemas):
        home.stores()
        home.declared = (with_hours(unit="min"),)
        really = home.records.commit

        def second(changes, entries=()):
            home.records.commit = really
            home.declared = (OLD,)
            home.stores("meanwhile")
            home.declared = (with_hours(unit="min"),)
            return really(changes, entries)

        home.records.commit = second
        schemas.accept_schema("games")
        assert home.newest().batches == ("batch", "meanwhile")
        assert schemas.schema("games").recorded == home.declared

    def test_gives_up_where_others_always_come_first(self, home, schemas):
        home.stores()
        home.declared = (with_hours(unit="min"),)

        def taken(changes, entries=()):
            raise StaleWrite("somebody was first")

        home.records.commit = taken
        with pytest.raises(StaleWrite, match="run the same command again"):
            schemas.accept_schema("games")

    def test_by_the_command_says_that_it_is_recorded(self, home, call):
        home.stores()
        home.declared = (with_hours(unit="min"),)
        ended = call("schema", "games", "--accept")
        assert ended.exit_code == 0
        assert "now recorded with dataset version" in ended.stdout

    def test_starts_from_the_empty_version_as_everybody_does(self, home, schemas):
        home.stores()
        home.declared = (with_hours(unit="min"),)
        schemas.accept_schema("games")
        start = home.records.get(DatasetVersion, f"games/{EMPTY}")
        assert start.head == home.newest().version


class TestInferring:
    def test_prints_the_proposal_and_writes_it_for_review(self, home, call):
        (home.root / "x.csv").write_text("user_id,hours\nu1,1.5\nu2,2\n")
        out = home.root / "x.json"
        ended = call("infer", str(home.root / "x.csv"), "--name", "plays", "--out", str(out))
        assert ended.exit_code == 0, ended.stderr
        assert "personal: its name says 'user'" in " ".join(ended.stdout.split())
        assert "schema_file" in ended.stdout
        (schema,) = from_package(json.loads(out.read_bytes()))
        assert schema.name == "plays"
        assert schema.personal == ("user_id",)
        fields = json.loads(out.read_bytes())["resources"][0]["schema"]["fields"]
        assert any("personal" in note for note in fields[0]["flyball:review"])

    def test_answers_with_the_package_as_json(self, home, call):
        (home.root / "x.csv").write_text("a,b\n1,x\n2,y\n")
        found = json.loads(call("infer", str(home.root / "x.csv"), "--json").stdout)
        assert found["rows"] == 2
        assert from_package(found["package"])[0].name == "rows"

    @pytest.mark.parametrize(
        ("line", "code", "says"),
        [
            (["infer", "gone.csv"], 2, "gone.csv"),
            (["infer", "x.csv", "--name", "My Table"], 2, "cannot name a table"),
            (["infer", "empty.csv"], 1, "empty.csv"),
            (["infer", "x.csv", "--out", "no/such/place.json"], 3, "cannot be written"),
        ],
    )
    def test_refuses_in_words(self, home, call, monkeypatch, line, code, says):
        (home.root / "x.csv").write_text("a,b\n1,x\n2,y\n")
        (home.root / "empty.csv").write_text("")
        monkeypatch.chdir(home.root)
        ended = call(*line)
        assert ended.exit_code == code
        assert says in " ".join(ended.stderr.split())

    def test_of_a_query_reads_a_database_once(self, home, call):
        import sqlite3

        with sqlite3.connect(home.root / "shop.db") as database:
            database.execute("CREATE TABLE sales (customer TEXT, price REAL)")
            database.executemany("INSERT INTO sales VALUES (?, ?)", [("a", 1.5), ("b", 2.5)])
        ended = call(
            "infer", f"sqlite:///{home.root}/shop.db", "--query", "SELECT * FROM sales", "--json"
        )
        assert ended.exit_code == 0, ended.stderr
        (schema,) = from_package(json.loads(ended.stdout)["package"])
        assert [c.name for c in schema.columns] == ["customer", "price"]
        assert schema.personal == ("customer",)
