"""``flyball lineage``: a tree for people, everything as JSON, a picture in a file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
import typer
from typer.testing import CliRunner

from flyball.cli import lineage as commands
from flyball.data.lineage import Lineage
from flyball.testing.fakes import MemoryRecords
from lineage_records import OLD, HeardEvents, batch, dataset, day, everything, feedback, records


@dataclass
class Home:
    """A home with these records, behind the command."""

    records: MemoryRecords = field(default_factory=records)

    def __call__(self, *arguments: str) -> SimpleNamespace:
        platform = SimpleNamespace(records=self.records, events=HeardEvents(feedback()))
        verbs = SimpleNamespace(data=Lineage(platform, "operator:ada"), close=lambda: None)
        app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
        app.callback()(lambda: None)
        commands.register(app)
        done = CliRunner().invoke(app, ["lineage", *arguments], obj=lambda home: verbs)
        return SimpleNamespace(code=done.exit_code, out=done.stdout, err=done.stderr)


class TestTheTree:
    def test_shows_what_a_version_came_from_and_what_it_led_to(self):
        out = Home()("1.0.0").out
        above, below = out.split("led to", 1)
        assert "came from" in above
        assert "run games/run0000000000001 done" in above
        assert "source /data/monday.csv" in above
        assert "deployment games/1 baking" in below
        assert "batch games/heard" in below

    def test_shows_a_node_once_and_then_refers_to_it(self):
        out = Home()("1.0.1", "--up").out
        assert out.count("batch games/monday") == 3
        assert out.count("batch games/monday (see there)") == 2

    @pytest.mark.parametrize(("option", "there"), [("--up", "came from"), ("--down", "led to")])
    def test_looks_one_way_only_where_asked(self, option, there):
        out = Home()("1.0.0", option).out
        assert [there] == [
            words for words in ("came from", "led to") if words in out.split("\n", 1)[1]
        ]

    def test_folds_thousands_of_batches_and_says_where_all_of_them_are(self):
        many = [batch(f"b{n:04d}", source=f"/d/{n}.csv", ingested_at=day(n)) for n in range(1000)]
        whole = dataset("44dd" * 8, *(one.batch_id for one in many))
        out = Home(records([*everything(), *many, whole]))(whole.version, "--up").out
        assert "993 more batches" in out
        assert "2,001 records in all; --json lists each" in out
        assert len(out.splitlines()) < 40

    def test_says_when_nothing_is_recorded_beyond(self):
        out = Home(records([batch("alone", source="x.csv", ingested_at=day(0) - timedelta(1))]))(
            "alone", "--down"
        ).out
        assert "nothing that is recorded" in out


class TestTheAnswer:
    def test_as_json_has_every_node_and_edge(self):
        found = json.loads(Home()("1.0.0", "--json").out)
        assert found["focus"] == f"version:{OLD.id}"
        keys = {f"{node['kind']}:{node['id']}" for node in found["nodes"]}
        assert {edge["source"] for edge in found["edges"]} <= keys
        assert {edge["target"] for edge in found["edges"]} <= keys

    def test_is_drawn_into_a_file(self, tmp_path: Path):
        done = Home()("1.0.0", "--svg", str(tmp_path / "l.svg"))
        assert done.code == 0
        assert ElementTree.parse(tmp_path / "l.svg").getroot().tag.endswith("svg")
        assert str(tmp_path / "l.svg") in done.out.replace("\n", "")

    def test_that_cannot_be_drawn_says_so(self, tmp_path: Path):
        done = Home()("1.0.0", "--svg", str(tmp_path / "no" / "l.svg"))
        assert (done.code, "cannot be written" in done.err) == (3, True)

    def test_to_an_unknown_id_names_the_nearest(self):
        done = Home()("mondya")
        assert (done.code, "nearest: games/monday" in done.err) == (2, True)

    def test_in_two_directions_at_once_is_refused(self):
        assert Home()("1.0.0", "--up", "--down").code == 2
