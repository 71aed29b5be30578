"""The search for a candidate: which family, with which hyperparameters.

Trials are numbered from 0. The first are the families' default configurations, the baseline's
before all; then what did well in earlier runs; then what TPE draws (Bergstra et al., "Algorithms
for Hyper-Parameter Optimization", NeurIPS 2011), each from a sampler newly seeded by (seed,
number); the last are combinations of the best. A trial sees only finished trials, so what it tries
depends on them alone: a search that was killed and begun again ends exactly as one that was left
in peace. The Optuna study on disk is the checkpoint.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from flyball.domain.training import Origin, SearchBudget, Standing, Trial
from flyball.errors import TrainingError
from flyball.ports import Application, Model, Prepared, Progress
from flyball.steps.agenda import Agenda, bests
from flyball.steps.choice import Choice, Contender, choose
from flyball.steps.climb import Climb, Top
from flyball.steps.space import Proposal, Space
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
        why: why the winner won, in one sentence.
        standings: each family at its best, the highest value first.
        skipped: families that were not tried, and why.
    """

    family: str
    config: Any
    trials: tuple[Trial, ...]
    why: str
    standings: tuple[Standing, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)


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
    earlier: Sequence[Mapping[str, Any]] = (),
) -> SearchOutcome:
    """Find the family and configuration to deploy, by the objective on the last search fold.

    Each trial climbs ``prepared.search`` fold by fold, and is pruned where it does worse than the
    median of the complete trials and no better than its own family did there. Defaults are not
    pruned. So each family stands in the comparison, and at its best. A configuration met before is
    not fitted again: it ends as it did. A trial that raises TrainingError counts as failed, and the
    search goes on. The winner is the simplest family that is not significantly worse than the best
    (``flyball.steps.choice``).

    Args:
        models: the families to search, by name; holds the baseline.
        budget: no trial begins after its time, what earlier processes spent included.
        study_url: SQLAlchemy URL of the checkpoint.
        study_name: the study to begin or go on with.
        progress: called once a finished trial, those of an earlier process first.
        objective: the metric to maximise; default the application's.
        earlier: what did well in earlier runs (``flyball.steps.warm``); a search that goes on
            keeps the list it began with.

    Raises:
        TrainingError: no trial came to its end.
        ConfigurationError: the application does not measure the objective, or a family is missing.
        StorageUnavailable: the checkpoint cannot be read or written.
    """
    objective = objective or application.objective
    with quiet(), translated(study_url):
        checkpoint = Checkpoint.open(study_url, study_name)
        begun = checkpoint.begun({"earlier": earlier, "skipped": prepared.skipped})
        agenda = Agenda.of(
            application.families, models, baseline=prepared.baseline, budget=budget, **begun
        )
        space = Space({family: models[family] for family in agenda.drawn}, seed)
        climb = Climb(application, prepared, objective)
        ended = _Search(checkpoint, agenda, space, climb).carried_on(progress)
    found = _chosen(ended, application.families, objective=objective, seed=seed)
    if found is None:
        raise TrainingError(_why_none(ended, budget))
    best = found.winner
    skipped = {name: why for name, why in begun["skipped"].items() if name != prepared.baseline}
    return SearchOutcome(
        family=best.family,
        config=models[best.family].Config.model_validate(dict(best.hyperparameters)),
        trials=tuple(one.trial for one in ended),
        why=found.why,
        standings=found.standings,
        skipped=skipped,
    )


