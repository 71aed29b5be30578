"""How much each item of a history counts, by how long it was used beside others' use of it.

``value(j) = 1 + strength (Phi((log(1 + hours_j) - m_j) / s_j) - 1/2)``, with m_j and s_j the mean
and deviation of log(1 + hours) over the users of item j, and Phi the normal distribution: about the
share of its users who used it less. Hours themselves compare badly: ten hours are much of one game
and little of another. Where hours are not known, or none, the value is 1.

Found on held-out games of the training part of Steam's plays: a strength of 0.5 gains 0.002 in
NDCG@10, on all purchases (most of them never played) it gains nothing. Hours in training gained on
neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from flyball.recommend.interactions import Interactions

TYPICAL = 5.0
"""Users that an item is thought to have had before any, who use it as all items are used."""

LEAST = 0.1
"""The least deviation: where all users are alike, small differences say nothing."""


@dataclass(frozen=True, eq=False, slots=True)
class Engagement:
    """What is usual of each item.

    Attributes:
        strength: in [0, 2]: values lie within strength / 2 of 1.
        middle, spread: float32, shape (n_items,), of log(1 + hours); spread above 0.
    """

    strength: float
    middle: NDArray[np.float32]
    spread: NDArray[np.float32]

    @classmethod
    def fit(cls, data: Interactions, *, strength: float) -> Self | None:
        """From the hours of the data; None where none are known."""
        if data.hours is None:
            return None
        known = np.isfinite(data.hours) & (data.hours > 0)
        if not known.any():
            return None
        logs = np.log1p(data.hours[known].astype(np.float64))
        items, n_items = data.matrix.indices[known], len(data.items)
        counts = np.bincount(items, minlength=n_items) + TYPICAL
        middle = (np.bincount(items, logs, n_items) + TYPICAL * logs.mean()) / counts
        squares = np.bincount(items, (logs - middle[items]) ** 2, n_items)
        spread = np.sqrt((squares + TYPICAL * logs.var()) / counts)
        return cls(
            strength,
            middle.astype(np.float32),
            np.maximum(spread, LEAST).astype(np.float32),
        )

    def values(
        self, items: NDArray[np.integer[Any]], hours: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Shape (len(items),)."""
        from scipy.special import ndtr

        if hours is None:
            return np.ones(len(items), dtype=np.float32)
        found = np.log1p(np.fmax(hours, 0.0))
        found -= self.middle[items]
        found /= self.spread[items]
        found = (ndtr(found) - 0.5) * self.strength + 1.0
        found[~((hours > 0.0) & (hours < np.inf))] = 1.0
        return np.asarray(found, dtype=np.float32)
