"""What a data scientist may rely on when a search runs, is killed, and runs again."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, ConfigDict

from flyball.domain.training import SearchBudget, Trial
from flyball.errors import ConfigurationError, StorageUnavailable, TrainingError
from flyball.steps.search import SearchOutcome, search
from flyball.testing.toy import MODELS, Curve, CurveConfig, Mean, ToyApplication, ToyFold, a_frame

BUDGET = SearchBudget(trials=8, timeout_s=600.0)


class Killed(BaseException):
    """Stands for the end of the process: nothing may catch it."""


class Fragile(ToyApplication):
    """Dies at the n-th evaluation, counted from 0."""

    def __init__(self, dies_at: int) -> None:
        self.dies_at = dies_at

    def evaluate(self, model: Any, fold: ToyFold) -> Any:
        self.dies_at -= 1
        if self.dies_at < 0:
            raise Killed
        return super().evaluate(model, fold)


def run(
    where: Path,
    *,
    application: ToyApplication | None = None,
    models: dict[str, Any] | None = None,
    budget: SearchBudget = BUDGET,
    progress: Callable[[Trial], None] = lambda trial: None,
    seed: int = 7,
    **more: Any,
) -> SearchOutcome:
    app = application or ToyApplication()
    return search(
        app,
        models or MODELS,
        app.prepare({"points": a_frame()}, seed=seed),
        seed=seed,
        budget=budget,
        study_url=f"sqlite:///{where / 'study.sqlite'}",
        study_name="toy",
        progress=progress,
        **more,
    )


def told(outcome: SearchOutcome) -> list[Trial]:
    """The trials without what they cost, which differs from run to run."""
    return [replace(trial, seconds=0.0) for trial in outcome.trials]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> SearchOutcome:
    return run(tmp_path_factory.mktemp("undisturbed"))


class TestASearch:
    """From families to a winner."""

    def test_tries_the_baseline_first_and_then_each_familys_default(self, undisturbed):
        first, second = undisturbed.trials[:2]
        assert (first.family, dict(first.hyperparameters)) == ("mean", {})
        assert (second.family, dict(second.hyperparameters)) == (
            "curve",
            {"degree": 1, "penalty": 1.0},
        )

    def test_finds_a_better_configuration_than_the_defaults(self, undisturbed):
        values = {trial.number: trial.value for trial in undisturbed.trials}
        best = max(value for value in values.values() if value is not None)
        assert undisturbed.family == "curve"
        assert isinstance(undisturbed.config, CurveConfig)
        assert best > max(values[0], values[1])

    def test_numbers_its_trials_and_stays_within_the_budget(self, undisturbed):
        assert [trial.number for trial in undisturbed.trials] == list(range(BUDGET.trials))

    def test_draws_otherwise_under_another_seed(self, undisturbed, tmp_path):
        assert told(run(tmp_path, seed=8)) != told(undisturbed)

    def test_tells_of_each_trial_as_it_ends(self, tmp_path):
        heard: list[Trial] = []
        outcome = run(tmp_path, progress=heard.append)
        assert tuple(heard) == outcome.trials

    def test_takes_the_objective_it_is_given(self, tmp_path):
        with pytest.raises(ConfigurationError, match="does not measure the objective 'auc'"):
            run(tmp_path, objective="auc")

    def test_refuses_a_family_that_is_not_installed(self, tmp_path):
        with pytest.raises(ConfigurationError, match="lacks the model families curve"):
            run(tmp_path, models={"mean": Mean})

    def test_says_nothing_of_its_own(self, tmp_path, capfd):
        import optuna

        before = optuna.logging.get_verbosity()
        run(tmp_path, budget=SearchBudget(trials=3, timeout_s=60))
        assert capfd.readouterr() == ("", "")
        assert optuna.logging.get_verbosity() == before
        assert before <= logging.INFO

    def test_does_not_fit_a_hopeless_configuration_on_the_whole_data(self, tmp_path):
        fitted: list[int] = []

        class Watched(Curve):
            @classmethod
            def fit(cls, data: Any, config: Any) -> Any:
                fitted.append(len(data.x))
                return super().fit(data, config)

        budget = SearchBudget(trials=20, timeout_s=600)
        outcome = run(tmp_path, models={**MODELS, "curve": Watched}, budget=budget)
        pruned = [trial for trial in outcome.trials if trial.value is None]
        small, whole = min(fitted), max(fitted)
        assert pruned
        assert fitted.count(whole) <= fitted.count(small) - len(pruned)


class OnOff(BaseModel):
    """A space of two configurations."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    degree: int = 1
    penalty: float = 1.0

    @classmethod
    def suggest(cls, trial: Any) -> OnOff:
        return cls(degree=trial.suggest_categorical("degree", [1, 3]))