@dataclass(frozen=True, slots=True)
class _Search:
    """The parts of one search."""

    checkpoint: Checkpoint
    agenda: Agenda
    space: Space
    climb: Climb

    def carried_on(self, progress: Progress) -> list[Ended]:
        """Run the trials that are still to do; returns all, told of in turn."""
        ended = self.checkpoint.ended()
        for one in ended:
            progress(one.trial)
        spent = sum(one.trial.seconds for one in ended)
        deadline = time.monotonic() + self.agenda.budget.timeout_s - spent
        while True:
            left_s = deadline - time.monotonic()
            what = self.agenda.following([one.trial for one in ended], left_s=left_s)
            if what is None:
                return ended
            ended.append(self._run(None if what == "draw" else what, ended))
            progress(ended[-1].trial)

    def _run(self, proposal: Proposal | None, ended: Sequence[Ended]) -> Ended:
        """One trial, from the draw to its record."""
        started, number = time.monotonic(), len(ended)
        asked = self.checkpoint.ask(self.space.sampler(number, proposal))
        tried = self.space.settle(asked, proposal)
        trial = Trial(
            number=number,
            family=tried.family,
            hyperparameters=tried.hyperparameters,
            value=None,
            seconds=0.0,
            origin=tried.origin,
        )
        one = _repeated(trial, ended, asked) or self._fitted(trial, tried.config, asked, ended)
        one = replace(one, trial=replace(one.trial, seconds=time.monotonic() - started))
        if not _leads(one.trial, ended):
            one = replace(one, units=None)
        self.checkpoint.close(asked, one)
        return one

    def _fitted(self, trial: Trial, config: Any, asked: Asked, ended: Sequence[Ended]) -> Ended:
        """The trial with what it came to."""
        spared = trial.origin in {Origin.DEFAULT, Origin.COMBINED}
        rungs: dict[int, float] = {}

        def report(rung: int, value: float) -> bool:
            rungs[rung] = value
            asked.report(value, rung)
            if spared or value > _best_of(trial.family, rung, ended):
                return False
            return bool(asked.should_prune())

        model = self.agenda.models[trial.family]
        start = self.climb.last if trial.origin is Origin.COMBINED else 0
        try:
            reached = self.climb(model, config, report=report, start=start)
        except TrainingError as error:
            note = str(error) or "the fit failed"
            return Ended(replace(trial, failed=True, note=note), rungs, None)
        if not isinstance(reached, Top):
            return Ended(replace(trial, note=reached), rungs, None)
        done = replace(trial, value=reached.value, measures=reached.measures)
        return Ended(done, rungs, reached.units)


def _repeated(trial: Trial, ended: Sequence[Ended], asked: Asked) -> Ended | None:
    """The end of an earlier trial of the same configuration, repeated; None without one."""
    wanted = (trial.family, trial.hyperparameters)
    for old in ended:
        if (old.trial.family, old.trial.hyperparameters) == wanted:
            for rung, value in sorted(old.rungs.items()):
                asked.report(value, rung)
            note = f"as trial {old.trial.number}"
            if old.trial.note:
                note = f"{note}: {old.trial.note}"
            again = replace(old.trial, number=trial.number, origin=trial.origin, note=note)
            return replace(old, trial=again)
    return None


def _best_of(family: str, rung: int, ended: Sequence[Ended]) -> float:
    """The highest objective that a family reached on a fold."""
    reached = (one.rungs.get(rung, -math.inf) for one in ended if one.trial.family == family)
    return max(reached, default=-math.inf)


def _leads(trial: Trial, ended: Sequence[Ended]) -> bool:
    """Whether a trial is the best of its family so far."""
    ours = [one.trial for one in ended if one.trial.family == trial.family]
    return bests([*ours, trial]) == [trial]


def _chosen(
    ended: Sequence[Ended], families: Sequence[str], *, objective: str, seed: int
) -> Choice | None:
    complete = [Contender(e.trial, e.units) for e in ended if e.trial.value is not None]
    return choose(complete, families, objective=objective, seed=seed)


def _why_none(ended: Sequence[Ended], budget: SearchBudget) -> str:
    if errors := [one.trial.note for one in ended if one.trial.failed]:
        return f"all {len(ended)} trials failed; the first: {errors[0]}"
    return (
        f"no trial could begin within {budget.timeout_s:g} s (at most {budget.trials} allowed); "
        "allow more time or trials"
    )
