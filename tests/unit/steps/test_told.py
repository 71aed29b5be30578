"""What the outside world is told of the loop: all of it, once, and nobody's name."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from privacy_world import PLAYS, Shop, pseudonym

from flyball.domain.data import PACKAGE, Finding, Measured, Severity
from flyball.domain.evidence import EvidenceKind
from flyball.domain.ledger import Entry
from flyball.domain.privacy import ERASE
from flyball.domain.schema import Column, ColumnType, Privacy, Schema
from flyball.domain.table_schema import package_bytes, to_package
from flyball.domain.told import Data, JobRun, Mark, Outcome
from flyball.domain.training import RunPhase
from flyball.domain.validation import Verdict
from flyball.errors import NotFound, StaleWrite
from flyball.ports import Change
from flyball.steps.told import publish
from flyball.testing import builders as a
from flyball.testing.fakes import MemoryRecords
from lineage_records import (
    EVENTS,
    FIRST,
    HEARD,
    MENDED,
    MONDAY,
    NEW,
    OLD,
    REPORTS,
    RUNS,
    SECOND,
    SERVED,
    THIRD,
    everything,
    records,
)


@dataclass
class Told:
    """Who is told, and remembers."""

    runs: list[JobRun] = field(default_factory=list)
    at: Mark = field(default_factory=Mark)
    delivered: int = 0
    beaten: bool = False

    def mark(self) -> Mark:
        return self.at

    def tell(self, runs, *, before, after) -> None:
        if self.beaten:
            raise StaleWrite("somebody else told it")
        assert before == self.at
        self.runs += runs
        self.at = after

    def deliver(self, *, within_s: float) -> None:
        self.delivered += 1

    def of(self, job: str, outcome: Outcome | None = None) -> list[JobRun]:
        return [r for r in self.runs if r.job == job and outcome in (None, r.outcome)]


@dataclass
class Files:
    """Stored files by their hash."""

    files: dict[str, Path] = field(default_factory=dict)

    def path(self, md5: str) -> Path:
        if md5 not in self.files:
            raise NotFound(f"no file {md5}")
        return self.files[md5]


def entry(action: str, subject: str, **fields: object) -> Entry:
    return a.an_entry(**({"action": action, "subject": subject, "evidence": None,
                          "before": "", "after": ""} | fields))  # fmt: skip


def told(home: MemoryRecords, files: Files | None = None, to: Told | None = None) -> Told:
    to = to or Told()
    publish(home, files or Files(), to)
    return to


class TestAnIngest:
    def of(self, batch: object, version: str, files: Files | None = None) -> JobRun:
        home = records(entries=[entry("ingest", batch.id, after=version)])
        [run] = told(home, files).of("games.ingest")
        return run

    def test_reads_its_source_and_writes_a_version_of_its_table_and_what_it_left_out(self):
        run = self.of(MONDAY, FIRST)
        assert [(d.namespace, d.name, d.uri) for d in run.read] == [
            ("file", "/data/monday.csv", "file:///data/monday.csv")
        ]
        assert [(d.name, d.version, d.rows) for d in run.wrote] == [
            ("games.interactions", FIRST, 10),
            ("games.quarantine.monday", "cd" * 16, 1),
        ]
        assert run.outcome is Outcome.COMPLETE

    @pytest.mark.parametrize(
        ("source", "place"),
        [
            ("s3://shop/2026/monday.csv", ("s3://shop", "2026/monday.csv")),
            ("https://shop.test/x/monday.csv", ("https://shop.test", "x/monday.csv")),
            ("postgresql://db:5432/shop#SELECT 1", ("postgresql://db:5432", "shop#SELECT 1")),
            ("standard input", ("flyball", "standard input")),
        ],
    )
    def test_names_every_kind_of_source(self, source, place):
        home = records(
            [replace(MONDAY, source=source), *everything()[3:]],
            [entry("ingest", MONDAY.id, after=FIRST)],
        )
        [run] = told(home).of("games.ingest")
        assert (run.read[0].namespace, run.read[0].name) == place
        assert run.wrote[0].made_from == place

    def test_of_feedback_reads_the_events_and_of_a_repair_the_quarantine(self):
        assert self.of(HEARD, THIRD).read[0].name == "games.events"
        assert EVENTS not in self.of(HEARD, THIRD).read[0].name
        assert self.of(MENDED, SECOND).read[0].name == "games.quarantine.monday"

    def test_says_which_rules_and_measures_did_not_hold_but_not_what_nobody_could_judge(self):
        finding = Finding(rule="minimum:value", count=3, dropped=True, detail="line 2: -1")
        fail, unclear = (
            Measured(measure=f"volume{n}", verdict=verdict, severity=Severity.SEVERE, observed=1.0,
                     expected=9.5, p_value=None, false_alarm_rate=0.01, detail="few rows")
            for n, verdict in enumerate((Verdict.FAIL, Verdict.INCONCLUSIVE))
        )  # fmt: skip
        batch = replace(MONDAY, findings=(finding,), measured=(fail, unclear))
        home = records([batch, *everything()[3:]], [entry("ingest", batch.id, after=FIRST)])
        [run] = told(home).of("games.ingest")
        rule, measure = run.read[0].assertions
        assert (rule.rule, rule.column, rule.holds, rule.actual) == ("minimum", "value", False, "3")
        assert (measure.rule, measure.severe, measure.expected) == ("volume0", True, "9.5")
        assert "-1" not in rule.detail  # the cells of people stay here

    def test_counts_each_column(self):
        profile = {"rows": 10, "columns": {
            "value": {"nulls": 2, "distinct": 4, "min": 0.5, "max": 9, "quantiles": {"0.5": 1.5}},
            "at": {"nulls": 0, "distinct": 9, "min": "2026-03-01T00:00:00+00:00"},
        }}  # fmt: skip
        batch = replace(MONDAY, profile=profile)
        home = records([batch, *everything()[3:]], [entry("ingest", MONDAY.id, after=FIRST)])
        [run] = told(home).of("games.ingest")
        value, at = run.wrote[0].metrics["value"], run.wrote[0].metrics["at"]
        assert (value.nulls, value.count, value.minimum, value.quantiles) == (
            2,
            8,
            0.5,
            {"0.5": 1.5},
        )
        assert at.minimum is None  # OpenLineage has numbers only

    def test_has_the_schema_that_is_stored_with_the_data(self, tmp_path):
        schema = Schema(
            name="interactions",
            columns=(Column(name="user_id", type=ColumnType.STRING, privacy=Privacy.PERSONAL),),
        )
        stored = tmp_path / "package"
        stored.write_bytes(package_bytes(to_package([schema])))
        first = next(v for v in everything() if getattr(v, "version", "") == FIRST)
        first = replace(first, files={**first.files, PACKAGE: "aa" * 16})
        home = records([MONDAY, first], [entry("ingest", MONDAY.id, after=FIRST)])
        [run] = told(home, Files({"aa" * 16: stored})).of("games.ingest")
        assert run.wrote[0].schema == schema
        assert run.wrote[0].pseudonymised


class TestATraining:
    def test_that_is_done_began_and_completed_with_a_version(self):
        start, end = [run for run in told(records()).of("games.train") if OLD.run_id in run.record]
        assert (start.outcome, end.outcome) == (Outcome.START, Outcome.COMPLETE)
        assert [(d.name, d.version) for d in end.read] == [("games.interactions", FIRST)]
        assert [(d.name, d.version) for d in end.wrote] == [("games.model", OLD.name)]
        assert start.run_id == end.run_id

    def test_that_failed_says_why_and_one_under_way_says_nothing(self):
        failed = replace(RUNS[0], phase=RunPhase.FAILED, error="no space", version="", result=None)
        searching = replace(RUNS[1], phase=RunPhase.SEARCHING, version="", result=None)
        done = told(records([failed, searching])).of("games.train")
        assert [(run.outcome, run.error) for run in done] == [
            (Outcome.START, ""), (Outcome.FAIL, "no space"),
        ]  # fmt: skip

    def test_that_fails_again_or_succeeds_later_is_told_again_without_a_row_in_the_ledger(self):
        failed = replace(RUNS[0], phase=RunPhase.FAILED, error="no space")
        home = records([*everything()[:7], failed], [entry("ingest", MONDAY.id, after=FIRST)])
        to = told(home)
        home.commit([Change(value=RUNS[0], replacing=failed)])
        told(home, to=to)
        outcomes = [run.outcome for run in to.of("games.train")]
        assert outcomes == [Outcome.START, Outcome.FAIL, Outcome.START, Outcome.COMPLETE]


class TestTheRest:
    def test_a_validation_reads_the_candidate_and_its_data_and_writes_a_report(self):
        [first, second] = told(records()).of("games.validate")
        assert [(d.name, d.version) for d in first.read] == [
            ("games.model", OLD.name), ("games.interactions", FIRST),
        ]  # fmt: skip
        assert first.wrote[0].version == REPORTS[0].report_id
        assert second.parameters == {"decision": "undecided", "champion": OLD.name}

    def test_a_deployment_begins_and_completes_when_it_serves(self):
        home = records(entries=[
            entry("deploy", SERVED.id, after=OLD.name),
            entry("route", SERVED.id, after=OLD.name, at=SERVED.started_at + timedelta(hours=1)),
        ])  # fmt: skip
        start, end = told(home).of("games.deploy")
        assert (start.outcome, end.outcome) == (Outcome.START, Outcome.COMPLETE)
        assert (start.wrote, end.wrote[0].version) == ((), OLD.name)
        assert start.run_id == end.run_id

    @pytest.mark.parametrize("how", ["give up", "transition"])
    def test_a_deployment_that_failed_says_why(self, how):
        smoke = a.evidence(EvidenceKind.SMOKE, id=SERVED.id)
        row = entry("give up", SERVED.id, reason="not loaded within 120 s")
        if how == "transition":
            moved = {"before": "staging", "after": "development", "evidence": smoke}
            row = entry("transition", OLD.id, reason="not loaded within 120 s", **moved)
        [run] = told(records(entries=[row])).of("games.deploy")
        assert (run.outcome, run.error) == (Outcome.FAIL, "not loaded within 120 s")
        assert run.record == f"deployment:{SERVED.id}"

    def test_a_rollback_is_a_job_of_its_own(self):
        row = entry("route", SERVED.id, before=OLD.name, after=NEW.name, reason="rollback: slow")
        [run] = told(records(entries=[row])).of("games.rollback")
        assert run.wrote == (Data(namespace="flyball", name="games.serving", version=NEW.name),)
        assert run.parameters["withdrawn"] == OLD.name

    def test_forgetting_tells_that_the_data_were_rewritten_and_not_who_is_gone(self):
        wish = entry("forget", "games/5ec2e7", reason="5ec2e7 asked")
        row = entry(ERASE, "games/5ec2e7", before=SECOND, after=THIRD, reason="1 row")
        [run] = told(records(entries=[wish, row])).of("games.forget")
        assert (run.read[0].version, run.wrote[0].version) == (SECOND, THIRD)
        assert "5ec2e7" not in repr(run)

    def test_forgetting_somebody_tells_the_versions_before_and_after(self, tmp_path):
        """As it is really done; of somebody unknown there is nothing to tell."""
        shop = Shop(tmp_path)
        shop.take("user,value,event", "ada,1,play", "bob,2,play")
        before = shop.newest().version
        shop.forget("ada", "asked by letter")
        shop.forget("nobody")
        [run] = told(shop.records, shop.datasets).of("games.forget")
        assert [(d.name, d.version, d.rows) for d in (*run.read, *run.wrote)] == [
            ("games.plays", before, 2), ("games.plays", shop.newest().version, 1),
        ]  # fmt: skip
        assert run.read[0].schema == run.wrote[0].schema == PLAYS
        assert pseudonym("ada") not in repr(run)

    def test_an_entry_about_what_is_not_recorded_stops_nothing(self):
        home = records(entries=[entry("ingest", "games/lost", after=FIRST), entry("bow", "x")])
        assert told(home).of("games.train")


class TestTelling:
    def test_is_done_once(self):
        home = records(entries=[entry("ingest", MONDAY.id, after=FIRST)])
        to = told(home)
        before = list(to.runs)
        assert publish(home, Files(), to) == 0
        assert to.runs == before

    def test_goes_on_where_it_stopped(self):
        home = records(entries=[entry("ingest", MONDAY.id, after=FIRST)])
        to = told(home)
        home.commit([], [entry("ingest", MENDED.id, after=SECOND)])
        home.commit([], [entry("ingest", HEARD.id, after=THIRD)])
        told(home, to=to)
        assert [run.record for run in to.of("games.ingest")] == [
            "batch:games/monday", "batch:games/mended", "batch:games/heard",
        ]  # fmt: skip

    def test_leaves_it_to_another_process_that_was_faster(self):
        to = Told(beaten=True)
        assert publish(records(), Files(), to) == 0

    def test_delivers_each_time_also_when_there_is_nothing_new(self):
        home, to = records(), Told()
        told(home, to=to)
        told(home, to=to)
        assert to.delivered == 2

    def test_of_many_old_runs_misses_none_the_first_time(self):
        runs = [replace(RUNS[0], run_id=f"{n:016x}", version="") for n in range(100)]
        assert len(told(records(runs)).of("games.train", Outcome.COMPLETE)) == 100