class TestASmallSpace:
    """Where there is little to try."""

    def test_no_configuration_is_fitted_twice(self, tmp_path):
        fitted: list[tuple[int, int]] = []

        class Two(Curve):
            Config: ClassVar[type[Any]] = OnOff

            @classmethod
            def fit(cls, data: Any, config: Any) -> Any:
                fitted.append((config.degree, len(data.x)))
                return super().fit(data, config)

        outcome = run(tmp_path, models={**MODELS, "curve": Two})
        assert len(fitted) == len(set(fitted))
        assert len(outcome.trials) == BUDGET.trials
        assert outcome.config == OnOff(degree=3)

    def test_families_without_a_space_are_tried_once(self, tmp_path):
        class OnlyMean(ToyApplication):
            families = ("mean",)

        outcome = run(tmp_path, application=OnlyMean())
        assert [trial.family for trial in outcome.trials] == ["mean"]


class TestFailingTrials:
    """A fit that raises is one trial less, not the end."""

    @staticmethod
    def refusing(when: Callable[[Any], bool]) -> type[Curve]:
        class Refusing(Curve):
            @classmethod
            def fit(cls, data: Any, config: Any) -> Any:
                if when(config):
                    raise TrainingError(f"degree {config.degree} cannot be fitted")
                return super().fit(data, config)

        return Refusing

    def test_the_search_goes_on_without_them(self, tmp_path):
        models = {**MODELS, "curve": self.refusing(lambda config: config.degree == 1)}
        outcome = run(tmp_path, models=models)
        assert outcome.trials[1].value is None
        assert len(outcome.trials) == BUDGET.trials
        assert outcome.family == "curve"

    def test_when_all_fail_the_first_reason_is_given(self, tmp_path):
        class OnlyCurve(ToyApplication):
            def prepare(self, tables: Any, *, seed: int) -> Any:
                return replace(super().prepare(tables, seed=seed), baseline="curve")

            families = ("curve",)

        models = {"curve": self.refusing(lambda config: True)}
        with pytest.raises(TrainingError, match=r"all 8 trials failed.*degree 1 cannot be fitted"):
            run(tmp_path, application=OnlyCurve(), models=models)

    def test_a_value_that_is_no_number_is_a_failure(self, tmp_path):
        class Endless(Curve):
            def predict(self, queries: Any) -> Any:
                return super().predict(queries) * float("nan")

        assert run(tmp_path, models={**MODELS, "curve": Endless}).family == "mean"


class TestTheTimeLimit:
    """No trial begins once the time is up."""

    def test_no_time_at_all_is_an_error_that_says_so(self, tmp_path):
        with pytest.raises(TrainingError, match="no trial could begin within 0 s"):
            run(tmp_path, budget=SearchBudget(trials=3, timeout_s=0.0))

    def test_time_spent_before_a_restart_counts(self, tmp_path):
        first = run(tmp_path, budget=SearchBudget(trials=3, timeout_s=600))
        spent = sum(trial.seconds for trial in first.trials)
        again = run(tmp_path, budget=SearchBudget(trials=9, timeout_s=spent))
        assert again.trials == first.trials


class TestAKilledSearch:
    """Begun again, it ends as if nothing had happened."""

    @pytest.mark.parametrize("dies_at", range(0, 12, 2))
    def test_in_the_middle_of_a_trial(self, undisturbed, tmp_path, dies_at):
        with pytest.raises(Killed):
            run(tmp_path, application=Fragile(dies_at))
        assert told(run(tmp_path)) == told(undisturbed)

    def test_after_each_trial(self, undisturbed, tmp_path):
        heard: list[Trial] = []

        def die_at_the_new(trial: Trial) -> None:
            if trial not in heard:
                heard.append(trial)
                raise Killed

        for _ in range(BUDGET.trials):
            with pytest.raises(Killed):
                run(tmp_path, progress=die_at_the_new)
        assert told(run(tmp_path, progress=die_at_the_new)) == told(undisturbed)

    def test_by_a_signal_at_any_instant(self, undisturbed, tmp_path):
        """A real process, killed as soon as it has written so many lines, again and again."""
        here = Path(__file__).parent
        program = (
            f"import sys; sys.path.insert(0, {str(here)!r})\n"
            "import test_search, pathlib\n"
            "print('begun', flush=True)\n"
            f"test_search.run(pathlib.Path({str(tmp_path)!r}),"
            " progress=lambda trial: print(trial.number, flush=True))\n"
        )
        for lines in (2, 6):
            process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
            assert process.stdout is not None
            for _ in range(lines):
                process.stdout.readline()
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            process.communicate()
        assert told(run(tmp_path)) == told(undisturbed)


class TestTheCheckpoint:
    """The file that makes this possible."""

    def test_a_damaged_one_is_named_with_what_to_do(self, tmp_path):
        (tmp_path / "study.sqlite").write_bytes(b"not a database, but long enough to look like it")
        with pytest.raises(StorageUnavailable, match=r"study\.sqlite cannot be used.*remove it"):
            run(tmp_path)
