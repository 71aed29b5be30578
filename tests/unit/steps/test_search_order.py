"""What a search tries when: defaults, what did well before, draws, and combinations last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from search_world import FAMILIES, Families, Killed, Steep, searched, timeless, tried

from flyball.domain.training import Origin
from flyball.errors import ConfigurationError, TrainingError
from flyball.steps.search import SearchOutcome
from flyball.steps.study import Checkpoint
from flyball.testing.toy import Curve

EARLIER = [
    {"family": "curve", "hyperparameters": {"degree": 3, "penalty": 0.5}},
    {"family": "gone", "hyperparameters": {"degree": 3}},
    {"family": "curve", "hyperparameters": {"degree": 9, "penalty": 0.5}},
    {"family": "curve", "hyperparameters": {"degree": 1, "penalty": 1.0}},
    {"family": "curve", "hyperparameters": {"degree": 4, "penalty": 0.5}},
]
"""One that can be used, an unknown family, a value out of bounds, the default, another one."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> SearchOutcome:
    return searched(tmp_path_factory.mktemp("calm"), earlier=EARLIER)


class TestTheOrder:
    """Of a search with everything."""

    def test_is_defaults_earlier_runs_draws_combinations(self, undisturbed):
        assert tried(undisturbed)[:4] == [
            ("mean", "default"),
            ("curve", "default"),
            ("curve", "earlier run"),
            ("curve", "earlier run"),
        ]
        assert [origin for _, origin in tried(undisturbed)[4:]] == ["drawn"] * 3 + ["combined"]

    def test_each_complete_trial_has_every_measure(self, undisturbed):
        complete = [trial for trial in undisturbed.trials if trial.value is not None]
        assert complete
        for trial in complete:
            assert set(trial.measures) == {"closeness", "coverage@10"}
            assert trial.measures["closeness"] == trial.value

    def test_a_pruned_trial_says_where_and_why(self, tmp_path):
        outcome = searched(tmp_path, trials=16)
        pruned = [trial for trial in outcome.trials if trial.state == "pruned"]
        assert pruned
        assert "on fold 1 of 2: below the median" in pruned[0].note
        assert pruned[0].measures == {}

    def test_a_repeated_configuration_names_the_first(self, tmp_path):
        class Narrow(Curve.Config):
            @classmethod
            def suggest(cls, trial: Any) -> Any:
                return cls(degree=trial.suggest_categorical("degree", [1, 3]))

        class Two(Curve):
            Config = Narrow

        outcome = searched(tmp_path, models={**FAMILIES, "curve": Two}, trials=8)
        again = [trial for trial in outcome.trials if trial.note.startswith("as trial ")]
        assert again
        first = outcome.trials[int(again[0].note.split()[2].rstrip(":"))]
        assert (again[0].family, again[0].hyperparameters) == (
            first.family,
            first.hyperparameters,
        )
        assert (again[0].value, again[0].measures) == (first.value, first.measures)


class TestATrialThatIsStoppedEarly:
    """It looked worse than the others, and was not the best of its family either."""

    def test_was_no_better_than_its_family_on_that_fold(self, tmp_path):
        class Shifted(Curve):
            def predict(self, queries: Any) -> Any:
                return super().predict(queries) + 3.0

        models = {**FAMILIES, "shifted": Shifted}
        application = Families(families=("mean", "curve", "shifted"))
        searched(tmp_path, application=application, models=models, trials=24)
        ended = Checkpoint.open(f"sqlite:///{tmp_path / 'study.sqlite'}", "toy").ended()
        best = {"mean": 0.0, "curve": 0.0, "shifted": 0.0}
        went_on = 0
        for one in ended:
            family, there = one.trial.family, one.rungs[0]
            assert (one.trial.state == "complete") or there <= best[family]
            went_on += one.trial.origin is Origin.DRAWN and there > best[family]
            best[family] = max(best[family], there)
        assert went_on >= 2
        assert "pruned" in {one.trial.state for one in ended}


class TestDefaults:
    """One whole trial for each family."""

    def test_are_never_stopped_early(self, tmp_path):
        """So that each family stands in the comparison."""

        class Hopeless(Curve):
            def predict(self, queries: Any) -> Any:
                return super().predict(queries) + 50.0

        application = Families(families=("mean", "curve", "steep", "hopeless"))
        models = {**FAMILIES, "steep": Steep, "hopeless": Hopeless}
        outcome = searched(tmp_path, application=application, models=models, trials=4)
        assert [trial.state for trial in outcome.trials] == ["complete"] * 4
        assert {standing.family for standing in outcome.standings} == set(application.families)

    def test_may_lie_outside_of_what_is_drawn(self, tmp_path):
        application = Families(families=("mean", "steep"))
        outcome = searched(tmp_path, application=application, models={**FAMILIES, "steep": Steep})
        assert dict(outcome.trials[1].hyperparameters) == {"degree": 3, "penalty": None}
        drawn = [t for t in outcome.trials if t.origin is Origin.DRAWN]
        assert drawn
        assert all(0.1 <= t.hyperparameters["penalty"] <= 10.0 for t in drawn)


