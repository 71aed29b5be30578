"""The search's part of a report: every trial, the front, who was not tried, and why who won."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flyball.domain.canonical import plain
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.training import TrainingResult, Trial
from flyball.steps.front import coverages, fitted, front

WIDTH, HEIGHT = 640.0, 340.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 616.0, 32.0, 288.0
"""Edges of the plot in the picture, in pixels."""

LEAST_S = 1e-3
"""Seconds below this are drawn as this."""

LEAST_RADIUS, MOST_RADIUS, PLAIN_RADIUS = 4.0, 13.0, 6.0
MOST_TICKS = 7


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis, in pixels."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A trial in the picture; places in pixels."""

    x: float
    y: float
    radius: float
    colour: str
    front: bool
    won: bool
    tip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Cost across, objective up, coverage as size.

    Attributes:
        families: with their colours.
        coverage: the measure behind the size; empty where there is none.
        measured: what the front is about, in words.
        described: the whole, for those who cannot see it.
    """

    dots: tuple[Dot, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    families: tuple[tuple[str, str], ...]
    coverage: str
    measured: str
    described: str
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = RIGHT
    top: float = TOP
    bottom: float = BOTTOM


def search_facts(result: TrainingResult | None) -> dict[str, Any]:
    """What a program may want to know of a search, beside its trials; JSON types."""
    if result is None:
        return {}
    return {
        "objective": result.objective,
        "why": result.why,
        "standings": plain(result.standings),
        "skipped": plain(result.skipped),
        "front": list(front(result.trials, result.objective)),
        "coverage": list(coverages(result.trials, result.objective)),
    }


def search_section(result: TrainingResult | None, version: ModelVersion) -> dict[str, Any]:
    """The values that the page shows of a search."""
    if result is None:
        return {"rows": ()}
    trials = result.trials
    ahead = set(front(trials, result.objective))
    return {
        "objective": result.objective,
        "why": result.why,
        "standings": result.standings,
        "skipped": result.skipped,
        "coverages": coverages(trials, result.objective),
        "rows": [_row(trial, trials, version, front=trial.number in ahead) for trial in trials],
        "picture": picture(trials, result.objective, version),
    }


def picture(trials: Sequence[Trial], objective: str, version: ModelVersion) -> Picture | None:
    """The trials by cost and worth; None with fewer than two to draw."""
    drawn = fitted(trials)
    if len(drawn) < 2:
        return None
    names = coverages(trials, objective)
    coverage = names[0] if names else ""
    ahead = set(front(trials, objective))
    colours = _colours(drawn)
    across = _Scale([math.log10(_seconds(t)) for t in drawn], LEFT, RIGHT)
    up = _Scale([_value(t) for t in drawn], BOTTOM, TOP)
    sizes = _radii(drawn, coverage)
    dots = tuple(
        Dot(
            x=across(math.log10(_seconds(trial))),
            y=up(_value(trial)),
            radius=radius,
            colour=colours[trial.family],
            front=trial.number in ahead,
            won=is_winner(trial, version),
            tip=_tip(trial, objective, names),
        )
        for trial, radius in sorted(
            zip(drawn, sizes, strict=True), key=lambda pair: (pair[0].number in ahead, -pair[1])
        )
    )
    leaders = ", ".join(_tip(t, objective, names) for t in drawn if t.number in ahead)
    return Picture(
        dots=dots,
        across=tuple(Tick(across(math.log10(s)), f"{s:g}") for s in _decades(across)),
        up=tuple(Tick(up(value), f"{value:g}") for value in _rounds(up)),
        families=tuple(colours.items()),
        coverage=coverage,
        measured=_in_words([objective or "the objective", "seconds", *names]),
        described=f"{len(drawn)} trials by cost and objective; on the front: {leaders}",
    )


def _row(
    trial: Trial, trials: Sequence[Trial], version: ModelVersion, *, front: bool
) -> dict[str, Any]:
    best = max((t.value for t in trials if t.value is not None), default=0.0)
    share = trial.value / best if trial.value is not None and best > 0 else 0.0
    won = is_winner(trial, version)
    return {"trial": trial, "won": won, "front": front, "share": max(0.0, min(1.0, share))}


def is_winner(trial: Trial, version: ModelVersion) -> bool:
    """Whether a trial tried what the version is made of."""
    ours = (version.family, dict(version.recipe.hyperparameters))
    return (trial.family, dict(trial.hyperparameters)) == ours


def _tip(trial: Trial, objective: str, names: Sequence[str]) -> str:
    measured: Mapping[str, float] = {
        objective or "objective": _value(trial),
        **{name: trial.measures[name] for name in names},
    }
    values = ", ".join(f"{name} {value:.4g}" for name, value in measured.items())
    return f"trial {trial.number}, {trial.family}: {values}, {trial.seconds:.2g} s"


def _in_words(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _value(trial: Trial) -> float:
    assert trial.value is not None
    return trial.value


def _seconds(trial: Trial) -> float:
    return max(trial.seconds, LEAST_S)


def _colours(trials: Sequence[Trial]) -> dict[str, str]:
    """A hue for each family, as far apart as there is room."""
    families = list(dict.fromkeys(trial.family for trial in trials))
    turn = 360 / len(families)
    return {name: f"hsl({215 + turn * place:.0f} 65% 52%)" for place, name in enumerate(families)}


def _radii(trials: Sequence[Trial], coverage: str) -> list[float]:
    """Areas grow with coverage."""
    if not coverage:
        return [PLAIN_RADIUS] * len(trials)
    values = [max(0.0, trial.measures[coverage]) for trial in trials]
    most = max(values) or 1.0
    span = MOST_RADIUS - LEAST_RADIUS
    return [round(LEAST_RADIUS + span * math.sqrt(value / most), 1) for value in values]


class _Scale:
    """From values to pixels, with a little room at both ends."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        low, high = min(values), max(values)
        room = 0.06 * (high - low) or 0.5
        self.low, self.high = low - room, high + room
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self._start + share * (self._end - self._start), 1)


def _decades(scale: _Scale) -> list[float]:
    """1, 2, 5, 10 ... seconds within a scale of their logarithms; fewer where there are many."""
    powers = range(math.floor(scale.low), math.ceil(scale.high) + 1)
    for digits in ((1, 2, 5), (1,)):
        ticks = [d * 10.0**power for power in powers for d in digits]
        ticks = [tick for tick in ticks if scale.low <= math.log10(tick) <= scale.high]
        if len(ticks) <= MOST_TICKS:
            break
    # within less than one step of each other: the two ends, with two digits
    return ticks or [float(f"{10**end:.2g}") for end in (scale.low, scale.high)]


def _rounds(scale: _Scale) -> list[float]:
    """Round values within a scale, four or so."""
    rough = (scale.high - scale.low) / 4
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * m for m in (1, 2, 5, 10) if unit * m >= rough)
    first = math.ceil(scale.low / step)
    return [round(step * n, 12) for n in range(first, math.floor(scale.high / step) + 1)]
