"""Whether probabilities hold: what was predicted against what came true, on cells not learnt from.

The test asks whether the hits in every bin of predictions are as many as predicted, as Hosmer and
Lemeshow ("Goodness of fit tests for the multiple logistic regression model", Communications in
Statistics A9, 1980). Cells of one unit (a user) come true together, so Pearson's statistic is
divided by its design effect, learnt from how much units differ, and referred to F (the second-order
correction of Rao and Scott, "On chi-squared tests for multiway contingency tables with cell
proportions estimated from survey data", Annals of Statistics 12, 1984; F as in Thomas and Rao,
JASA 82, 1987). A Wald statistic with the same covariance (Archer, Lemeshow and Hosmer, CSDA 51,
2007) cried wolf twice as often as it should with 40 hits a bin. Spiegelhalter's z (Statistics in
Medicine 5, 1986) needs independent cells, and misses errors that cancel out between bins.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flyball.errors import InvalidRequest
from flyball.stats.probability import checked

BINS = 10
"""The most bins; each has an equal part of the predicted hits."""

LEAST_EXPECTED = 20.0
"""Predicted hits that a bin needs for the test's false-alarm rate to be right."""

FALSE_ALARMS = 0.01
"""How often probabilities that hold are said not to."""

SLIGHT, GROSS = 0.1, 0.25
"""Shares of the hits: with so many misplaced or fewer, probabilities hold for all purposes, however
sure one can be that they are not exact; with more than the other they do not hold."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Cells of like prediction.

    Attributes:
        predicted: their mean probability.
        observed: the share that came true.
        low, high: Wilson's interval of that share ("Probable inference", JASA 22, 1927), at the
            effective number of cells: cells of one unit tell less than independent ones.
        cells: how many there are.
        hits: how many came true.
    """

    predicted: float
    observed: float
    low: float
    high: float
    cells: float
    hits: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """What predicted probabilities are worth.

    Attributes:
        bins: by rising prediction.
        cells, hits, units: how many were judged.
        base_rate: the share of cells that came true.
        ece: expected calibration error: the mean of |predicted - observed| over the bins, weighted
            by cells (Naeini, Cooper and Hauskrecht, AAAI 2015). Divided by the base rate it is the
            share of hits that stand in the wrong place.
        brier: mean squared difference of prediction and outcome (Brier, 1950).
        skill: 1 - brier / that of predicting the base rate; 0 where all or no cells came true.
        p_value: how likely probabilities that hold are to look so wrong; None: too few hits or
            units to tell.
    """

    bins: tuple[Bin, ...]
    cells: float
    hits: float
    units: int
    base_rate: float
    ece: float
    brier: float
    skill: float
    p_value: float | None

    @property
    def misplaced(self) -> float:
        """The share of the hits that came where they were not predicted."""
        return self.ece / self.base_rate if self.base_rate else 0.0

    @property
    def holds(self) -> bool | None:
        """False: the probabilities are wrong, surely and grossly; None: cannot be told, or wrong
        in between.
        """
        if self.p_value is None:
            return None
        if self.p_value >= FALSE_ALARMS or self.misplaced <= SLIGHT:
            return True
        return False if self.misplaced > GROSS else None

    def to_plain(self) -> dict[str, Any]:
        """As JSON types."""
        return {**asdict(self), "bins": [asdict(each) for each in self.bins]}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """What ``to_plain`` gave."""
        return cls(**{**plain, "bins": tuple(Bin(**each) for each in plain["bins"])})


def reliability(
    predicted: ArrayLike,
    hits: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    units: ArrayLike | None = None,
    fitted_on: int | None = None,
    edges: ArrayLike | None = None,
) -> Reliability:
    """Judge probabilities by outcomes that had no part in making them.

    Args:
        predicted: shape (n,), in [0, 1].
        hits: shape (n,), whether each came true.
        weights: shape (n,), above 0: for how many cells each stands (default: 1).
        units: shape (n,), integers: cells of one unit depend on each other (default: none do).
        fitted_on: the number of units, drawn as these were, that the probabilities were learnt
            from: their own chance error is allowed for. None: they are said to be right as such.
        edges: shape (b + 1,), rising, from 0 to 1: bins of one's own.

    Raises:
        InvalidRequest: shapes differ or a value is out of its range.
    """
    chances, happened, counts = checked(predicted, hits, weights)
    if chances.min() < 0.0 or chances.max() > 1.0:
        raise InvalidRequest("a probability lies outside [0, 1]; calibrate the scores first")
    if fitted_on is not None and fitted_on < 1:
        raise InvalidRequest(f"nothing is learnt from {fitted_on} units; pass None or 1 or more")
    bounds = _equal_hits(chances, counts) if edges is None else np.asarray(edges, np.float64)
    place = bounds[1:-1].searchsorted(chances, side="right")
    used, place = np.unique(place, return_inverse=True)
    unit = _codes(units, len(chances))
    table = _by_unit(chances, happened, counts, unit=unit, place=place, n_bins=len(used))
    cells, came, expected = (part.sum(axis=0) for part in table)
    total, base = float(cells.sum()), float(came.sum() / cells.sum())
    brier = float((counts * (chances - happened) ** 2).sum() / total)
    spread = base * (1.0 - base)
    variance: Floats = np.bincount(place, counts**2 * chances * (1.0 - chances)).astype(np.float64)
    return Reliability(
        bins=_bins(*table),
        cells=total,
        hits=float(came.sum()),
        units=len(table[0]),
        base_rate=base,
        ece=float(np.abs(came - expected).sum() / total),
        brier=brier,
        skill=1.0 - brier / spread if spread > 0.0 else 0.0,
        p_value=_p_value(table[1] - table[2], expected, variance, fitted_on),
    )


