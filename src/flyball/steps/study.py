"""The search's checkpoint: an Optuna study in a database, written trial by trial."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from flyball.domain.canonical import plain
from flyball.domain.training import Origin, Trial
from flyball.errors import StorageUnavailable

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial
    from optuna.trial import Trial as Asked

PRUNE_AFTER = 2
"""Complete trials before any may be pruned."""

ABOUT, UNITS, BEGUN = "about", "units", "begun"
"""Names of what is written beside Optuna's own: of a trial, of a trial, of the study."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A trial that came to an end of its own, with what only the checkpoint knows of it.

    Attributes:
        trial: what a run's record shows.
        rungs: the objective on each fold it reached.
        units: shape (n,), float32, the objective by unit of the last fold; kept of trials that led
            their family when they ended, and where it is a mean over units.
    """

    trial: Trial
    rungs: Mapping[int, float]
    units: NDArray[np.float32] | None


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

    def begun(self, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the search began with: ``facts`` (JSON types), or what an earlier process wrote.

        So a search that goes on does as it would have done, whatever was learnt meanwhile.
        """
        known = self.study.user_attrs.get(BEGUN)
        if known is None:
            self.study.set_user_attr(BEGUN, known := json.dumps(plain(facts)))
        found: Mapping[str, Any] = json.loads(known)
        return found

    def ask(self, sampler: BaseSampler) -> Asked:
        """A new trial, drawn by ``sampler``."""
        self.study.sampler = sampler
        return self.study.ask()

    def close(self, asked: Asked, ended: Ended) -> None:
        """Record a trial's end: complete with its value, pruned without one, or failed."""
        from optuna.trial import TrialState

        trial = ended.trial
        about = {name: value for name, value in plain(trial).items() if name != "value"}
        if ended.units is not None:
            asked.set_user_attr(UNITS, _packed(ended.units))
        asked.set_user_attr(ABOUT, json.dumps(about))  # before its state, which makes it final
        without = TrialState.FAIL if trial.failed else TrialState.PRUNED
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

    about = json.loads(frozen.user_attrs.get(ABOUT, "{}"))
    if frozen.state is TrialState.FAIL and not about.get("failed"):
        return None  # killed before it was closed, or while
    # a pruned trial's Optuna value is that of its last rung, which is not the objective
    value = frozen.value if frozen.state is TrialState.COMPLETE else None
    trial = Trial(**{**about, "value": value, "origin": Origin(about["origin"])})
    return Ended(trial, frozen.intermediate_values, _unpacked(frozen.user_attrs.get(UNITS)))


def _packed(units: NDArray[np.float32]) -> str:
    """As text: float32, little-endian, deflated (many are 0), base 64."""
    return base64.b64encode(zlib.compress(units.astype("<f4").tobytes())).decode()


def _unpacked(text: str | None) -> NDArray[np.float32] | None:
    if text is None:
        return None
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype="<f4")


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
