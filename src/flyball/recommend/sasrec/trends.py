"""How popular each item was on each day, on several time scales.

With c_ih(t) the interactions of item i on days <= t, each counting 2^-(age / h), a trend is
log(c_ih(t) + smoothing). The network adds a learnt combination of them to its logits, so the
personal part need not learn what is popular when: before a first step it is popularity with
half-lives, and it can only be trained away from there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from flyball.recommend.popularity import Popularity, PopularityConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyball.recommend.interactions import Interactions

TABLE_CELLS = 32_000_000
"""The most numbers that training keeps of all days: 128 MB. Beyond, days are rounded down."""


class Trends:
    """The trends of some training data.

    Args:
        popularities: one for each half-life.
        n_users: of the training data.
        smoothing: above 0.
    """

    def __init__(self, popularities: Sequence[Popularity], n_users: int, smoothing: float) -> None:
        self._popularities = tuple(popularities)
        self._n_users = n_users
        self._smoothing = smoothing

    @classmethod
    def fit(cls, data: Interactions, half_lives: Sequence[float], smoothing: float) -> Self:
        """Count.

        Raises:
            TrainingError: the data is empty or not finite.
        """
        made = [Popularity.fit(data, PopularityConfig(half_life_days=days)) for days in half_lives]
        return cls(made, len(data.users), smoothing)

    @property
    def n_items(self) -> int:
        """Of how many items."""
        return self._popularities[0].n_items

    def on(self, day: float | None) -> NDArray[np.float32]:
        """Shape (n_trends, n_items), on a day (None: the newest of the training data); new."""
        shares = [p.shares if day is None else p.on(day) for p in self._popularities]
        counts = np.stack(shares) * np.float32(self._n_users)
        return np.asarray(np.log(counts + np.float32(self._smoothing)))

    def table(self, first: float, last: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The trends on days that cover ``first`` to ``last``.

        Returns:
            the days, shape (k,), rising, the first of them at most ``first``; and the trends,
            shape (k, n_trends, n_items).
        """
        n_cells = len(self._popularities) * self.n_items
        most = max(2, TABLE_CELLS // max(1, n_cells))
        step = max(1, int(np.ceil((last - first + 1) / most)))
        days = np.arange(np.floor(first), last + 1, step, dtype=np.float32)
        return days, np.stack([self.on(float(day)) for day in days])

    def save(self, directory: Path) -> None:
        """Write a folder for each half-life.

        Raises:
            StorageUnavailable: the disk refused it.
        """
        for place, popularity in enumerate(self._popularities):
            popularity.save(directory / f"trend-{place}")

    @classmethod
    def load(cls, directory: Path, n_trends: int, n_users: int, smoothing: float) -> Self:
        """Open what ``save`` wrote.

        Raises:
            ArtifactCorrupt: a file is missing or damaged.
        """
        found = [Popularity.load(directory / f"trend-{place}") for place in range(n_trends)]
        return cls(found, n_users, smoothing)
