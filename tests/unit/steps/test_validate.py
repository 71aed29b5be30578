"""What a report promises: evidence for a decision, and the move that follows from it."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, ClassVar

import pytest
from toy_world import Crash, Effects, ToyWorld

from flyball.domain.evidence import EvidenceKind
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.routing import Route, Slot
from flyball.domain.validation import CheckResult, Decision, ValidationReport, Verdict
from flyball.errors import EnvironmentFailed, ValidationError
from flyball.ports import Change, CheckContext
from flyball.settings import Gates
from flyball.steps.manifest import read_manifest
from flyball.steps.report import html, interval_chart, shown
from flyball.steps.train import Trained
from flyball.steps.validate import validate
from flyball.testing.builders import a_check, a_dataset, a_report, a_run, a_version


class Says:
    """A check with a given verdict, that counts how often it was asked."""

    name: ClassVar[str] = "says"

    def __init__(self, verdict: Verdict = Verdict.PASS) -> None:
        self.verdict, self.contexts = verdict, []

    def run(self, context: CheckContext) -> CheckResult:
        self.contexts.append(context)
        return a_check(self.verdict, check=self.name)


class Stumbles:
    """A check that cannot be carried out until it is repaired."""

    name: ClassVar[str] = "stumbles"

    def __init__(self) -> None:
        self.repaired = False

    def run(self, context: CheckContext) -> CheckResult:
        if not self.repaired:
            raise EnvironmentFailed("port 8000 is in use")
        return a_check(check=self.name)


@pytest.fixture
def world(tmp_path: Path) -> ToyWorld:
    return ToyWorld(tmp_path)


@pytest.fixture
def trained(world: ToyWorld) -> Trained:
    return world.train(trials=2)


def judge(world: ToyWorld, version: ModelVersion, *checks: Any, **more: Any) -> ValidationReport:
    given = {
        "application": world.application,
        "checks": checks,
        "settings": world.settings,
        "records": world.records,
        "datasets": world.datasets,
        "blobs": world.blobs,
        "executor": world.executor,
        "target": world.target,
        "clock": world.clock,
        "actor": "control",
        "scratch": world.scratch,
    }
    return validate(version, **(given | more))


def state(world: ToyWorld, version: ModelVersion) -> State:
    return world.records.get(ModelVersion, version.id).state


class TestTheDecision:
    """Promote, reject, or say that one cannot tell."""

    @pytest.mark.parametrize(
        ("verdict", "decision", "after"),
        [
            (Verdict.PASS, Decision.PROMOTE, State.STAGING),
            (Verdict.FAIL, Decision.REJECT, State.DEVELOPMENT),
            (Verdict.INCONCLUSIVE, Decision.UNDECIDED, State.VALIDATION),
        ],
    )
    def test_moves_the_candidate(self, world, trained, verdict, decision, after):
        report = judge(world, trained.version, Says(verdict))
        assert report.decision is decision
        assert state(world, trained.version) is after

    def test_is_in_the_ledger_with_the_report_as_its_evidence(self, world, trained):
        report = judge(world, trained.version, Says())
        last = world.records.ledger()[-1].entry
        assert (last.before, last.after) == ("validation", "staging")
        assert (last.evidence.kind, last.evidence.id) == (EvidenceKind.REPORT, report.id)
        assert world.records.verify_ledger() == 4

    def test_without_any_check_is_refused(self, world, trained):
        with pytest.raises(ValidationError, match="names no checks"):
            judge(world, trained.version)

    def test_a_version_past_validation_gets_its_report_and_stays(self, world, trained):
        staged = replace(trained.version, state=State.STAGING)
        world.records.commit([Change(value=staged, replacing=trained.version)])
        report = judge(world, staged, Says(Verdict.FAIL))
        assert report.decision is Decision.REJECT
        assert state(world, staged) is State.STAGING
        assert len(world.records.ledger()) == 3


class TestTheQuestion:
    """The same one is asked once."""

    def test_the_same_is_the_same_report_and_not_asked_again(self, world, trained):
        check = Says()
        first = judge(world, trained.version, check)
        world.clock.advance(60)
        assert judge(world, trained.version, check) == first
        assert len(check.contexts) == 1

    def test_other_gates_are_another_question(self, world, trained):
        first = judge(world, trained.version, Says())
        strict = world.settings.model_copy(update={"gates": Gates(p95_ms=1.0)})
        assert judge(world, trained.version, Says(), settings=strict).id != first.id

    def test_the_champion_is_part_of_it(self, world, trained):
        champion = replace(trained.version, name="1.0.7-00000000-00000000")
        route = Route(model="toy", generation=1, slots={Slot.BLUE: champion.name}, live=Slot.BLUE)
        check = Says()
        alone = judge(world, trained.version, check)
        world.records.commit([Change(value=champion), Change(value=route)])
        against = judge(world, trained.version, check)
        assert (alone.champion, against.champion) == ("", champion.name)
        assert [context.champion for context in check.contexts] == [None, champion]

    def test_a_candidate_that_serves_already_is_not_its_own_champion(self, world, trained):
        name = trained.version.name
        route = Route(model="toy", generation=1, slots={Slot.BLUE: name}, live=Slot.BLUE)
        world.records.commit([Change(value=route)])
        assert judge(world, trained.version, Says()).champion == ""

    def test_is_judged_on_the_split_of_the_run(self, world, trained):
        check = Says()
        judge(world, trained.version, check)
        assert check.contexts[0].prepared.split == trained.run.split
        assert check.contexts[0].objective == "closeness"

    def test_the_configured_objective_comes_first(self, world, trained):
        check = Says()
        chosen = world.settings.model_copy(update={"objective": "coverage"})
        judge(world, trained.version, check, settings=chosen)
        assert check.contexts[0].objective == "coverage"


class TestACheckThatCannotBeCarriedOut:
    """It is an error, never a pass, and can be repeated."""

    def test_leaves_the_candidate_undecided_and_says_why(self, world, trained):
        report = judge(world, trained.version, Says(), Stumbles())
        result = report.results[1]
        assert report.decision is Decision.UNDECIDED
        assert result.verdict is Verdict.ERROR
        assert "port 8000 is in use" in result.summary
        assert any("stumbles" in text for text in report.recommendations)

    def test_is_carried_out_the_next_time(self, world, trained):
        check = Stumbles()
        first = judge(world, trained.version, check)
        check.repaired = True
        second = judge(world, trained.version, check)
        assert second.id == first.id
        assert second.decision is Decision.PROMOTE
        assert world.records.find(ValidationReport) == [second]


class TestACrash:
    """Anywhere: validated again, there is one report and one move."""

    def test_after_any_effect_neither_loses_nor_doubles(self, tmp_path):
        effects = Effects()
        seen = self.judged(tmp_path / "calm", effects)
        assert len(effects.seen) >= 5
        for number in range(len(effects.seen)):
            again = self.judged(tmp_path / str(number), Effects(crash_at=number))
            assert again == seen, f"crashed {effects.seen[number]}"

    @staticmethod
    def judged(root: Path, effects: Effects) -> tuple[Any, ...]:
        root.mkdir()
        world = ToyWorld(root)
        version = world.train(trials=1).version
        watched = {
            "records": effects.through(world.records),
            "blobs": effects.through(world.blobs),
            "datasets": effects.through(world.datasets),
        }
        try:
            judge(world, version, Says(), **watched)
        except Crash:
            judge(world, version, Says())
        (report,) = world.records.find(ValidationReport)
        moves = [(row.entry.before, row.entry.after) for row in world.records.ledger()]
        return report.decision, state(world, version), moves, list(world.scratch.iterdir())


class Page(HTMLParser):
    """The texts, tags and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