def _equal_hits(chances: Floats, counts: Floats) -> Floats:
    """Edges of bins that are predicted equally many hits, enough for the test; equal predictions
    stay together. They depend on predictions only, so the choice favours no outcome.
    """
    order = np.argsort(chances, kind="stable")
    mass = np.cumsum((chances * counts)[order])
    n_bins = int(np.clip(mass[-1] // LEAST_EXPECTED, 1, BINS))
    cuts = mass.searchsorted(mass[-1] * np.arange(1, n_bins) / n_bins)
    return np.unique(np.concatenate([[0.0], chances[order][cuts], [1.0]]))


def _codes(units: ArrayLike | None, n: int) -> NDArray[np.intp]:
    if units is None:
        return np.arange(n)
    names = np.asarray(units)
    if names.shape != (n,):
        raise InvalidRequest(f"units of shape {names.shape} for {n} cells; pass one a cell")
    return np.asarray(np.unique(names, return_inverse=True)[1])


def _by_unit(
    chances: Floats,
    happened: NDArray[np.bool_],
    counts: Floats,
    *,
    unit: NDArray[np.intp],
    place: NDArray[np.intp],
    n_bins: int,
) -> tuple[Floats, Floats, Floats]:
    """Cells, hits and predicted hits of every unit in every bin: shape (n_units, n_bins) each."""
    n_units = int(unit.max()) + 1
    cell = unit * n_bins + place

    def summed(values: Floats) -> Floats:
        sums = np.bincount(cell, values, n_units * n_bins).astype(np.float64)
        return sums.reshape(n_units, n_bins)

    return summed(counts), summed(counts * happened), summed(counts * chances)


def _bins(cells: Floats, hits: Floats, expected: Floats) -> tuple[Bin, ...]:
    total, came = cells.sum(axis=0), hits.sum(axis=0)
    rates = came / total
    # Variance of a ratio of sums over units (Cochran, Sampling Techniques, 1977, section 6.4).
    variances = ((hits - rates * cells) ** 2).sum(axis=0) / total**2
    bins = []
    for place, (rate, variance) in enumerate(zip(rates.tolist(), variances.tolist(), strict=True)):
        informed = rate * (1.0 - rate) / variance if variance > 0.0 else float(total[place])
        low, high = wilson(rate, min(informed, float(total[place])))
        bins.append(
            Bin(
                predicted=float(expected[:, place].sum() / total[place]),
                observed=rate,
                low=low,
                high=high,
                cells=float(total[place]),
                hits=float(came[place]),
            )
        )
    return tuple(bins)


def wilson(share: float, trials: float, *, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson's score interval of a share seen in ``trials`` trials, at 95% by default."""
    scale = z * z / trials
    centre = (share + scale / 2) / (1 + scale)
    half = z / (1 + scale) * math.sqrt(share * (1 - share) / trials + scale / (4 * trials))
    return max(0.0, centre - half), min(1.0, centre + half)


def _p_value(
    residuals: Floats, expected: Floats, variance: Floats, fitted_on: int | None
) -> float | None:
    """Pearson's statistic of the bins over its design effect, referred to F.

    Args:
        residuals: shape (n_units, n_bins), hits less predicted hits.
        expected, variance: shape (n_bins,), predicted hits, and what the variance of a bin's
            hits is if all cells are independent.
    """
    from scipy import special

    n, g = residuals.shape
    if expected.min() < LEAST_EXPECTED * (1 - 1e-9) or n < 5 * g or not variance.min() > 0.0:
        return None
    covariance = n * np.cov(residuals, rowvar=False).reshape(g, g)
    effects = covariance / np.sqrt(np.outer(variance, variance))
    trace, squares = float(np.trace(effects)), float((effects**2).sum())
    if not trace > 0.0:
        return None
    statistic = float((residuals.sum(axis=0) ** 2 / variance).sum()) / trace
    if fitted_on is not None:
        statistic /= 1.0 + n / fitted_on
    dimensions = trace**2 / squares
    return float(special.fdtrc(dimensions, dimensions * (n - 1), statistic))
