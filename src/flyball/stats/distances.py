"""How far two histograms are apart: drift measures, for batches and for live traffic alike.

A distance says how large a change is, not whether it is chance; ``flyball.stats.calibration``
says that. Each measure is a ``DriftMeasure``; its contract is ``flyball.testing.measures``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from flyball.errors import InvalidRequest

Floats = NDArray[np.float64]

SMOOTHING = 0.5
"""Rows added to each bin where a logarithm needs one (Jeffreys)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Rows by bin.

    Attributes:
        counts: shape (b,), each at least 0, not all 0.
        at: shape (b,), rising: what the values in each bin are, for example their mean; empty for
            categories, which have no order.

    Raises:
        InvalidRequest: the counts or places are no histogram.
    """

    counts: Sequence[float]
    at: Sequence[float] = ()

    def __post_init__(self) -> None:
        counts, at = np.asarray(self.counts, np.float64), np.asarray(self.at, np.float64)
        sound = counts.ndim == 1 and np.isfinite(counts).all() and (counts >= 0).all()
        if not sound or counts.sum() <= 0:
            raise InvalidRequest(
                "a histogram needs counts of at least 0 and one row; leave empty columns out"
            )
        if at.size and (at.shape != counts.shape or (np.diff(at) <= 0).any()):
            raise InvalidRequest(
                f"{at.size} places for {counts.size} bins; a place for each, strictly rising"
            )

    @property
    def shares(self) -> Floats:
        """Shape (b,), adding up to 1."""
        counts = np.asarray(self.counts, dtype=np.float64)
        return np.asarray(counts / counts.sum())


class DriftMeasure(Protocol):
    """A distance between two histograms on the same bins: 0 where their shares are equal."""

    @property
    def name(self) -> str:
        """Lower-case letters, digits and ``_``."""
        ...

    @property
    def unit(self) -> str:
        """Of the distance, in words."""
        ...

    @property
    def ordered(self) -> bool:
        """Whether it needs numbers (``Histogram.at``)."""
        ...

    def __call__(self, reference: Histogram, current: Histogram) -> float:
        """The distance, finite and at least 0.

        Raises:
            InvalidRequest: the bins differ, or have no order where one is needed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Distance:
    """A ``DriftMeasure`` made of a formula: (reference, current) -> distance."""

    name: str
    unit: str
    ordered: bool
    formula: Callable[[Histogram, Histogram], float]

    def __call__(self, reference: Histogram, current: Histogram) -> float:
        """See ``DriftMeasure``."""
        if len(reference.counts) != len(current.counts) or tuple(reference.at) != tuple(current.at):
            raise InvalidRequest(
                f"{self.name} needs two histograms on the same bins, not {len(reference.counts)} "
                f"and {len(current.counts)}; count both on the reference's bins"
            )
        if self.ordered and not len(reference.at):
            raise InvalidRequest(f"{self.name} needs numbers, and categories have no order")
        return max(0.0, float(self.formula(reference, current)))


def _jensen_shannon(reference: Histogram, current: Histogram) -> float:
    from scipy import special

    p, q = reference.shares, current.shares
    middle = (p + q) / 2
    divergence = special.rel_entr(p, middle).sum() + special.rel_entr(q, middle).sum()
    return float(np.sqrt(max(0.0, divergence / 2 / np.log(2))))


def _population_stability(reference: Histogram, current: Histogram) -> float:
    p, q = (
        (np.asarray(h.counts, np.float64) + SMOOTHING)
        / (np.sum(h.counts) + SMOOTHING * len(h.counts))
        for h in (reference, current)
    )
    return float(((q - p) * np.log(q / p)).sum())


def _total_variation(reference: Histogram, current: Histogram) -> float:
    return float(np.abs(reference.shares - current.shares).sum()) / 2


def _kolmogorov_smirnov(reference: Histogram, current: Histogram) -> float:
    return float(np.abs(np.cumsum(reference.shares - current.shares)).max())


def _wasserstein(reference: Histogram, current: Histogram) -> float:
    at = np.asarray(reference.at, dtype=np.float64)
    below = np.abs(np.cumsum(reference.shares - current.shares))[:-1]
    mean = float(reference.shares @ at)
    deviation = float(np.sqrt(reference.shares @ (at - mean) ** 2))
    # A constant reference has no deviation: the width of all bins stands for it.
    scale = deviation or float(at[-1] - at[0]) or 1.0
    return float(below @ np.diff(at)) / scale


JENSEN_SHANNON = Distance("jensen_shannon", "0 to 1", False, _jensen_shannon)
"""Square root of the divergence to base 2; a metric. Endres and Schindelin, IEEE Trans. Inf. Theory
49 (2003)."""

PSI = Distance("psi", "population stability index", False, _population_stability)
"""Symmetric Kullback-Leibler divergence, half a row added to each bin. Siddiqi, "Credit Risk
Scorecards" (2006): below 0.1 hardly any change, above 0.25 a large one. For two samples of one
distribution it is about (bins - 1)(1/n + 1/m): small batches need calibration, not these limits."""

TOTAL_VARIATION = Distance("total_variation", "share of rows", False, _total_variation)
"""The share of rows that would have to change to another bin."""

KOLMOGOROV_SMIRNOV = Distance("kolmogorov_smirnov", "share of rows", True, _kolmogorov_smirnov)
"""The largest difference of the two cumulative shares, at the ends of bins."""

WASSERSTEIN = Distance("wasserstein", "standard deviations", True, _wasserstein)
"""Mean distance that rows would have to move (Wasserstein-1, earth mover's), in standard deviations
of the reference."""