class TestTheReportsFiles:
    """Two files: one for programs, one for people."""

    def test_are_stored_as_an_artifact(self, world, trained):
        report = judge(world, trained.version, Says())
        directory = world.blobs.get(report.artifact)
        assert sorted(path.name for path in directory.iterdir()) == ["report.html", "report.json"]

    def test_the_json_holds_the_decision_the_checks_and_the_trials(self, world, trained):
        report = judge(world, trained.version, Says())
        content = json.loads((world.blobs.get(report.artifact) / "report.json").read_text())
        assert content["decision"] == "promote"
        assert content["results"][0]["check"] == "says"
        assert len(content["trials"]) == 2
        assert content["candidate"]["version"] == trained.version.name

    def test_the_page_names_the_data_the_code_and_the_artifact(self, world, trained):
        report = judge(world, trained.version, Says())
        page = Page((world.blobs.get(report.artifact) / "report.html").read_text())
        manifest = read_manifest(world.blobs.get(trained.version.artifact))
        assert {world.data.version, manifest.code, trained.version.artifact} <= set(page.texts)

    def test_are_made_of_a_damaged_candidate_too(self, world, trained):
        manifest = world.blobs.get(trained.version.artifact) / "manifest.json"
        manifest.chmod(0o644)
        manifest.write_text("{")
        report = judge(world, trained.version, Says(Verdict.FAIL))
        content = json.loads((world.blobs.get(report.artifact) / "report.json").read_text())
        assert content["manifest"] is None

    def test_the_page_stands_alone(self):
        page = Page(html(a_report(), version=a_version(), run=a_run(), data=a_dataset()))
        assert page.addresses == []
        assert "script" not in page.tags
        assert "Promoted" in page.texts

    def test_the_page_draws_each_interval(self):
        interval = {
            "against": "the champion",
            "difference": 0.02,
            "low": -0.01,
            "high": 0.05,
            "bound": -0.02,
            "verdict": "pass",
        }
        check = a_check(details={"intervals": [interval]})
        report = a_report(results=(check,))
        page = Page(html(report, version=a_version(), run=a_run(), data=a_dataset()))
        assert page.tags.count("svg") == 1
        assert "+0.0200 (95%: -0.0100 to +0.0500)" in page.texts

    def test_the_page_escapes_what_it_shows(self):
        check = a_check(Verdict.FAIL, summary="<script>alert(1)</script>")
        report = a_report(results=(check,), recommendations=("<b>bold</b>",))
        page = Page(html(report, version=a_version(), run=a_run(), data=a_dataset()))
        assert "script" not in page.tags
        assert "b" not in page.tags

    def test_the_page_marks_the_trial_that_won(self):
        page = Page(html(a_report(), version=a_version(), run=a_run(), data=a_dataset()))
        assert sum("(this one)" in text for text in page.texts) == 2
        assert "stopped early" in page.texts

    def test_an_interval_is_drawn_in_order(self):
        interval = {
            "against": "x",
            "difference": 1.0,
            "low": 0.5,
            "high": 2.0,
            "bound": -1.0,
            "verdict": "pass",
        }
        at = interval_chart(interval).at
        assert 0 < at["bound"] < at["zero"] < at["low"] < at["mean"] < at["high"] < 560

    def test_an_interval_of_no_width_is_drawn_too(self):
        flat = dict.fromkeys(("difference", "low", "high", "bound"), 0.0)
        assert interval_chart({**flat, "against": "x", "verdict": "fail"}).at["mean"] > 0

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (True, "yes"),
            (0.123456, "0.1235"),
            (1234567.0, "1,234,567"),
            (12345, "12,345"),
            ({"a": 1, "b": [0.5]}, "a 1, b 0.5"),
            ([], "none"),
            (None, "None"),
        ],
    )
    def test_values_are_shown_as_a_person_reads_them(self, value, text):
        assert shown(value) == text
