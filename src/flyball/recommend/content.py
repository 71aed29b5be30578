"""Content: what an item is called, its genres, tags and maker speak for items described alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.sparse import csr_matrix

from flyball.recommend.arrays import open_array, write_array
from flyball.recommend.linear import Linear
from flyball.recommend.tfidf import described, embeddings
from flyball.recommend.weighing import Weighing

if TYPE_CHECKING:
    from flyball.ports import Suggest
    from flyball.recommend.interactions import Interactions
    from flyball.recommend.weights import Weights


class ContentConfig(BaseModel):
    """How items are described, and what of a history counts.

    Attributes:
        dim: dimensions kept of the TF-IDF vectors, 1 to 1024. Few blur what is rare.
        hours_power: an item of the history counts (1 + log(1 + hours)) ^ this; 0: all the same.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dim: int = Field(default=128, ge=1, le=1024)
    hours_power: float = Field(default=0.0, ge=0.0, le=2.0, allow_inf_nan=False)

    @classmethod
    def suggest(cls, trial: Suggest) -> Self:
        """A configuration proposed by a search: 16 to 512 dimensions, on a log scale."""
        return cls(
            dim=trial.suggest_int("dim", 16, 512, log=True),
            hours_power=trial.suggest_float("hours_power", 0.0, 1.0),
        )


class FactorWeights:
    """Item-to-item weights E E', never written out.

    Args:
        vectors: E, float32, row-major, shape (n_items, d).
    """

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        self.vectors = vectors

    @property
    def n_items(self) -> int:
        return len(self.vectors)

    def product(self, histories: csr_matrix) -> NDArray[np.float32]:
        return np.asarray((histories @ self.vectors) @ self.vectors.T, dtype=np.float32)

    def sum(
        self, items: NDArray[np.integer[Any]], values: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        rows = self.vectors[items]
        centre = rows.sum(axis=0) if values is None else values @ rows
        return np.asarray(self.vectors @ centre, dtype=np.float32)

    def cells(
        self, items: NDArray[np.integer[Any]], columns: NDArray[np.integer[Any]]
    ) -> NDArray[np.float32]:
        return np.asarray(self.vectors[columns] @ self.vectors[items].T, dtype=np.float32)

    def plus(self, other: Weights, factor: float) -> None:
        """Never: the sum of two such is of another form."""

    def save(self, directory: Path) -> None:
        write_array(directory, "vectors", self.vectors)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Open what ``save`` wrote, mapped from disk.

        Raises:
            ArtifactCorrupt: the file is missing or damaged.
        """
        return cls(open_array(directory, "vectors", ndim=2))


class Content(Linear):
    """Scores an item by its mean likeness to the history.

    ``score(h)[i] = sum over j in h of v_j cos(E_j, E_i) / sum of v_j``, with E the rows of
    ``tfidf.embeddings`` and v_j what item j counts. Items without features score 0. It learns
    nothing from who has what, so that an item nobody has yet is scored like any other.
    """

    Form = FactorWeights
    family: ClassVar[str] = "content"
    version: ClassVar[int] = 1
    Config: ClassVar[type[ContentConfig]] = ContentConfig

    @classmethod
    def fit(cls, data: Interactions, config: ContentConfig) -> Self:
        """Describe the items.

        Raises:
            TrainingError: the data is empty or not finite, or no item has features.
        """
        data.require_trainable()
        weights = FactorWeights(embeddings(described(data), config.dim))
        return cls(weights, Weighing(hours_power=config.hours_power, length_power=1.0))
