"""Whom an item is for: factors that favour some items for short histories, others for long ones.

``factor_i(n) = exp(level a_i + slope (log n - 2) b_i)``, with n the length of the history and

    a_i = z(library_i) - z(only_i) / 2          b_i = z(library_i) / 2 - z(popularity_i)

where library_i is the mean of log n over the users of item i (shrunk to that of 3 typical users),
only_i the share of them who have nothing else, popularity_i = log(1 + users of i), and z is the
distance from the mean in standard deviations, both weighted by users, within 3. So collectors'
items come up with collectors, and popular ones with beginners. Found on held-out items of the
training part of Steam's purchases and plays.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from flyball.recommend.interactions import Interactions

TYPICAL = 3.0
"""Users an item is thought to have had before any: the fewer it has, the nearer to the mean."""

MIDDLE = 2.0
"""log of the length at which popularity neither gains nor loses."""


@dataclass(frozen=True, eq=False, slots=True)
class Tilt:
    """The factors' logarithms.

    Attributes:
        level: float32, shape (n_items,).
        slope: float32, shape (n_items,): for each unit of log length above ``MIDDLE``.
    """

    level: NDArray[np.float32]
    slope: NDArray[np.float32]

    @classmethod
    def fit(cls, data: Interactions, *, level: float, slope: float) -> Self:
        """From who has what. Items that nobody has are taken for typical ones."""
        lengths = np.diff(data.matrix.indptr)
        rows = np.repeat(lengths, lengths)
        n_items, counts = len(data.items), data.counts.astype(np.float64)
        logs = np.log(np.maximum(rows, 1))
        mean = float(logs.mean()) if len(logs) else 0.0
        sums = np.bincount(data.matrix.indices, weights=logs, minlength=n_items)
        library = (sums + TYPICAL * mean) / (counts + TYPICAL)
        alone = np.bincount(data.matrix.indices, weights=rows == 1, minlength=n_items)
        only = alone / np.maximum(counts, 1.0)
        collectors, lonely = _standard(library, counts), _standard(only, counts)
        popular = _standard(np.log1p(counts), counts)
        return cls(
            (level * (collectors - lonely / 2)).astype(np.float32),
            (slope * (collectors / 2 - popular)).astype(np.float32),
        )

    def tables(self, lengths: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Shape (n, n_items), the factors for histories of these lengths."""
        over = np.log(np.maximum(lengths, 1)).astype(np.float32) - np.float32(MIDDLE)
        return np.asarray(np.exp(self.level + over[:, None] * self.slope), dtype=np.float32)

    def factors(
        self, length: int, items: NDArray[np.integer[Any]] | None = None
    ) -> NDArray[np.float32]:
        """The factors of these items for a history of one length; None: of all; a new array."""
        slope, level = self.slope, self.level
        if items is not None:
            slope, level = slope[items], level[items]
        found = slope * np.float32(log(max(length, 1)) - MIDDLE)
        found += level
        return np.asarray(np.exp(found, out=found))


def _standard(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances from the weighted mean in weighted standard deviations, within 3."""
    if not weights.any():
        return np.zeros_like(values)
    mean = float(np.average(values, weights=weights))
    deviation = float(np.sqrt(np.average((values - mean) ** 2, weights=weights)))
    if deviation < 1e-9:
        return np.zeros_like(values)
    typical = np.where(weights > 0, (values - mean) / deviation, 0.0)
    return np.asarray(np.clip(typical, -3.0, 3.0))
