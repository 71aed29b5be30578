"""Lineage events in the home: the specification's own shape, each once, whatever crashes."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import attr
import pytest

from flyball.domain.schema import Column, ColumnType, Privacy, Schema
from flyball.domain.told import Assertion, Data, JobRun, Mark, Metrics, Outcome
from flyball.errors import ArtifactCorrupt, StaleWrite, StorageUnavailable
from flyball.storage.lineage import EVENTS, TOLD, FileLineage
from flyball.testing.builders import NOON

SCHEMA = Schema(
    name="interactions",
    columns=(
        Column(name="user_id", type=ColumnType.STRING, privacy=Privacy.PERSONAL),
        Column(name="value", type=ColumnType.NUMBER, unit="h"),
    ),
)
SOURCE = Data(
    namespace="s3://shop",
    name="monday.csv",
    uri="s3://shop/monday.csv",
    schema=SCHEMA,
    columns=("user_id", "value"),
    rows=12,
    assertions=(
        Assertion(rule="minimum", column="value", holds=False, severe=False, detail="2 rows",
                  expected="0", actual="2"),
        Assertion(rule="volume", column="", holds=True, severe=True, detail="as ever"),
    ),
)  # fmt: skip
TABLE = Data(
    namespace="flyball",
    name="games.interactions",
    version="11aa" * 8,
    schema=SCHEMA,
    columns=("user_id", "value"),
    rows=10,
    metrics={"value": Metrics(nulls=1, distinct=4, count=9, minimum=0.5, maximum=9.0,
                              quantiles={"0.5": 2.0})},
    made_from=("s3://shop", "monday.csv"),
    pseudonymised=True,
    parquet=True,
)  # fmt: skip
INGEST = JobRun(
    model="games", job="games.ingest", record="batch:games/monday", outcome=Outcome.COMPLETE,
    at=NOON, began=NOON, read=(SOURCE,), wrote=(TABLE,), parameters={"batch": "monday"},
)  # fmt: skip
FAILED = JobRun(
    model="games", job="games.train", record="run:games/1", outcome=Outcome.FAIL,
    at=NOON + timedelta(hours=1), error="no space left — on the device",
)  # fmt: skip


def written(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / EVENTS).read_text().splitlines()]


def tell(folder: Path, *runs: JobRun) -> Mark:
    lineage = FileLineage(folder)
    before = lineage.mark()
    lineage.tell(runs, before=before, after=replace(before, ledger=before.ledger + len(runs)))
    return lineage.mark()


class TestAnEvent:
    @pytest.fixture
    def event(self, tmp_path: Path) -> dict[str, Any]:
        tell(tmp_path, INGEST)
        return written(tmp_path)[0]

    def test_has_the_job_the_run_and_the_time(self, event):
        assert (event["eventType"], event["eventTime"]) == ("COMPLETE", "2026-03-01T12:00:00.000Z")
        assert event["job"]["namespace"] == "flyball"
        assert event["job"]["name"] == "games.ingest"
        assert event["run"]["runId"] == INGEST.run_id

    def test_describes_the_columns_and_what_they_came_from(self, event):
        [output] = event["outputs"]
        facets = output["facets"]
        assert facets["version"]["datasetVersion"] == "11aa" * 8
        assert [(f["name"], f["type"]) for f in facets["schema"]["fields"]] == [
            ("user_id", "string"), ("value", "number"),
        ]  # fmt: skip
        fields = facets["columnLineage"]["fields"]
        [user], [value] = fields["user_id"]["inputFields"], fields["value"]["inputFields"]
        assert (user["namespace"], user["name"], user["field"]) == (
            "s3://shop", "monday.csv", "user_id",
        )  # fmt: skip
        assert user["transformations"][0]["masking"] is True
        assert value["transformations"][0]["masking"] is False

    def test_holds_the_quality_of_the_data(self, event):
        metrics = event["outputs"][0]["facets"]["dataQualityMetrics"]
        assert metrics["rowCount"] == 10
        assert metrics["columnMetrics"]["value"] == {
            "nullCount": 1, "distinctCount": 4, "count": 9, "min": 0.5, "max": 9.0,
            "quantiles": {"0.5": 2.0},
        }  # fmt: skip
        rule, measure = event["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
        assert (rule["assertion"], rule["column"], rule["success"]) == ("minimum", "value", False)
        assert (measure["severity"], "column" in measure) == ("error", False)

    def test_says_why_a_run_failed(self, tmp_path):
        tell(tmp_path, FAILED)
        [event] = written(tmp_path)
        assert event["eventType"] == "FAIL"
        assert event["run"]["facets"]["errorMessage"]["message"] == FAILED.error

    def test_belongs_to_the_models_loop(self, tmp_path):
        tell(tmp_path, INGEST, FAILED)
        first, second = (event["run"]["facets"]["parent"] for event in written(tmp_path))
        assert first == second
        assert first["job"]["name"] == "games"

    def test_has_the_shape_of_the_specification(self, tmp_path):
        """Every facet has the fields of the class that the specification generates, no others."""
        tell(tmp_path, INGEST, FAILED)
        seen = {
            name for event in written(tmp_path) for name, facet in facets_of(event)
            if not misfits(facet)
        }  # fmt: skip
        assert seen >= {"schema", "dataQualityMetrics", "dataQualityAssertions", "columnLineage",
                        "dataSource", "version", "storage", "errorMessage", "parent",
                        "nominalTime"}  # fmt: skip
        assert [misfits(f) for e in written(tmp_path) for _, f in facets_of(e) if misfits(f)] == []


def facets_of(event: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    places = [event["run"]["facets"], event["job"]["facets"]]
    for data in event["inputs"] + event["outputs"]:
        places += [data.get(k, {}) for k in ("facets", "inputFacets", "outputFacets")]
    return [item for place in places for item in place.items()]


def misfits(facet: dict[str, Any]) -> str:
    """What of a facet its class does not know, or lacks; found by the schema that it names."""
    from openlineage.client import facet_v2

    name = re.search(r"/(\w+)$", facet["_schemaURL"])[1]
    modules = [m for _, m in inspect.getmembers(facet_v2, inspect.ismodule)]
    [kind] = {getattr(m, name) for m in modules if hasattr(m, name)}
    fields = attr.fields_dict(kind)
    unknown = set(facet) - set(fields)
    needed = {n for n, f in fields.items() if f.default is attr.NOTHING and f.init}
    lacking = needed - set(facet)
    return f"{name}: unknown {unknown}, lacks {lacking}" if unknown or lacking else ""


class TestTelling:
    def test_appends_and_moves_the_mark(self, tmp_path):
        assert tell(tmp_path, INGEST).ledger == 1
        mark = tell(tmp_path, FAILED)
        assert [e["job"]["name"] for e in written(tmp_path)] == ["games.ingest", "games.train"]
        assert (mark.ledger, mark.size) == (2, (tmp_path / EVENTS).stat().st_size)

    def test_after_a_crash_between_the_events_and_the_mark_doubles_nothing(self, tmp_path):
        tell(tmp_path, INGEST)
        mark = (tmp_path / TOLD).read_bytes()
        tell(tmp_path, FAILED)
        (tmp_path / TOLD).write_bytes(mark)  # what a crash between the two leaves
        later = replace(FAILED, outcome=Outcome.COMPLETE, at=NOON + timedelta(hours=2))
        tell(tmp_path, FAILED, later)
        assert [e["eventType"] for e in written(tmp_path)] == ["COMPLETE", "FAIL", "COMPLETE"]

    def test_after_a_crash_in_the_middle_of_a_line_leaves_no_half_line(self, tmp_path):
        tell(tmp_path, INGEST)
        mark = (tmp_path / TOLD).read_bytes()
        tell(tmp_path, FAILED)
        content = (tmp_path / EVENTS).read_bytes()
        for cut in (len(content) - 1, len(content) - 200, json.loads(mark)["size"] + 1):
            (tmp_path / EVENTS).write_bytes(content[:cut])
            (tmp_path / TOLD).write_bytes(mark)
            tell(tmp_path, FAILED)
            assert (tmp_path / EVENTS).read_bytes() == content

    def test_from_an_old_mark_is_refused(self, tmp_path):
        lineage = FileLineage(tmp_path)
        before = lineage.mark()
        tell(tmp_path, INGEST)
        with pytest.raises(StaleWrite):
            lineage.tell([FAILED], before=before, after=replace(before, ledger=7))
        assert len(written(tmp_path)) == 1

    def test_goes_on_in_a_file_that_somebody_moved_away(self, tmp_path):
        tell(tmp_path, INGEST)
        (tmp_path / EVENTS).rename(tmp_path / "old.jsonl")
        tell(tmp_path, FAILED)
        assert [e["job"]["name"] for e in written(tmp_path)] == ["games.train"]

    def test_with_a_damaged_mark_says_what_to_do(self, tmp_path):
        (tmp_path / TOLD).write_text("{")
        with pytest.raises(ArtifactCorrupt, match=r"remove it together with events\.jsonl"):
            FileLineage(tmp_path).mark()

    def test_on_a_disk_that_takes_nothing_is_refused_as_such(self, tmp_path):
        (tmp_path / "file").write_text("")
        lineage = FileLineage(tmp_path / "file" / "lineage")
        with pytest.raises((StorageUnavailable, ArtifactCorrupt)):
            lineage.tell([INGEST], before=Mark(), after=Mark(ledger=1))

    def test_nothing_imports_nothing(self):
        """Half a second for every command would be the price."""
        script = (
            "import sys, pathlib, tempfile\n"
            "from flyball.storage.lineage import FileLineage\n"
            "lineage = FileLineage(pathlib.Path(tempfile.mkdtemp()))\n"
            "lineage.mark(); lineage.deliver(within_s=0)\n"
            "sys.exit('openlineage' in sys.modules)"
        )
        assert (
            subprocess.run([sys.executable, "-c", script], timeout=60, check=False).returncode == 0
        )
