"""``flyball data profile``: on a home with real files and records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from flyball import Flyball
from flyball.cli.app import app
from flyball.configuration import load
from flyball.domain.data import EMPTY, DataBatch
from flyball.errors import NotFound
from flyball.ports import Change
from flyball.steps.profile import Profiler
from flyball.testing.builders import a_batch, a_dataset

ROWS = pl.DataFrame(
    {"user_id": ["u1", "u1", "u2"], "title": ["Dota 2", "A\x1b[31mB", "Dota 2"],
     "value": [1.5, None, 3.5]}
)  # fmt: skip


@pytest.fixture
def flyball(tmp_path: Path) -> Iterator[Flyball]:
    with Flyball(config=load(tmp_path / "home", environ={}), actor="test") as verbs:
        yield verbs


@pytest.fixture
def batches(flyball: Flyball, tmp_path: Path) -> list[DataBatch]:
    """Two batches of interactions and one of the catalogue, in one version."""
    platform = flyball.platform
    schemas = {schema.name: schema for schema in platform.schemas("games")}
    made = []
    for number, table in enumerate(("interactions", "interactions", "catalogue")):
        profiler = Profiler(schemas[table])
        profiler.add(ROWS.select(name="title") if table == "catalogue" else ROWS)
        draft = tmp_path / f"profile-{number}.json"
        draft.write_bytes(profiler.finished(read=4, rejected=1).to_json())
        made.append(
            a_batch(
                batch_id=f"day-{number}", digest=f"{number:064x}", rows=3, table=table,
                file=f"000{number}-{table}-{number:012x}.parquet",
                sketches=platform.datasets.keep(draft),
            )
        )  # fmt: skip
    version = a_dataset(
        batches=tuple(b.batch_id for b in made), files={b.file: b.md5 for b in made}, rows=9
    )
    start = a_dataset(version=EMPTY, batches=(), files={}, rows=0, head=version.version)
    platform.records.commit([Change(value=record) for record in (start, version, *made)])
    return made


def called(flyball: Flyball, *arguments: str) -> Result:
    """One command line on that home."""
    words = ["data", "profile", "games", *arguments]
    return CliRunner().invoke(app, words, obj=lambda _: flyball)


class TestOfADataset:
    """All batches of a table together."""

    def test_adds_up_the_first_tables_batches(self, flyball, batches) -> None:
        """Of the newest version, where nothing else is said."""
        found = flyball.data.profile("games")
        assert (found.table, found.rows, found.profile.rows) == ("interactions", 6, 6)
        assert found.profile.columns["value"].nulls == 2
        assert [batch.batch_id for batch in found.batches] == ["day-0", "day-1"]

    def test_another_table_by_name(self, flyball, batches) -> None:
        """Tables do not mix."""
        found = flyball.data.profile("games", a_dataset().version[:8], table="catalogue")
        assert (found.rows, list(found.profile.columns)) == (3, ["name"])

    def test_a_table_that_there_is_not(self, flyball, batches) -> None:
        """The nearest is named."""
        with pytest.raises(NotFound, match=r"no table 'catalog'.*did you mean 'catalogue'"):
            flyball.data.profile("games", table="catalog")

    def test_batches_without_a_profile_are_named(self, flyball, batches) -> None:
        """They came with an earlier version of Flyball."""
        old = a_batch(batch_id="day-0", table="interactions", digest="1" * 64)
        changed = Change(value=old, replacing=batches[0])
        flyball.platform.records.commit([changed])
        found = flyball.data.profile("games")
        assert (found.unprofiled, found.profile.rows) == (("day-0",), 3)
        with pytest.raises(NotFound, match="ingest them again"):
            flyball.data.profile("games", "day-0")


class TestOfABatch:
    """One batch by its id."""

    def test_is_its_profile_alone(self, flyball, batches) -> None:
        """With its own counts."""
        found = flyball.data.profile("games", "day-1")
        assert (found.rows, found.profile.read, found.version) == (3, 4, None)

    def test_neither_a_batch_nor_a_version(self, flyball, batches) -> None:
        """Says both, and names the nearest batch."""
        with pytest.raises(NotFound, match=r"no dataset version 'day-7'.*Nor.*'day-"):
            flyball.data.profile("games", "day-7")

    def test_a_profile_that_is_lost_is_no_answer(self, flyball, batches) -> None:
        """Rather than an empty one."""
        lost = replace(batches[0], sketches="0" * 32)
        flyball.platform.records.commit([Change(value=lost, replacing=batches[0])])
        with pytest.raises(NotFound, match="0" * 32):
            flyball.data.profile("games", "day-0")


class TestTheCommand:
    """What it prints and writes."""

    def test_json_has_the_summary_the_measures_and_the_findings(self, flyball, batches) -> None:
        """One document."""
        answer = called(flyball, "--json")
        told = json.loads(answer.stdout)
        assert (answer.exit_code, told["rows"], told["rejected"]) == (0, 6, 2)
        assert told["columns"]["value"]["quantiles"]["0.5"] == 2.5
        assert told["columns"]["title"]["top"][0] == {"value": "Dota 2", "count": 4}
        assert set(told["measured"]) == set(told["findings"]) == {"day-0", "day-1"}

    def test_a_person_reads_a_line_a_column(self, flyball, batches) -> None:
        """And no title colours the terminal."""
        answer = called(flyball, "day-0")
        assert answer.exit_code == 0
        assert "1.5 to 3.5" in answer.stdout
        assert "Dota 2 (2)" in answer.stdout
        assert "\x1b" not in answer.stdout

    def test_writes_the_page_where_it_is_told(self, flyball, batches, tmp_path: Path) -> None:
        """And says where it is."""
        file = tmp_path / "page.html"
        answer = called(flyball, "--html", str(file))
        assert str(file) in answer.stdout.replace("\n", "")
        assert "games: interactions" in file.read_text(encoding="utf-8")

    def test_a_page_that_cannot_be_written_is_said(self, flyball, batches, tmp_path: Path) -> None:
        """With the file's name, and what to do."""
        answer = called(flyball, "--html", str(tmp_path / "missing" / "page.html"))
        assert answer.exit_code == 3
        assert "name another file" in answer.stderr
