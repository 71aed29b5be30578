"""The search for a candidate: which family, with which hyperparameters.

Trials are numbered from 0. The first are the families' default configurations, the baseline's
before all; the rest is drawn by TPE (Bergstra et al., "Algorithms for Hyper-Parameter
Optimization", NeurIPS 2011), each from a sampler newly seeded by (seed, number). A trial sees only
finished trials, so what it draws depends on them alone: a search that was killed and begun again
ends exactly as one that was left in peace. The Optuna study on disk is the checkpoint.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from flyball.domain.training import SearchBudget, Trial
from flyball.errors import ConfigurationError, TrainingError
from flyball.ports import Application, Model, Prepared, Progress
from flyball.steps.space import Plan
from flyball.steps.study import Checkpoint, Ended, quiet, translated

if TYPE_CHECKING:
    from optuna.trial import Trial as Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOutcome:
    """What a search found.

    Attributes:
        family: the winner's algorithm.
        config: the winner's configuration, an instance of the family's ``Config``.
        trials: everything that was tried, by number.
    """

    family: str
    config: Any
    trials: tuple[Trial, ...]


def search(
    application: Application,
    models: Mapping[str, type[Model]],
    prepared: Prepared,
    *,
    seed: int,
    budget: SearchBudget,
    study_url: str,
    study_name: str,
    progress: Progress,
    objective: str = "",
) -> SearchOutcome:
    """Find the family and configuration with the highest objective on the last search fold.

    Each trial climbs ``prepared.search`` fold by fold and is pruned at one where it does worse than
    the median of the complete trials. A configuration met before is not fitted again: it ends as it
    did. A trial that raises TrainingError counts as failed, and the search goes on. A tie goes to
    the family that stands earlier in ``application.families``, then to the earlier trial.

    Args:
        models: the families to search, by name; holds the baseline.
        budget: no trial begins after its time, what earlier processes spent included.
        study_url: SQLAlchemy URL of the checkpoint.
        study_name: the study to begin or go on with.
        progress: called once a finished trial, those of an earlier process first.
        objective: the metric to maximise; default the application's.

    Raises:
        TrainingError: no trial came to its end.
        ConfigurationError: the application does not measure the objective, or a family is missing.
        StorageUnavailable: the checkpoint cannot be read or written.
    """
    with quiet(), translated(study_url):
        climb = _Climb(application, prepared, objective or application.objective)
        plan = Plan.of(application.families, models, prepared.baseline)
        checkpoint = Checkpoint.open(study_url, study_name)
        _go_on(checkpoint, plan, climb, seed=seed, budget=budget, progress=progress)
        ended = checkpoint.ended()
    trials = tuple(one.trial for one in ended)
    best = winner(trials, application.families)
    if best is None:
        raise TrainingError(_why_none(ended, budget))
    config = models[best.family].Config.model_validate(dict(best.hyperparameters))
    return SearchOutcome(family=best.family, config=config, trials=trials)


def winner(trials: Sequence[Trial], families: Sequence[str]) -> Trial | None:
    """The complete trial with the highest value; ties to the earlier family, then number."""
    complete = [trial for trial in trials if trial.value is not None]
    order = {family: place for place, family in enumerate(families)}
    last = len(order)
    return min(
        complete,
        key=lambda t: (-(t.value or 0.0), order.get(t.family, last), t.number),
        default=None,
    )


@dataclass(frozen=True, slots=True)
class _Climb:
    """Fits a configuration on rising folds."""

    application: Application
    prepared: Prepared
    objective: str

    def __call__(
        self, model: type[Model], config: Any, prune: Callable[[int, float], bool]
    ) -> float | None:
        """The objective on the last fold; None where ``prune(rung, value)`` said so before it."""
        value, last = math.nan, len(self.prepared.search) - 1
        for rung, fold in enumerate(self.prepared.search):
            fitted = model.fit(fold.train, config)
            value = self._value(fitted, fold)
            if prune(rung, value) and rung < last:
                return None
        return value

    def _value(self, fitted: Model, fold: Any) -> float:
        metrics = self.application.evaluate(fitted, fold).metrics
        if self.objective not in metrics:
            raise ConfigurationError(
                f"{self.application.name} does not measure the objective {self.objective!r}; "
                f"it measures {', '.join(sorted(metrics))}"
            )
        value = float(metrics[self.objective])
        if not math.isfinite(value):
            raise TrainingError(f"{fitted.family}: {self.objective} is {value}, not a number")
        return value


def _go_on(
    checkpoint: Checkpoint,
    plan: Plan,
    climb: _Climb,
    *,
    seed: int,
    budget: SearchBudget,
    progress: Progress,
) -> None:
    """Run the trials that are still to do, reporting the finished ones first."""
    ended = checkpoint.ended()
    for one in ended:
        progress(one.trial)
    deadline = time.monotonic() + budget.timeout_s - sum(one.trial.seconds for one in ended)
    for number in range(len(ended), plan.size(budget)):
        if time.monotonic() >= deadline:
            return
        progress(_run(checkpoint, plan, climb, number=number, seed=seed))


def _run(checkpoint: Checkpoint, plan: Plan, climb: _Climb, *, number: int, seed: int) -> Trial:
    """One trial, from the draw to its record."""
    started = time.monotonic()
    asked = checkpoint.ask(plan.sampler(number, seed))
    family, config = plan.propose(number, asked)
    trial = Trial(
        number=number,
        family=family,
        hyperparameters=config.model_dump(mode="json"),
        value=None,
        seconds=0.0,
    )
    value, error = _end_of_equal(trial, checkpoint.ended(), asked) or _fitted(
        plan.models[family], config, climb, asked
    )
    trial = replace(trial, value=value, seconds=time.monotonic() - started)
    checkpoint.close(asked, trial, error)
    return trial


def _fitted(
    model: type[Model], config: Any, climb: _Climb, asked: Asked
) -> tuple[float | None, str]:
    """The objective (None if pruned or failed), and why it failed."""

    def prune(rung: int, value: float) -> bool:
        asked.report(value, rung)
        return bool(asked.should_prune())

    try:
        return climb(model, config, prune), ""
    except TrainingError as error:
        return None, str(error) or "the fit failed"


def _end_of_equal(
    trial: Trial, ended: Sequence[Ended], asked: Asked
) -> tuple[float | None, str] | None:
    """The end of an earlier trial of the same configuration, repeated; None without one."""
    wanted = (trial.family, trial.hyperparameters)
    for old in ended:
        if (old.trial.family, old.trial.hyperparameters) == wanted:
            for rung, value in sorted(old.rungs.items()):
                asked.report(value, rung)
            return old.trial.value, old.error
    return None


def _why_none(ended: Sequence[Ended], budget: SearchBudget) -> str:
    if errors := [one.error for one in ended if one.error]:
        return f"all {len(ended)} trials failed; the first: {errors[0]}"
    return (
        f"no trial could begin within {budget.timeout_s:g} s (at most {budget.trials} allowed); "
        "allow more time or trials"
    )
