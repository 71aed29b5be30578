"""What a search learns from the earlier runs of its model."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from toy_world import ToyWorld

from flyball.domain.training import Origin, Run, RunPhase
from flyball.ports import Change
from flyball.steps.warm import earlier_bests
from flyball.testing.builders import NOON, a_recipe, a_result, a_run, a_trial, a_version
from flyball.testing.fakes import MemoryRecords
from flyball.testing.toy import ToyApplication, a_frame


class Past:
    """Records with runs, the first one first."""

    def __init__(self) -> None:
        self.records = MemoryRecords()
        self.count = 0

    def run(self, *trials: tuple[str, int, float | None], **fields: Any) -> None:
        """A run of these trials: family, setting, objective."""
        self.count += 1
        recipe = a_recipe(data_version=f"{self.count:032x}")
        application = fields.pop("application", "games")
        recipe = replace(recipe, architecture=f"{application}@1/ease@1")
        version = a_version(f"1.0.{self.count}", recipe=recipe)
        tried = tuple(
            a_trial(
                number=number,
                family=family,
                hyperparameters={"n": setting},
                value=value,
                measures={} if value is None else {fields.get("objective", "ndcg@10"): value},
            )
            for number, (family, setting, value) in enumerate(trials)
        )
        run = a_run(
            run_id=f"{self.count:016x}",
            started_at=NOON + timedelta(hours=self.count),
            version=version.name,
            phase=fields.get("phase", RunPhase.DONE),
            result=a_result(trials=tried),
        )
        self.records.commit([Change(value=run), Change(value=version)])

    def bests(self, objective: str = "ndcg@10") -> list[tuple[str, int]]:
        found = earlier_bests(self.records, model="games", application="games", objective=objective)
        return [(one["family"], one["hyperparameters"]["n"]) for one in found]


@pytest.fixture
def past() -> Past:
    return Past()


class TestWhatDidWellBefore:
    """Ranks count, not values: those of different data do not compare."""

    def test_is_nothing_at_first(self, past):
        assert past.bests() == []

    def test_holds_the_first_of_each_family_then_their_seconds(self, past):
        past.run(("ease", 1, 0.3), ("ease", 2, 0.5), ("knn", 3, 0.4), ("knn", 4, 0.2))
        assert past.bests() == [("ease", 2), ("knn", 3), ("ease", 1), ("knn", 4)]

    def test_holds_at_most_three_of_a_family(self, past):
        past.run(*[("ease", setting, 0.1 * setting) for setting in range(6)])
        assert past.bests() == [("ease", 5), ("ease", 4), ("ease", 3)]

    def test_takes_the_best_of_each_run_first_the_newest_runs_before_all(self, past):
        past.run(("ease", 1, 0.9), ("ease", 2, 0.8))
        past.run(("ease", 3, 0.2), ("ease", 4, 0.1))
        assert past.bests() == [("ease", 3), ("ease", 1), ("ease", 4)]

    def test_names_nothing_twice(self, past):
        for _ in range(3):
            past.run(("ease", 1, 0.5), ("ease", 2, 0.4))
        assert past.bests() == [("ease", 1), ("ease", 2)]

    def test_leaves_out_what_was_stopped_early(self, past):
        past.run(("ease", 1, None), ("ease", 2, 0.4))
        assert past.bests() == [("ease", 2)]

    def test_ranks_by_the_objective_that_is_asked_for(self, past):
        past.run(("ease", 1, 0.5), objective="recall@20")
        assert past.bests() == []
        assert past.bests("recall@20") == [("ease", 1)]

    def test_takes_nothing_from_another_application(self, past):
        past.run(("ease", 1, 0.5), application="tabular")
        assert past.bests() == []

    @pytest.mark.parametrize("phase", [RunPhase.SEARCHING, RunPhase.FAILED])
    def test_takes_nothing_from_a_run_that_is_not_done(self, past, phase):
        past.run(("ease", 1, 0.5), phase=phase)
        assert past.bests() == []

    def test_passes_over_a_run_whose_version_is_gone(self, past):
        past.records.commit([Change(value=a_run(version="9.9.9-00000000-00000000"))])
        past.run(("ease", 1, 0.5))
        assert past.bests() == [("ease", 1)]


class TestTheNextRun:
    """Of the same model, on new data."""

    def test_tries_what_won_before_right_after_the_defaults(self, tmp_path: Path):
        world = ToyWorld(tmp_path)
        first = world.train(trials=5)
        world.ingested(a_frame(200, seed=2))
        second = world.train(trials=5).run.result
        third = second.trials[2]
        assert third.origin is Origin.EARLIER
        assert third.hyperparameters == first.version.recipe.hyperparameters

    def test_of_another_application_starts_anew(self, tmp_path: Path):
        class Other(ToyApplication):
            name = "other"

        world = ToyWorld(tmp_path)
        world.train(trials=4)
        world.application = world.executor.application = Other()
        result = world.train(trials=4).run.result
        assert Origin.EARLIER not in {trial.origin for trial in result.trials}


class TestTheRecord:
    """Of a finished run."""

    def test_says_why_the_winner_won_and_how_the_others_did(self, tmp_path: Path):
        world = ToyWorld(tmp_path)
        trained = world.train(trials=4)
        result = world.records.get(Run, trained.run.id).result
        assert result.objective == "closeness"
        assert result.why.startswith("curve ")
        assert {standing.family for standing in result.standings} == {"mean", "curve"}
        assert result.skipped == {}
        assert all("closeness" in t.measures for t in result.trials if t.value is not None)
