"""The search's checkpoint: an Optuna study in a database, written trial by trial."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from flyball.domain.training import Trial
from flyball.errors import StorageUnavailable

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial
    from optuna.trial import Trial as Asked

PRUNE_AFTER = 2
"""Complete trials before any may be pruned."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A trial that came to an end of its own, with what only the checkpoint knows of it.

    Attributes:
        trial: what a run's record shows.
        rungs: the objective on each fold it reached.
        error: why it failed; empty where it did not.
    """

    trial: Trial
    rungs: Mapping[int, float]
    error: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One search's study."""

    study: Study

    @classmethod
    def open(cls, url: str, name: str) -> Self:
        """Begin a study or go on with it.

        Trials that a kill cut off are marked as failed; they say nothing, and are done anew.
        """
        import optuna
        from optuna.trial import TrialState

        study = optuna.create_study(
            storage=optuna.storages.RDBStorage(url),
            study_name=name,
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=PRUNE_AFTER, n_warmup_steps=0),
        )
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(trial.number, state=TrialState.FAIL)
        return cls(study)

    def ask(self, sampler: BaseSampler) -> Asked:
        """A new trial, drawn by ``sampler``."""
        self.study.sampler = sampler
        return self.study.ask()

    def close(self, asked: Asked, trial: Trial, error: str) -> None:
        """Record a trial's end: complete with its value, pruned without one, or failed."""
        from optuna.trial import TrialState

        about = {
            "number": trial.number,
            "family": trial.family,
            "hyperparameters": dict(trial.hyperparameters),
            "seconds": trial.seconds,
            "error": error,
        }
        asked.set_user_attr("about", json.dumps(about))  # before its state, which makes it final
        without = TrialState.FAIL if error else TrialState.PRUNED
        state = without if trial.value is None else TrialState.COMPLETE
        self.study.tell(asked, trial.value, state=state)

    def ended(self) -> list[Ended]:
        """Trials that were closed, by number; without those that a kill cut off."""
        from optuna.trial import TrialState

        states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
        found = (_ended(trial) for trial in self.study.get_trials(deepcopy=False, states=states))
        return [ended for ended in found if ended is not None]


def _ended(frozen: FrozenTrial) -> Ended | None:
    from optuna.trial import TrialState

    about = json.loads(frozen.user_attrs.get("about", "{}"))
    error = about.pop("error", "")
    if frozen.state is TrialState.FAIL and not error:
        return None
    # a pruned trial's Optuna value is that of its last rung, which is not the objective
    value = frozen.value if frozen.state is TrialState.COMPLETE else None
    return Ended(Trial(value=value, **about), frozen.intermediate_values, error)


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna speaks only of errors meanwhile."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Errors of the study's database as StorageUnavailable."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        where = make_url(url).render_as_string(hide_password=True)
        cause = error.__cause__ or error
        reason = " ".join(str(getattr(cause, "orig", None) or cause).split())
        raise StorageUnavailable(
            f"the search's checkpoint {where} cannot be used: {reason}; check space and "
            "permissions, or remove it (the search then begins anew)"
        ) from error
