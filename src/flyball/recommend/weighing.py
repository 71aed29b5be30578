"""What each item of a history counts, by its age and by hours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from flyball.errors import ArtifactCorrupt
from flyball.recommend.arrays import open_array, write_array
from flyball.recommend.histories import Histories, History


@dataclass(frozen=True, slots=True)
class Weighing:
    """What each item of a history counts.

    ``value(j) = 2 ^ -(age_j / half_life_days)``, with ``age_j`` the days from the item to the
    history's newest one, times ``(1 + log(1 + hours_j)) ^ hours_power`` (1 where these are not
    known), and ``scale = (sum of values) ^ -length_power``.

    Attributes:
        half_life_days: above 0; None: old items count as much as new ones.
        hours_power: 0: hours do not count.
        length_power: 0: scores grow with the history; 1: they are a weighted mean.
    """

    half_life_days: float | None = None
    hours_power: float = 0.0
    length_power: float = 0.0

    @property
    def plain(self) -> bool:
        """Every item counts 1."""
        return self.half_life_days is None and not self.hours_power and not self.length_power

    def matrix(self, histories: Histories) -> csr_matrix:
        """The histories, each cell times its value and its row's scale."""
        if self.plain:
            return histories.matrix
        source = histories.matrix
        rows = np.repeat(np.arange(len(histories)), np.diff(source.indptr))
        newest = None
        if self.half_life_days is not None and histories.days is not None:
            newest = np.full(len(histories), -np.inf, dtype=np.float32)
            np.maximum.at(newest, rows, histories.days)
            newest = newest[rows]
        values = self._values(histories.hours, histories.days, newest, source.nnz)
        if self.length_power:
            sums = np.bincount(rows, weights=values, minlength=len(histories))
            values = values * (np.maximum(sums, 1e-12) ** -self.length_power)[rows]
        parts = (values.astype(np.float32), source.indices, source.indptr)
        return csr_matrix(parts, shape=source.shape)

    def vector(self, history: History) -> NDArray[np.float32] | None:
        """Shape (len(history),), the same of one; None: every item counts 1."""
        if self.plain or not len(history):
            return None
        newest = None if history.days is None else np.float32(history.days.max())
        values = self._values(history.hours, history.days, newest, len(history))
        if self.length_power:
            values = values * max(float(values.sum()), 1e-12) ** -self.length_power
        return values.astype(np.float32)

    def _values(
        self,
        hours: NDArray[np.float32] | None,
        days: NDArray[np.float32] | None,
        newest: Any,
        n: int,
    ) -> NDArray[np.float64]:
        values = np.ones(n)
        if self.half_life_days is not None and days is not None:
            values *= np.exp2((days - newest) / self.half_life_days)
        if self.hours_power and hours is not None:
            known = np.isfinite(hours) & (hours >= 0)
            values *= (1.0 + np.log1p(np.where(known, hours, 0.0))) ** self.hours_power
        return values

    def save(self, directory: Path) -> None:
        """Write ``weighing.npy``."""
        half_life = np.nan if self.half_life_days is None else self.half_life_days
        numbers = [half_life, self.hours_power, self.length_power]
        write_array(directory, "weighing", np.array(numbers, dtype=np.float64))

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Open what ``save`` wrote.

        Raises:
            ArtifactCorrupt: the file is missing or damaged.
        """
        numbers = open_array(directory, "weighing", ndim=1, dtype=np.float64).tolist()
        if len(numbers) != 3:
            raise ArtifactCorrupt(
                f"{directory / 'weighing.npy'} holds {len(numbers)} numbers, expected 3; restore "
                "the artifact or train again"
            )
        return cls(None if np.isnan(numbers[0]) else numbers[0], numbers[1], numbers[2])
