"""The choice of a winner: the simplest family that is not significantly worse than the best.

A pure function of what the search measured. Each family stands with its best trial. Pairs of
values on the same units (users, rows) tell whether one is worse: where the 95% interval of the mean
difference (paired bootstrap) lies above 0. Two families that are equally good differ so by chance
in 2.5% of searches; each further family that is compared adds to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flyball.domain.training import Standing, Trial
from flyball.stats.bootstrap import paired_bootstrap

LEAST_UNITS = 2
"""Below this many units with a value under both, no interval can be given."""

MUCH = 0.25
"""Share of the best objective that a simpler family may be behind and still win."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A complete trial, with the values behind its objective.

    Attributes:
        trial: its ``value`` is not None.
        units: shape (n,), the objective by unit, in one order for all contenders; None where it
            is no mean over units.
    """

    trial: Trial
    units: NDArray[np.floating[Any]] | None

    @property
    def value(self) -> float:
        """The objective."""
        assert self.trial.value is not None
        return self.trial.value


@dataclass(frozen=True, slots=True)
class Choice:
    """Who won, and why.

    Attributes:
        winner: the trial.
        why: in one sentence.
        standings: each family at its best, the highest value first.
    """

    winner: Trial
    why: str
    standings: tuple[Standing, ...]


def choose(
    contenders: Sequence[Contender], families: Sequence[str], *, objective: str, seed: int
) -> Choice | None:
    """The first family, the simplest first, that is neither significantly nor much worse than the
    best of all.

    Little data shows no difference as significant: so a family that is more than ``MUCH`` behind
    does not win for being simple.

    Without values by unit the highest objective wins. Ties go to the simpler family, and within a
    family to the earlier trial. The same arguments give the same choice.

    Args:
        contenders: complete trials, in any order; of each family only the best one counts.
        families: the simplest first; a family not named comes after them.
        objective: its name, for the reason.
        seed: of the bootstrap.

    Returns:
        None where there is no contender.
    """
    order = {family: place for place, family in enumerate(families)}
    bests = leaders(contenders, families)
    if not bests:
        return None
    best = bests[0]
    standings = tuple(_standing(one, best, seed=seed) for one in bests)

    def near(one: Contender) -> bool:
        return best.value - one.value <= MUCH * abs(best.value)

    alike = [
        (one, standing)
        for one, standing in zip(bests, standings, strict=True)
        if one is best or (standing.low is not None and standing.low <= 0.0 and near(one))
    ]
    winner, standing = min(alike, key=lambda pair: _place(pair[0], order))
    if winner is best:
        why = _best_won(bests, standings, order, objective)
    else:
        why = _simpler_won(standing, standings[0])
    return Choice(winner.trial, why, standings)


def leaders(contenders: Sequence[Contender], families: Sequence[str]) -> list[Contender]:
    """The best contender of each family, the highest objective first."""
    order = {family: place for place, family in enumerate(families)}
    ranked = sorted(contenders, key=lambda c: (-c.value, _place(c, order), c.trial.number))
    first: dict[str, Contender] = {}
    for contender in ranked:
        first.setdefault(contender.trial.family, contender)
    return list(first.values())


def _place(contender: Contender, order: dict[str, int]) -> tuple[int, str]:
    family = contender.trial.family
    return order.get(family, len(order)), family


def _standing(one: Contender, best: Contender, *, seed: int) -> Standing:
    low = high = None
    behind = best.value - one.value
    if one is not best and (pairs := _pairs(best, one)) is not None:
        interval = paired_bootstrap(*pairs, seed=seed)
        behind, low, high = interval.mean, interval.low, interval.high
    return Standing(
        family=one.trial.family,
        trial=one.trial.number,
        value=one.value,
        behind=behind,
        low=low,
        high=high,
    )


def _pairs(
    a: Contender, b: Contender
) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]] | None:
    """The units with a value under both; None where they are too few to be compared."""
    if a.units is None or b.units is None or a.units.shape != b.units.shape:
        return None
    both = np.isfinite(a.units) & np.isfinite(b.units)
    if int(both.sum()) < LEAST_UNITS:
        return None
    return a.units[both], b.units[both]


# --- in words -----------------------------------------------------------------------------------


def _best_won(
    bests: Sequence[Contender],
    standings: Sequence[Standing],
    order: dict[str, int],
    objective: str,
) -> str:
    best, first = bests[0], standings[0]
    name = f"{first.family} {shown(first.value)}"
    if len(bests) == 1:
        return f"{name} is the best {objective}, and no other family came to its end"
    place = _place(best, order)
    simpler = [s for c, s in zip(bests, standings, strict=True) if _place(c, order) < place]
    if not simpler:
        after = standings[1]
        return (
            f"{name} is the best {objective}, and no family is simpler; next is {after.family} "
            f"{shown(after.value)}"
        )
    rival = simpler[0]
    if rival.low is None:
        return (
            f"{name} is the best {objective}, before {rival.family} {shown(rival.value)}; it is "
            "no mean over units, so nobody can say whether by chance"
        )
    return (
        f"{name} is better than {rival.family} {shown(rival.value)} by {shown(rival.behind, 2)} "
        f"(95% {_interval(rival)})"
    )


def _simpler_won(winner: Standing, best: Standing) -> str:
    return (
        f"{winner.family} {shown(winner.value)} is simpler than {best.family} "
        f"{shown(best.value)}, and not significantly worse (by {shown(winner.behind, 2)}, 95% "
        f"{_interval(winner)})"
    )


def _interval(standing: Standing) -> str:
    assert standing.low is not None
    assert standing.high is not None
    return f"{shown(standing.low, 2)} to {shown(standing.high, 2)}"


def shown(value: float, digits: int = 4) -> str:
    """A measurement with so many digits that mean something."""
    return f"{value:#.{digits}g}".rstrip(".")
