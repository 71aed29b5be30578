"""Models whose score is a sum over the history, and what each item of it counts.

``score(h)[i] = factor_i(|h|) * scale(h) * sum over j in h of value(j) * W[j, i]``. Without a tilt
the factor is 1; an engagement multiplies the values. So each score has exact reasons: the terms of
that sum.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from flyball.errors import ArtifactCorrupt
from flyball.recommend.arrays import open_array, write_array
from flyball.recommend.engagement import Engagement
from flyball.recommend.histories import Histories, History
from flyball.recommend.protocols import Terms
from flyball.recommend.sparse_weights import SparseWeights
from flyball.recommend.tilt import Tilt
from flyball.recommend.weighing import Weighing
from flyball.recommend.weights import DenseWeights, Weights

NONE = np.empty(0, dtype=np.float32)


class Linear:
    """A fitted linear model; a family inherits it and adds ``fit``.

    Args:
        weights: dense or sparse.
        weighing: what each item of a history counts.
        tilt: whom an item is for; None: all of them for all.
        engagement: what the hours of an item say; None: nothing.
    """

    Form: ClassVar[Any]
    """The class of the weights, with ``load``."""

    def __init__(
        self,
        weights: Weights,
        weighing: Weighing | None = None,
        tilt: Tilt | None = None,
        engagement: Engagement | None = None,
    ) -> None:
        self.weights = weights
        self.tilt = tilt
        self.engagement = engagement
        self.weighing = Weighing() if weighing is None else weighing

    @property
    def n_items(self) -> int:
        """How many items it scores."""
        return self.weights.n_items

    def predict(self, histories: Histories) -> NDArray[np.float32]:
        """Scores (n, n_items) of n histories; a new array."""
        cells = self.weighing.matrix(histories)
        if self.engagement is not None and histories.hours is not None:
            values = cells.data * self.engagement.values(cells.indices, histories.hours)
            cells = csr_matrix((values, cells.indices, cells.indptr), shape=cells.shape)
        scores = self.weights.product(cells)
        if self.tilt is not None:
            scores *= self.tilt.tables(histories.lengths)
        return scores

    def score(self, history: History) -> NDArray[np.float32]:
        """Scores (n_items,) of one history; zeros if it is empty."""
        scores = self.weights.sum(history.items, self._values(history))
        if self.tilt is not None:
            scores *= self.tilt.factors(len(history))
        return scores

    def terms(self, history: History, items: NDArray[np.integer[Any]]) -> Terms:
        """The terms of the sum."""
        found = self.weights.cells(history.items, items)
        values = self._values(history)
        if values is not None:
            found *= values
        if self.tilt is not None:
            found *= self.tilt.factors(len(history), items)[:, None]
        return Terms(found)

    def _values(self, history: History) -> NDArray[np.float32] | None:
        """What each item counts; None: 1."""
        if self not in history.counts:
            values = self.weighing.vector(history)
            if self.engagement is not None and history.hours is not None:
                engaged = self.engagement.values(history.items, history.hours)
                values = engaged if values is None else values * engaged
            history.counts[self] = values
        return history.counts[self]

    def similar(self, item: int) -> NDArray[np.float32]:
        """What ``item`` alone adds to each score, before tilt and hours; 0 for the item itself."""
        scores = self.weights.sum(np.array([item]), None)
        scores[item] = 0.0
        return scores

    def plus(self, other: Linear, factor: float) -> Linear | None:
        """One model that scores as this one and ``factor`` times the other together.

        None where they weigh a history differently, are tilted or heed hours, or are of two forms.
        """
        plain = all(m.tilt is None and m.engagement is None for m in (self, other))
        if self.weighing != other.weighing or not plain:
            return None
        weights = self.weights.plus(other.weights, factor)
        return None if weights is None else type(self)(weights, self.weighing)

    def save(self, directory: Path) -> None:
        """Write the weights, ``weighing.npy``, and what there is of tilt and engagement.

        Raises:
            StorageUnavailable: the disk refused it.
        """
        self.weights.save(directory)
        self.weighing.save(directory)
        tilt = self.tilt or Tilt(NONE, NONE)
        write_array(directory, "tilt", np.stack([tilt.level, tilt.slope]))
        usual = self.engagement or Engagement(0.0, NONE, NONE)
        write_array(directory, "engagement", np.stack([usual.middle, usual.spread]))
        write_array(directory, "strength", np.array([usual.strength], dtype=np.float64))

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Open what ``save`` wrote, mapped from disk.

        Raises:
            ArtifactCorrupt: a file is missing or damaged, or they do not fit each other.
        """
        weights = cls.Form.load(directory)
        tilt = _pair(directory, "tilt", weights.n_items)
        usual = _pair(directory, "engagement", weights.n_items)
        strength = open_array(directory, "strength", ndim=1, dtype=np.float64)
        if len(strength) != 1:
            raise ArtifactCorrupt(
                f"{directory / 'strength.npy'} holds {len(strength)} numbers, expected 1; restore "
                "the artifact or train again"
            )
        return cls(
            weights,
            Weighing.load(directory),
            None if tilt is None else Tilt(tilt[0], tilt[1]),
            None if usual is None else Engagement(float(strength[0]), usual[0], usual[1]),
        )


def _pair(directory: Path, name: str, n_items: int) -> NDArray[np.float32] | None:
    """Two numbers of each item; None where there are none."""
    table = open_array(directory, name, ndim=2)
    if table.shape == (2, 0):
        return None
    if table.shape != (2, n_items):
        raise ArtifactCorrupt(
            f"{directory / name}.npy holds {table.shape}, expected (2, {n_items}); restore the "
            "artifact or train again"
        )
    return table


class DenseLinear(Linear):
    """A linear model with dense weights."""

    Form = DenseWeights


class SparseLinear(Linear):
    """A linear model with sparse weights."""

    Form = SparseWeights
