"""The front of a search: trials that no other beats in accuracy, cost and coverage together."""

from __future__ import annotations

from collections.abc import Sequence

from flyball.domain.canonical import digest
from flyball.domain.training import Trial

COVERAGE = "coverage"
"""How the name of a metric begins that says how much of the catalogue is ever shown."""


def coverages(trials: Sequence[Trial], objective: str) -> tuple[str, ...]:
    """Names of the coverage measures, other than the objective, that every complete trial has."""
    measured = [set(trial.measures) for trial in trials if trial.value is not None]
    common = set.intersection(*measured) if measured else set()
    return tuple(sorted(n for n in common if n.startswith(COVERAGE) and n != objective))


def front(trials: Sequence[Trial], objective: str) -> tuple[int, ...]:
    """Numbers of the Pareto-optimal trials: higher value, fewer seconds, more coverage.

    A trial is on the front unless another is at least as good in all of them and better in one.
    Only complete trials count, and of equal configurations the first: the others cost nothing,
    because they were not fitted again.
    """
    names = coverages(trials, objective)
    points = {trial.number: _point(trial, names) for trial in fitted(trials)}
    return tuple(
        number
        for number, point in points.items()
        if not any(_beats(other, point) for other in points.values())
    )


def fitted(trials: Sequence[Trial]) -> list[Trial]:
    """The complete trials without those that repeat an earlier configuration, by number."""
    first: dict[str, Trial] = {}
    for trial in sorted(trials, key=lambda t: t.number):
        if trial.value is not None:
            first.setdefault(digest([trial.family, trial.hyperparameters]), trial)
    return list(first.values())


def _point(trial: Trial, names: Sequence[str]) -> tuple[float, ...]:
    """What there is to gain; more is better in each."""
    assert trial.value is not None
    return (trial.value, -trial.seconds, *(trial.measures[name] for name in names))


def _beats(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a != b and all(x >= y for x, y in zip(a, b, strict=True))
