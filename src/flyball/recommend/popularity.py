"""Popularity: the same list for everyone. The bar that a personal model must clear."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from flyball.recommend.arrays import open_array, write_array

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from flyball.ports import Suggest
    from flyball.recommend.interactions import Interactions


class PopularityConfig(BaseModel):
    """Popularity has nothing to tune."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def suggest(cls, trial: Suggest) -> Self:  # noqa: ARG003 - the signature of every Config
        """The one configuration there is."""
        return cls()


class Popularity:
    """Scores an item by the share of training users who have it, in [0, 1].

    Args:
        shares: float32, shape (n_items,).
    """

    family: ClassVar[str] = "popularity"
    version: ClassVar[int] = 1
    Config: ClassVar[type[PopularityConfig]] = PopularityConfig

    def __init__(self, shares: NDArray[np.float32]) -> None:
        self._shares = shares

    @property
    def n_items(self) -> int:
        """How many items it scores."""
        return len(self._shares)

    @classmethod
    def fit(cls, data: Interactions, config: PopularityConfig) -> Self:  # noqa: ARG003
        """Count the users of each item.

        Raises:
            TrainingError: the data is empty or not finite.
        """
        data.require_trainable()
        n_users, n_items = data.matrix.shape
        counts = np.bincount(data.matrix.indices, minlength=n_items)
        return cls((counts / n_users).astype(np.float32))

    def predict(self, histories: csr_matrix) -> NDArray[np.float32]:
        """Scores (n, n_items), each row the same; a new array."""
        return np.repeat(self._shares[None, :], histories.shape[0], axis=0)

    def score(self, history: NDArray[np.integer[Any]]) -> NDArray[np.float32]:  # noqa: ARG002
        """Scores (n_items,), whatever the history; a new array."""
        return self._shares.copy()

    def contributions(
        self,
        history: NDArray[np.integer[Any]],
        item: int,  # noqa: ARG002
    ) -> NDArray[np.float32]:
        """Zeros (len(history),): no item of the history moves a score."""
        return np.zeros(len(history), dtype=np.float32)

    def similar(self, item: int) -> NDArray[np.float32]:
        """Scores (n_items,) with ``item`` itself at 0: knowing no likeness, the popular first."""
        scores = self._shares.copy()
        scores[item] = 0.0
        return scores

    def save(self, directory: Path) -> None:
        """Write ``shares.npy``.

        Raises:
            StorageUnavailable: the disk refused it.
        """
        write_array(directory, "shares", self._shares)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Open what ``save`` wrote.

        Raises:
            ArtifactCorrupt: the file is missing or damaged.
        """
        return cls(open_array(directory, "shares", ndim=1))
