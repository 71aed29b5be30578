"""What a recommender model offers beyond ``flyball.ports.Model``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from flyball.recommend.interactions import Interactions


class Scorer(Protocol):
    """Anything that scores every item for every history; all that the metrics need."""

    def predict(self, histories: csr_matrix) -> NDArray[np.float32]:
        """Scores, shape (n, n_items), of the histories in the n rows of ``histories``.

        Items of the history are not masked. The array is new: the caller may write into it.
        """
        ...


@runtime_checkable
class Recommender(Protocol):
    """A fitted recommender. Read-only after ``fit`` or ``load``: threads may share one.

    A history is an integer array of distinct item indices in [0, n_items), in any order.
    """

    family: ClassVar[str]
    version: ClassVar[int]
    Config: ClassVar[type[Any]]

    @classmethod
    def fit(cls, data: Interactions, config: Any) -> Self:
        """Learn from ``data``.

        Raises:
            TrainingError: the data is empty or not finite, or the fit failed.
        """
        ...

    def predict(self, histories: csr_matrix) -> NDArray[np.float32]:
        """Scores (n, n_items) of n histories, unmasked; a new array."""
        ...

    def score(self, history: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Scores (n_items,) of one history, unmasked; a new array. For the hot path."""
        ...

    def contributions(self, history: NDArray[np.integer[Any]], item: int) -> NDArray[np.float32]:
        """Shape (len(history),): what each item of the history adds to ``score(history)[item]``."""
        ...

    def similar(self, item: int) -> NDArray[np.float32]:
        """Shape (n_items,): how strongly ``item`` speaks for each other item."""
        ...

    def save(self, directory: Path) -> None:
        """Write the model as ``.npy`` files into ``directory`` (made if absent)."""
        ...

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Open what ``save`` wrote, mapped from disk and read-only.

        Raises:
            ArtifactCorrupt: a file is missing, damaged or of another shape or type.
        """
        ...
