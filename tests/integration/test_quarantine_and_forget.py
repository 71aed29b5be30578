"""``flyball data quarantine`` and ``flyball data forget`` on a real home, but for the workflows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer
from typer.testing import CliRunner, Result

from flyball import configuration, wiring
from flyball.answers import Ingested
from flyball.cli import data_privacy, data_quarantine
from flyball.data.privacy import Privacy
from flyball.data.quarantine import Quarantine
from flyball.domain.data import DataBatch, DatasetVersion
from flyball.loop import tasks
from flyball.ports import Change
from flyball.testing.builders import a_recipe, a_version, an_event

ROWS = (
    "user_id,title,event,value",
    *(f"player-{n},Portal {n % 7},purchase,{n}" for n in range(60)),
    "player-1,Halo,play,-4",
    "player-2,Doom,play,much",
    "player-3,Doom,play,-1",
)


class Data(Quarantine, Privacy):
    """The two topics together."""


class Home:
    """A home, its verbs, and its command line."""

    actor = "operator:ada"

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "flyball.toml").write_text("[models.games.gates]\nmax_quarantined = 0.9\n")
        self.platform = wiring.build(configuration.load(root, environ={}))
        self.data = Data(self.platform, self.actor)
        self.data.ingest = self.ingest
        self._app = typer.Typer()
        data = typer.Typer()
        for commands in (data_quarantine, data_privacy):
            commands.register(data)
        self._app.add_typer(data, name="data")

    def close(self) -> None:
        """The home is closed by the fixture: one is used for many commands."""

    def ingest(
        self, model: str, sources: list[str], *, accept_anomalies: bool = False
    ) -> list[Ingested]:
        """As ``Flyball.ingest``, without a workflow around it."""
        done = []
        for location in sources:
            request = {"location": location, "accept": accept_anomalies}
            item = tasks.ingest(self.platform, model, request, self.actor)
            batch = self.platform.records.get(DataBatch, item["batch"])
            dataset = self.platform.records.get(DatasetVersion, item["dataset"])
            done.append(Ingested(batch=batch, dataset=dataset, new=item["new"]))
        tasks.tidy(self.platform, sources)
        return done

    def take(self, *rows: str) -> DataBatch:
        """Ingest a CSV file."""
        path = self.root / "rows.csv"
        path.write_text("\n".join(rows) + "\n")
        [done] = self.ingest("games", [str(path)], accept_anomalies=True)
        return done.batch

    def run(self, *arguments: str, code: int = 0, **more: Any) -> Result:
        """Run one command."""
        ended = CliRunner().invoke(
            self._app, ["data", *arguments], obj=lambda _: self, catch_exceptions=False, **more
        )
        assert ended.exit_code == code, ended.output
        return ended

    def answer(self, *arguments: str, **more: Any) -> Any:
        """The JSON document of one command."""
        return json.loads(self.run(*arguments, "--json", **more).stdout)

    def rows(self) -> pl.DataFrame:
        """All interactions of the newest version."""
        records, datasets = self.platform.records, self.platform.datasets
        [start, *_] = records.find(DatasetVersion, model="games")
        newest = records.get(DatasetVersion, f"games/{start.head}")
        files = newest.tables()["interactions"]
        return pl.concat([pl.read_parquet(datasets.path(md5)) for md5 in files], how="diagonal")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    yield made
    made.platform.close()


@pytest.fixture
def batch(home: Home) -> str:
    return home.take(*ROWS).batch_id


class TestQuarantine:
    def test_lists_batches_with_rows_left_out_and_why(self, home, batch):
        [listed] = home.answer("quarantine", "games")
        assert (listed["batch"], listed["rows"]) == (batch, 3)
        assert listed["rules"] == {"minimum:value": 2, "number:value": 1}
        assert listed["source"] == str(home.root / "rows.csv")
        said = home.run("quarantine", "games").stdout
        assert "minimum:value 2" in said
        assert f"flyball data quarantine explain games {batch}" in said

    def test_may_be_called_list(self, home, batch):
        short, long = home.answer("quarantine", "games"), home.answer("quarantine", "list", "games")
        assert short == long != []

    def test_says_where_nothing_was_left_out(self, home):
        home.take(*ROWS[:20])
        assert home.answer("quarantine", "games") == []
        assert "nothing is in quarantine" in home.run("quarantine", "games").stdout

    def test_explains_rows_and_what_to_do(self, home, batch):
        found = home.answer("quarantine", "explain", "games", batch, "--rule", "number:value")
        assert [row["line"] for row in found["rows"]] == [63]
        assert "Repair with `null`" in found["advice"]["number:value"]
        said = home.run("quarantine", "explain", "games", batch, "--limit", "1").stdout
        assert "value is below 0" in said

    def test_shows_no_player_s_id(self, home, batch):
        for command in ("explain", "list"):
            arguments = ("games", batch) if command == "explain" else ("games",)
            assert "player-" not in home.run("quarantine", command, *arguments).stdout

    def test_knows_only_its_rules_batches_and_models(self, home, batch):
        for arguments, words in (
            (("explain", "games", batch, "--rule", "width"), "minimum:value"),
            (("explain", "games", "nothing"), "nothing"),
            (("list", "gamez"), "games"),
        ):
            assert words in home.run("quarantine", *arguments, code=2).stderr

    def test_dry_run_changes_nothing(self, home, batch):
        before = home.platform.records.ledger()
        fix = ("--rule", "minimum:value", "--with", "clip", "--dry-run")
        found = home.answer("quarantine", "repair", "games", batch, *fix)
        assert found["planned"]["rows"] == 2
        assert len(found["planned"]["examples"]) == 2
        assert home.platform.records.ledger() == before
        assert not list((home.root / "incoming").glob("*"))

    def test_repairs_by_rule_as_a_new_batch(self, home, batch):
        fix = (
            "--rule",
            "minimum:value",
            "--with",
            "clip",
            "--rule",
            "number:value",
            "--with",
            "=3",
        )
        found = home.answer("quarantine", "repair", "games", batch, *fix)
        assert found["ingested"]["batch"]["rows"] == 3
        assert home.rows()["value"].to_list()[60:] == [3.0, 0.0, 0.0]
        assert not list((home.root / "incoming").glob("*"))
        again = home.answer("quarantine", "repair", "games", batch, *fix)
        assert (again["planned"]["rows"], again["planned"]["already"]) == (0, 3)
        assert home.rows().height == 63
        [listed, *_] = home.answer("quarantine", "games")
        assert listed["repaired_by"] == [found["ingested"]["batch"]["batch_id"]]

    def test_repaired_rows_belong_to_the_same_players(self, home, batch):
        home.run(
            "quarantine", "repair", "games", batch, "--rule", "minimum:value", "--with", "clip"
        )
        people = home.rows()["user_id"]
        assert people.n_unique() == 60

    def test_a_repair_that_fixes_no_whole_row_is_a_no(self, home):
        batch = home.take(*ROWS, "player-9,Quake,gift,-2").batch_id
        fix = ("--rule", "allowed:event", "--with", "=play")
        said = home.run("quarantine", "repair", "games", batch, *fix, code=1).stdout
        assert "each rule that a row breaks needs one" in said

    @pytest.mark.parametrize(
        "arguments",
        [
            (),
            ("--rule", "minimum:value"),
            ("--with", "clip"),
            ("--rule", "a", "--with", "null", "--rule", "a", "--with", "clip"),
            ("--rule", "minimum:value", "--with", "delete"),
            ("--rule", "minimum:value", "--with", "clip", "--file", "x.csv"),
            ("--file", "missing.csv"),
        ],
    )
    def test_a_repair_that_was_not_meant_so_is_refused(self, home, batch, arguments):
        before = home.platform.records.ledger()
        home.run("quarantine", "repair", "games", batch, *arguments, code=2)
        assert home.platform.records.ledger() == before

    def test_rows_corrected_by_hand_come_back_as_the_same_players(self, home, batch):
        file = home.root / "bad.csv"
        told = home.run("quarantine", "export", "games", batch, str(file)).stdout
        assert f"repair games {batch} --file" in told
        file.write_text(file.read_text().replace("-4.0", "4").replace("much", "5"))
        found = home.answer("quarantine", "repair", "games", batch, "--file", str(file))
        assert found["ingested"]["batch"]["rows"] == 2
        assert found["ingested"]["batch"]["quarantined"] == 1
        assert home.rows()["user_id"].n_unique() == 60
        assert file.exists(), "the user's file is theirs"

    def test_an_export_leaves_repeated_rows_out_and_says_how_many(self, home):
        batch = home.take(*ROWS, ROWS[1], ROWS[2]).batch_id
        said = home.run("quarantine", "export", "games", batch, str(home.root / "bad.csv")).stdout
        assert "2 rows left out: repeated rows need no repair" in said
        told = home.answer("quarantine", "export", "games", batch, str(home.root / "b.parquet"))
        assert (told["rows"], told["left_out"]) == (3, 2)
        assert pl.read_parquet(home.root / "b.parquet").height == 3

    def test_an_export_of_repeated_rows_alone_is_refused(self, home):
        batch = home.take(*ROWS[:20], ROWS[1]).batch_id
        file = home.root / "bad.csv"
        said = home.run("quarantine", "export", "games", batch, str(file), code=2).stderr
        assert "nothing in the quarantine" in said
        assert not file.exists()

    def test_explains_where_a_line_without_cells_stood(self, home):
        batch = home.take(*ROWS, "player-9,Quake,play,1,2,3").batch_id
        said = home.run("quarantine", "explain", "games", batch, "--rule", "width").stdout
        assert "look at line 65 of the source" in " ".join(said.split())
        assert "user_id missing" not in said

    def test_an_export_never_writes_over_a_file(self, home, batch):
        for name in ("there.csv", "wrong.xlsx"):
            (home.root / "there.csv").write_text("mine")
            home.run("quarantine", "export", "games", batch, str(home.root / name), code=2)
        assert (home.root / "there.csv").read_text() == "mine"


class TestForget:
    def test_removes_a_player_everywhere_and_says_what_remains(self, home, batch):
        person = home.platform.pseudonyms.of("player-1")
        data = home.platform.records.find(DatasetVersion, model="games")[-1].version
        version = a_version(recipe=a_recipe(data_version=data))
        home.platform.records.commit([Change(value=version)])
        home.platform.events.append([an_event("1", user_id=person), an_event("2")])
        done = home.answer("forget", "games", "player-1", "--reason", "asked by letter")
        assert (done["events"], done["rows"], done["quarantined"]) == (1, 1, 1)
        assert done["learned"] == [version.name]
        assert any("1.0.0 learned from their rows" in sentence for sentence in done["remains"])
        assert person not in set(home.rows()["user_id"])
        assert home.rows().height == 59
        assert [event.event_id for event in home.platform.events.after(0)[0]] == ["2"]

    def test_of_somebody_unknown_is_recorded_and_fine(self, home, batch):
        said = home.run("forget", "games", "nobody").stdout
        assert "nothing of theirs was stored" in said
        assert home.platform.records.ledger()[-1].entry.action == "erase"

    def test_twice_is_harmless(self, home, batch):
        first = home.answer("forget", "games", "player-1")
        again = home.answer("forget", "games", "player-1")
        assert (again["rows"], again["quarantined"]) == (0, 0)
        assert (again["dataset"], again["pseudonym"]) == (first["dataset"], first["pseudonym"])
        assert again["at"] > first["at"]
        assert home.platform.records.verify_ledger() == 5  # one ingest, and two each

    def test_reads_the_id_from_standard_input(self, home, batch):
        done = home.answer("forget", "games", "-", input="player-5\n")
        assert done["pseudonym"] == home.platform.pseudonyms.of("player-5")
        assert done["rows"] == 1

    def test_keeps_the_id_nowhere(self, home):
        """Not in a file, a record, an event, a log of the database."""
        home.take(*ROWS, "grace-hopper,Halo,play,1", "grace-hopper,Halo,play,-1")
        (home.root / "rows.csv").unlink()
        home.run("forget", "games", "grace-hopper")
        home.platform.close()
        with sqlite3.connect(home.root / "flyball.sqlite") as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        holding = [p for p in home.root.rglob("*") if p.is_file() and b"grace-h" in p.read_bytes()]
        assert holding == []

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("gamez", "player-1"), "games"),
            (("games", ""), "whom to forget"),
            (("games", "player-1", "--reason", "player-1 asked"), "names the person"),
        ],
    )
    def test_that_cannot_be_meant_is_refused(self, home, arguments, words):
        assert words in home.run("forget", *arguments, code=2).stderr
