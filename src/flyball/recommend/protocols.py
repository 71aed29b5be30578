"""What a recommender model offers beyond ``flyball.ports.Model``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from flyball.recommend.histories import Histories, History
    from flyball.recommend.interactions import Interactions


@dataclass(eq=False, slots=True)
class Terms:
    """What the scores of n items are made of; ``sums`` are the scores. Not changed once made.

    Attributes:
        items: shape (n, len(history)), what each item of the history adds.
        base: shape (n,), what no item of the history accounts for, such as popularity; None: there
            is no such thing.
        exact: the model is such a sum. False: the model says in its ``terms`` what these are.
    """

    items: NDArray[np.float32]
    base: NDArray[np.float32] | None = None
    exact: bool = True

    @property
    def sums(self) -> NDArray[np.float32]:
        """Shape (n,): each item's terms, added up."""
        sums: NDArray[np.float32] = self.items.sum(axis=1)
        return sums if self.base is None else sums + self.base


class Scorer(Protocol):
    """Anything that scores every item for every history; all that the metrics need."""

    def predict(self, histories: Histories) -> NDArray[np.float32]:
        """Scores, shape (n, n_items), of n histories.

        Items of the history are not masked. The array is new: the caller may write into it.
        """
        ...


@runtime_checkable
class Recommender(Protocol):
    """A fitted recommender. Read-only after ``fit`` or ``load``: threads may share one.

    Items that had no interaction in training score 0, unless the model knows more of them.
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

    @property
    def n_items(self) -> int:
        """How many items it scores."""
        ...

    def predict(self, histories: Histories) -> NDArray[np.float32]:
        """Scores (n, n_items) of n histories, unmasked, finite; a new array."""
        ...

    def score(self, history: History) -> NDArray[np.float32]:
        """Scores (n_items,) of one history, unmasked; a new array. For the hot path.

        Equal to ``predict`` of that history but for the rounding of sums.
        """
        ...

    def terms(self, history: History, items: NDArray[np.integer[Any]]) -> Terms:
        """What ``score(history)[items]`` is made of. For the hot path."""
        ...

    def similar(self, item: int) -> NDArray[np.float32]:
        """Shape (n_items,): how strongly ``item`` speaks for each other item; 0 for itself."""
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
