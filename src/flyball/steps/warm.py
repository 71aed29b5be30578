"""A warm start: configurations that did best in earlier runs of the same model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

from flyball.domain.canonical import digest
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.training import Run, RunPhase, Trial
from flyball.errors import NotFound
from flyball.ports import Records

RUNS = 20
"""How many runs are looked back."""

OF_A_FAMILY = 3
"""How many configurations of one family are worth another try."""


@dataclass(frozen=True, slots=True)
class _Ranked:
    """A trial of an earlier run, and its objective there."""

    trial: Trial
    value: float

    @property
    def key(self) -> str:
        return digest(self.trial.hyperparameters)


def earlier_bests(
    records: Records, *, model: str, application: str, objective: str
) -> list[dict[str, Any]]:
    """What did best in the finished runs of ``model`` under the same application, best first.

    Values from different data do not compare, but ranks do: of each family the best of each run
    comes first, the newest run's before the older ones', then the second best; at most
    ``OF_A_FAMILY`` distinct ones. The list holds the first of every family, then their seconds.

    Args:
        application: its name; of another one's runs nothing can be taken.
        objective: what to rank by; runs that did not measure it say nothing.

    Returns:
        JSON: ``family`` and ``hyperparameters`` each.

    Raises:
        StorageUnavailable: the records cannot be read.
    """
    runs = [run for run in records.find(Run, model=model, limit=RUNS) if run.result is not None]
    runs = [run for run in runs if _application(records, run) == application]
    by_run = [_by_family(run, objective) for run in reversed(runs)]
    families = list(dict.fromkeys(chain.from_iterable(by_run)))
    picked = [_distinct([found.get(family, []) for found in by_run]) for family in families]
    rounds = zip_longest(*picked)
    ordered = (sorted(filter(None, one), key=lambda r: -r.value) for one in rounds)
    return [
        {"family": one.trial.family, "hyperparameters": dict(one.trial.hyperparameters)}
        for one in chain.from_iterable(ordered)
    ]


def _application(records: Records, run: Run) -> str:
    """The name of the application that a finished run was for; empty where it cannot be told."""
    if run.phase is not RunPhase.DONE:
        return ""
    try:
        version = records.get(ModelVersion, f"{run.model}/{run.version}")
    except NotFound:
        return ""
    return version.recipe.architecture.partition("@")[0]


def _by_family(run: Run, objective: str) -> Mapping[str, list[_Ranked]]:
    """A run's trials that measured the objective, the best first."""
    assert run.result is not None
    ranked = [
        _Ranked(trial, trial.measures[objective])
        for trial in run.result.trials
        if objective in trial.measures
    ]
    found: dict[str, list[_Ranked]] = {}
    for one in sorted(ranked, key=lambda r: (-r.value, r.trial.number)):
        found.setdefault(one.trial.family, []).append(one)
    return found


def _distinct(by_run: Sequence[Sequence[_Ranked]]) -> list[_Ranked]:
    """The best of each run, then the second best, without repetition."""
    in_turn: Iterable[_Ranked | None] = chain.from_iterable(zip_longest(*by_run))
    first: dict[str, _Ranked] = {}
    for one in in_turn:
        if one is not None:
            first.setdefault(one.key, one)
    return list(first.values())[:OF_A_FAMILY]