class TestFamiliesThatAreSkipped:
    """The data gives no reason to try them."""

    WHY = "the order of the rows says nothing (p = 0.4)"

    def test_are_not_tried_and_the_outcome_says_why(self, tmp_path):
        application = Families(skipped={"curve": self.WHY})
        outcome = searched(tmp_path, application=application)
        assert {trial.family for trial in outcome.trials} == {"mean"}
        assert outcome.skipped == {"curve": self.WHY}

    def test_need_not_be_installed(self, tmp_path):
        models = {name: model for name, model in FAMILIES.items() if name != "curve"}
        with pytest.raises(ConfigurationError, match="lacks the model families curve"):
            searched(tmp_path, models=models)
        (again := tmp_path / "again").mkdir()
        application = Families(skipped={"curve": self.WHY})
        assert searched(again, application=application, models=models).family == "mean"

    def test_never_include_the_baseline(self, tmp_path):
        outcome = searched(tmp_path, application=Families(skipped={"mean": "too simple"}), trials=2)
        assert outcome.trials[0].family == "mean"
        assert outcome.skipped == {}

    def test_stay_skipped_when_the_search_goes_on(self, tmp_path):
        searched(tmp_path, application=Families(skipped={"curve": self.WHY}), trials=1)
        outcome = searched(tmp_path, trials=4)
        assert {trial.family for trial in outcome.trials} == {"mean"}
        assert outcome.skipped == {"curve": self.WHY}


class TestAWarmStart:
    """What did well in earlier runs comes right after the defaults."""

    def test_passes_over_what_cannot_be_used(self, undisturbed):
        again = [dict(t.hyperparameters) for t in undisturbed.trials if t.origin is Origin.EARLIER]
        assert again == [EARLIER[0]["hyperparameters"], EARLIER[4]["hyperparameters"]]

    def test_leaves_most_of_the_search_to_new_configurations(self, tmp_path):
        many = [
            {"family": "curve", "hyperparameters": {"degree": 3, "penalty": 0.1 * n}}
            for n in range(1, 30)
        ]
        outcome = searched(tmp_path, trials=12, earlier=many)
        origins = [trial.origin for trial in outcome.trials]
        assert origins.count(Origin.EARLIER) == 3
        assert origins.count(Origin.DRAWN) == 6

    def test_keeps_the_list_it_began_with(self, tmp_path, undisturbed):
        with pytest.raises(Killed):
            searched(tmp_path, application=Families(lives=2), earlier=EARLIER)
        outcome = searched(tmp_path, earlier=EARLIER[::-1])
        assert timeless(outcome) == timeless(undisturbed)

    def test_teaches_the_draws(self, tmp_path):
        """They see it: with another start they differ."""
        (tmp_path / "cold").mkdir()
        cold, warm = searched(tmp_path / "cold"), searched(tmp_path, earlier=EARLIER)
        drawn = [
            [t.hyperparameters for t in outcome.trials if t.origin is Origin.DRAWN]
            for outcome in (cold, warm)
        ]
        assert drawn[0][:3] != drawn[1][:3]


class TestCombinations:
    """Families that are made of others come last."""

    def test_are_made_of_the_best_of_each_other_family(self, undisturbed):
        last = undisturbed.trials[-1]
        parts = last.hyperparameters["parts"]
        bests = {s.family: undisturbed.trials[s.trial] for s in undisturbed.standings}
        assert set(parts) == {"mean", "curve"}
        for family, settings in parts.items():
            assert settings == bests[family].hyperparameters

    def test_have_the_best_part_first(self, undisturbed):
        ranked = [s.family for s in undisturbed.standings if s.family != "average"]
        assert list(undisturbed.trials[-1].hyperparameters["parts"]) == ranked

    def test_are_tried_once_each(self, tmp_path):
        """Of two families there is but one combination, however many trials are kept for them."""
        outcome = searched(tmp_path, trials=30)
        combined = [trial for trial in outcome.trials if trial.origin is Origin.COMBINED]
        assert len(combined) == 1
        assert outcome.trials[-1] == combined[0]
        assert len(outcome.trials) == 28

    def test_come_once_the_budget_exceeds_the_defaults(self, tmp_path):
        assert tried(searched(tmp_path, trials=2))[-1] == ("curve", "default")
        assert tried(searched(tmp_path, trials=3))[-1] == ("average", "combined")

    def test_need_two_families_that_came_to_their_end(self, tmp_path):
        outcome = searched(tmp_path, application=Families(families=("mean", "average")), trials=6)
        assert tried(outcome) == [("mean", "default")]

    def test_that_cannot_be_made_are_not_tried(self, tmp_path):
        application = Families(families=("mean", "steep", "average"))
        models = {**FAMILIES, "steep": Steep}
        outcome = searched(tmp_path, application=application, models=models, trials=5)
        assert "average" not in {trial.family for trial in outcome.trials}
        assert outcome.family == "steep"

    def test_that_fail_are_one_trial_less(self, tmp_path):
        class Broken(FAMILIES["average"]):
            @classmethod
            def fit(cls, data: Any, config: Any) -> Any:
                raise TrainingError("the parts do not fit")

        outcome = searched(tmp_path, models={**FAMILIES, "average": Broken}, trials=4)
        last = outcome.trials[-1]
        assert (last.family, last.state, last.note) == ("average", "failed", "the parts do not fit")
        assert outcome.family != "average"


class TestAKilledSearch:
    """Of everything: begun again, it ends as if nothing had happened."""

    @pytest.mark.parametrize("lives", [1, 5, 9, 13])
    def test_in_the_middle_of_a_trial(self, undisturbed, tmp_path: Path, lives: int):
        with pytest.raises(Killed):
            searched(tmp_path, application=Families(lives=lives), earlier=EARLIER)
        assert timeless(searched(tmp_path, earlier=EARLIER)) == timeless(undisturbed)
