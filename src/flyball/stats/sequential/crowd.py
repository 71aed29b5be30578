"""How many different units something happens to, as time goes by.

A rollout counts each unit once, so what matters is not how often something happens but to how many
it happened by then. A few heavy users make many requests and are still few.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

_RARE = 2
"""What happened to a unit at most so often says little of how often it happens to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Units, and how often something happens to each of them.

    Attributes:
        fresh: per second, to a unit that it never happens to again (somebody unnamed).
        rates: shape (k,). Per second, to each unit of a kind; above 0.
        units: shape (k,). How many units of that kind there are.
    """

    fresh: float = 0.0
    rates: tuple[float, ...] = ()
    units: tuple[float, ...] = ()

    @property
    def per_second(self) -> float:
        """How often it happens in all."""
        return self.fresh + sum(r * u for r, u in zip(self.rates, self.units, strict=True))

    def times(self, factor: float) -> Crowd:
        """The same units, to whom it happens ``factor`` times as often (0: never)."""
        if factor <= 0.0:
            return Crowd()
        return replace(
            self, fresh=self.fresh * factor, rates=tuple(rate * factor for rate in self.rates)
        )

    def grown(self, factor: float) -> Crowd:
        """``factor`` times as many units with the same habits."""
        return replace(
            self, fresh=self.fresh * factor, units=tuple(many * factor for many in self.units)
        )

    def by(self, seconds: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Expected number of units to whom it happened at least once within so many seconds.

        To each unit it happens as a Poisson process, so that none happened by t with probability
        exp(-rate t).

        Args:
            seconds: any shape, each at least 0.

        Returns:
            The same shape; never falls as time goes by.
        """
        time = np.asarray(seconds, dtype=np.float64)
        rates, units = np.asarray(self.rates), np.asarray(self.units)
        hit = -np.expm1(-time[..., None] * rates) @ units if len(rates) else np.zeros(time.shape)
        return np.asarray(self.fresh * time + hit, dtype=np.float64)


def crowd(counts: Iterable[int], *, seconds: float, fresh: int = 0) -> Crowd:
    """What is known of a crowd from how often something happened to each unit in a stretch.

    To whom it happened once or twice, it does not happen at exactly that rate: as many more units
    are at hand to whom it happened not at all yet. Their number is Chao's lower bound,
    ``f1**2 / (2 f2)`` (A. Chao, "Nonparametric estimation of the number of classes in a
    population", Scandinavian Journal of Statistics 11, 1984; without an ``f2`` its bias-corrected
    form ``f1 (f1 - 1) / 2``), and what
    happened to those of once and twice is shared among them all.

    Args:
        counts: of each unit to whom it happened, how often; each at least 1.
        seconds: the stretch's length, above 0.
        fresh: how often it happened to units that cannot be told apart.
    """
    often = np.bincount(np.fromiter(counts, dtype=np.int64))
    once, twice = (int(often[n]) if len(often) > n else 0 for n in (1, 2))
    unseen = once * once / (2 * twice) if twice else once * (once - 1) / 2
    rates: list[float] = []
    units: list[float] = []
    if once + twice:
        rare = once + twice + unseen
        rates.append((once + 2 * twice) / rare / seconds)
        units.append(rare)
    for times in np.flatnonzero(often):
        if times > _RARE:
            rates.append(int(times) / seconds)
            units.append(float(often[times]))
    return Crowd(fresh=fresh / seconds, rates=tuple(rates), units=tuple(units))
