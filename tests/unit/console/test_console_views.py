"""What the page says: pure functions from the verbs' answers to words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from console_pages import EMPTY, HOME, LATER, NEW, OLD, a_status, fact, games, shown

from flyball.answers import Served, Status
from flyball.console.facts import hint
from flyball.console.views import page
from flyball.domain.deployment import Deployment, Phase
from flyball.domain.ledger import chained
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.routing import Slot, SlotPhase, SlotStatus
from flyball.domain.training import RunPhase
from flyball.domain.validation import Decision, Verdict
from flyball.loop.lock import Holder
from flyball.testing import builders as make
from flyball.testing.builders import NOON


class TestTheChampion:
    def test_is_read_by_its_number_and_found_by_its_hashes(self) -> None:
        champion = games().champion
        assert champion is not None
        assert champion.label.number == "1.1.0"
        assert champion.label.hashes == NEW.name.removeprefix("1.1.0-")

    def test_says_since_when_why_and_by_whom(self) -> None:
        champion = games().champion
        assert champion is not None
        assert champion.since is not None
        assert (champion.since.ago, champion.by) == ("6 h ago", "operator:ada")
        assert champion.because == "1.1.0 loaded by 2 workers"

    def test_claims_no_reason_of_another_version(self) -> None:
        served = Served(
            model="games",
            at=LATER,
            version=OLD.name,
            since=NOON,
            because="before",
            by="ada",
            ledger_row=1,
        )
        champion = games(served=served).champion
        assert champion is not None
        assert (champion.since, champion.because, champion.by) == (None, "", "")


class TestRollingBack:
    def test_is_offered_to_a_version_that_served_well(self) -> None:
        back_to = games().back_to
        assert back_to is not None
        assert back_to.number == "1.0.0"

    @pytest.mark.parametrize("state", [s for s in State if s is not State.PRODUCTION])
    def test_is_not_offered_to_any_other(self, state: State) -> None:
        assert games(versions=(replace(OLD, state=state), NEW)).back_to is None

    def test_is_not_offered_where_nothing_stands_by(self) -> None:
        alone = a_status(route=make.a_route(slots={Slot.BLUE: NEW.name}))
        assert games(alone).back_to is None
        assert fact(games(alone), "Standby").value == "none"


class TestTheRollout:
    def test_shows_how_far_the_bake_has_come(self) -> None:
        rollout = fact(games(), "Rollout")
        assert rollout.value == "1.1.0 baking"
        assert rollout.progress == pytest.approx(0.25)
        assert rollout.detail == "watched for 18 h more"

    def test_that_waits_for_traffic_says_so(self) -> None:
        over = make.a_deployment(phase=Phase.BAKING, bake_until=LATER - timedelta(minutes=1))
        rollout = fact(games(a_status(deployment=over)), "Rollout")
        assert rollout.progress == 1.0
        assert rollout.detail == "waiting for enough healthy traffic"

    @pytest.mark.parametrize(
        ("phase", "tone"),
        [
            (Phase.LOADING, "watch"),
            (Phase.SWITCHING, "watch"),
            (Phase.DONE, "good"),
            (Phase.FAILED, "bad"),
            (Phase.ROLLED_BACK, "bad"),
        ],
    )
    def test_says_in_words_and_colour_how_it_stands(self, phase: Phase, tone: str) -> None:
        deployment: Deployment = make.a_deployment(phase=phase, detail="because of this")
        rollout = fact(games(a_status(deployment=deployment)), "Rollout")
        assert (rollout.value, rollout.tone) == (f"1.0.0 {phase}", tone)
        assert rollout.progress is None
        assert rollout.detail


class TestValidationTrainingAndData:
    def test_a_passed_validation_links_its_report(self) -> None:
        validation = fact(games(), "Validation")
        assert (validation.value, validation.tone) == ("promote 1.1.0", "good")
        assert validation.detail == "1 of 1 check passed"
        assert validation.link == f"/api/models/games/versions/{NEW.name}/report"

    def test_a_failed_one_names_the_checks(self) -> None:
        results = (make.a_check(), make.a_check(Verdict.FAIL, check="latency"))
        report = make.a_report(results=results, decision=Decision.REJECT, artifact="")
        validation = fact(games(a_status(report=report)), "Validation")
        assert (validation.value, validation.tone) == ("reject 1.0.0", "bad")
        assert validation.detail == "1 of 2 checks passed; not latency"
        assert validation.link == ""

    def test_a_search_shows_its_progress(self) -> None:
        run = make.a_run(phase=RunPhase.SEARCHING, trials_done=3, result=None)
        training = fact(games(a_status(run=run)), "Training")
        assert (training.value, training.progress) == ("searching", 0.25)
        assert training.detail == "3 of at most 12 trials"

    def test_a_failed_run_says_why(self) -> None:
        run = make.a_run(phase=RunPhase.FAILED, result=None, error="no memory")
        training = fact(games(a_status(run=run)), "Training")
        assert (training.value, training.detail, training.tone) == ("failed", "no memory", "bad")

    def test_a_finished_run_says_why_the_winner_won(self) -> None:
        run = make.a_run(result=make.a_result(why="ease is better than popularity"))
        training = fact(games(a_status(run=run)), "Training")
        assert training.detail == "2 trials; ease is better than popularity"

    def test_rows_are_readable(self) -> None:
        assert fact(games(), "Data").value == "1,234,567 rows"
        assert fact(games(), "Data").detail == "1 batch, 0123abcd"


class TestWhatToDoNext:
    """An empty place names the exact command, home included."""

    def hinted(self, versions: Sequence[ModelVersion] = (), workers: int = 1, **fields: Any) -> str:
        status = a_status(**(EMPTY | fields))
        found = hint(status, versions, workers=workers, home=Path("/my shop"))
        return found.command if found else ""

    def test_without_data(self) -> None:
        assert self.hinted() == "flyball run games purchases.csv --home '/my shop'"

    def test_without_a_version(self) -> None:
        data = make.a_dataset()
        assert self.hinted(dataset=data) == "flyball run games --home '/my shop'"

    def test_while_a_version_is_in_the_making(self) -> None:
        run = make.a_run(phase=RunPhase.SEARCHING, result=None)
        assert self.hinted(dataset=make.a_dataset(), run=run) == ""

    @pytest.mark.parametrize(
        ("state", "verb"), [(State.STAGING, "deploy"), (State.VALIDATION, "validate")]
    )
    def test_with_a_version_that_does_not_serve(self, state: State, verb: str) -> None:
        version = replace(NEW, state=state)
        command = self.hinted([version], dataset=make.a_dataset())
        assert command == f"flyball {verb} games {NEW.name} --home '/my shop'"

    def test_with_a_version_that_may_not_serve(self) -> None:
        rejected = replace(NEW, state=State.DEVELOPMENT)
        report = make.a_report(recommendations=("train on more data.",))
        status = a_status(**(EMPTY | {"dataset": make.a_dataset(), "report": report}))
        found = hint(status, [rejected], workers=1, home=HOME)
        assert found is not None
        assert found.text.startswith("1.1.0 may not serve. train on more data.")

    def test_without_a_worker(self) -> None:
        assert games().hint is not None
        assert "flyball up" in str(games().hint)

    def test_when_all_is_well_nothing(self) -> None:
        assert games(workers=[make.a_worker()]).hint is None

    def test_without_traffic_a_request_to_try(self) -> None:
        silence = games(workers=[make.a_worker()]).silence
        assert silence is not None
        assert silence.command == "curl 'http://127.0.0.1:8000/v1/recommendations/somebody?k=5'"


class TestTheTables:
    def test_list_the_newest_version_first_with_its_role(self) -> None:
        rows = games().versions.rows
        assert [(row.label.number, row.role) for row in rows] == [
            ("1.1.0", "champion"),
            ("1.0.0", "standby"),
        ]

    def test_put_metrics_under_their_names(self) -> None:
        old = replace(OLD, metrics={"recall@20": 0.6})
        table = games(versions=(old, NEW)).versions
        assert table.metric_names == ("ndcg@10", "recall@20")
        assert [row.metrics for row in table.rows] == [("0.515", "–"), ("–", "0.600")]

    def test_say_how_many_versions_they_leave_out(self) -> None:
        many = [make.a_version(f"1.0.{patch}") for patch in range(11)]
        table = games(versions=many).versions
        assert (len(table.rows), table.more) == (8, 3)
        assert table.rows[0].label.number == "1.0.10"

    def test_traffic_adds_up_and_marks_too_many_errors(self) -> None:
        windows = [make.a_window(10, 1, start=LATER - timedelta(seconds=back)) for back in (2, 3)]
        (row,) = games(windows=windows).traffic_rows
        assert (row.requests, row.errors, row.failing) == ("20", "10%", True)
        assert row.p50 == "3.9"
        assert row.feedback == "2 clicks"

    def test_few_errors_are_no_alarm(self) -> None:
        windows = [make.a_window(1000, 1, start=LATER - timedelta(seconds=2))]
        (row,) = games(windows=windows).traffic_rows
        assert (row.errors, row.failing) == ("0.1%", False)

    def test_the_ledger_is_newest_first_and_short(self) -> None:
        entry = make.an_entry(reason=f"{NEW.name} on {'ab' * 16}")
        first = chained(entry, seq=1, previous="0" * 64)
        route = make.an_entry(action="route", before=OLD.name, after=NEW.name, reason="tested")
        second = chained(route, seq=2, previous=first.digest)
        lines = games(ledger=[first, second]).ledger
        assert [line.seq for line in lines] == [2, 1]
        assert lines[0].what == "1.1.0 serves instead of 1.0.0"
        assert lines[1].what == "1.0.0: validation → staging"
        assert lines[1].reason == "1.1.0 on abababab"
        assert NEW.name in lines[1].full

    def test_workers_say_how_they_stand(self) -> None:
        failed = {"games/blue": SlotStatus(version=OLD.name, phase=SlotPhase.FAILED)}
        good, bad = shown(workers=[make.a_worker(), make.a_worker("host:2", slots=failed)]).workers
        assert (good.slots, good.tone, good.up) == ("1 of 1 ready", "good", "6 h")
        assert (bad.slots, bad.tone, bad.memory) == ("0 of 1 ready", "bad", "118 MiB")


class TestWhoRunsTheLoop:
    def test_is_told_with_the_time_it_has_run(self) -> None:
        holder = Holder(role="flyball up", pid=7, host="shop", started_at=NOON.isoformat())
        control = page(Status(home=HOME, control="", workers=(), models=()), holder, [], LATER)
        assert control.control is not None
        assert control.control.process == "process 7 on shop"
        assert control.control.since is not None
        assert control.control.since.ago == "6 h ago"

    def test_is_nobody_or_somebody_unknown(self) -> None:
        status = Status(home=HOME, control="", workers=(), models=())
        assert page(status, None, [], LATER).control is None
        unknown = Holder(role="unknown", pid=0, host="unknown", started_at="unknown")
        found = page(status, unknown, [], LATER).control
        assert found is not None
        assert found.since is None
