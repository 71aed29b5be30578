"""EASE with dropout regularisation: a linear item-item model with a closed form.

Source: Harald Steck, "Autoencoders that don't overfit towards the Identity", NeurIPS 2020 (EDLAE),
after "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019. With X the matrix of users by
items, G = X'X, and p the dropout probability:

    Lambda = lambda I + p / (1 - p) diag(G)
    P = (G + Lambda)^-1
    B = I - P / diag(P)        (column i divided by P_ii; the diagonal of B is zero)

The scores of a user are the row x B: the sum of the rows of B of the items in the history. By
default X is binary; the configuration says what else users and items may count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.sparse import csr_matrix

from flyball.errors import TrainingError
from flyball.recommend.engagement import Engagement
from flyball.recommend.gram import item_weights
from flyball.recommend.linear import DenseLinear
from flyball.recommend.weighing import Weighing
from flyball.recommend.weights import DenseWeights

if TYPE_CHECKING:
    from flyball.ports import Suggest
    from flyball.recommend.interactions import Interactions


class EaseConfig(BaseModel):
    """The regularisers of EASE, and what each user and each item of theirs counts.

    Age is for those who know that it matters: a search leaves it as it is, for on Steam's reviews
    it was not measured to gain.

    Attributes:
        regularisation: lambda, above 0. More of it trusts rare items less.
        dropout: p, in [0, 1). More of it trusts an item's own popularity less.
        user_power: a, 0 to 1: in G a user of n items counts n^-a, so that collectors do not
            outvote all others. 0: all users count 1. Above it users of one item do not count:
            they tell nothing of pairs.
        hours_weight: confidence from hours, 0 to 2: the strength of ``engagement.Engagement`` in
            the histories asked about. 0: all items count 1.
        half_life_days: in the histories asked about an item counts half for every so many days
            that it is older than the newest. None: old ones count as much as new ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    regularisation: float = Field(default=30.0, gt=0.0, allow_inf_nan=False)
    dropout: float = Field(default=0.2, ge=0.0, lt=1.0, allow_inf_nan=False)
    user_power: float = Field(default=0.0, ge=0.0, le=1.0, allow_inf_nan=False)
    hours_weight: float = Field(default=0.0, ge=0.0, le=2.0, allow_inf_nan=False)
    half_life_days: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)

    @classmethod
    def suggest(cls, trial: Suggest) -> Self:
        """A configuration proposed by a search, e.g. lambda in [1, 2000] on a log scale."""
        return cls(**cls.proposed(trial))

    @classmethod
    def proposed(cls, trial: Suggest) -> dict[str, Any]:
        """The fields that a search chooses."""
        return {
            "regularisation": trial.suggest_float("regularisation", 1.0, 2000.0, log=True),
            "dropout": trial.suggest_float("dropout", 0.0, 0.8),
            "user_power": trial.suggest_float("user_power", 0.0, 1.0),
        }

    @property
    def weighing(self) -> Weighing:
        """What each item of a history counts."""
        return Weighing(self.half_life_days)

    def engagement(self, data: Interactions) -> Engagement | None:
        """What the hours of an item say."""
        return Engagement.fit(data, strength=self.hours_weight) if self.hours_weight else None

    def matrix(self, data: Interactions) -> csr_matrix:
        """X, shape (n_users, n_items), float32: what each interaction counts in training.

        Scaled so that the squares add up to the number of interactions: what is right for lambda
        changes little with the powers.

        Raises:
            TrainingError: the data is empty or not finite.
        """
        data.require_trainable()
        if not self.user_power:
            return data.matrix
        lengths = np.diff(data.matrix.indptr)
        counts = np.where(lengths > 1, np.maximum(lengths, 1.0) ** -self.user_power, 0.0)
        values = np.sqrt(np.repeat(counts, lengths))
        total = float(values @ values)
        values *= np.sqrt(len(values) / total) if total > 0 else 1.0
        parts = (values.astype(np.float32), data.matrix.indices, data.matrix.indptr)
        return csr_matrix(parts, shape=data.matrix.shape)


class Ease(DenseLinear):
    """A fitted EASE: one dense matrix of item-to-item weights; its diagonal is zero."""

    family: ClassVar[str] = "ease"
    version: ClassVar[int] = 2
    Config: ClassVar[type[EaseConfig]] = EaseConfig
    max_items: ClassVar[int] = 25_000
    """The most items ``fit`` takes: 25,000 need 2.5 GB in float32, 5 GB in float64."""

    @classmethod
    def fit(cls, data: Interactions, config: EaseConfig) -> Self:
        """Solve the closed form over the items that have interactions.

        Peak memory is one dense matrix of float32 (float64 where the problem is badly
        conditioned). The same data, configuration, libraries and BLAS thread count give the same
        bytes.

        Raises:
            TrainingError: the data is empty, not finite or has more than ``max_items`` items, or
                the matrix could not be inverted.
        """
        matrix = config.matrix(data)
        active = np.flatnonzero(data.counts).astype(np.int32)
        n_items = len(data.items)
        if len(active) > cls.max_items:
            raise TrainingError(
                f"{cls.family} was given {len(active)} items and takes at most {cls.max_items}; "
                "choose sparse_ease, which has no such limit"
            )
        whole = len(active) == n_items
        inner = matrix if whole else csr_matrix(matrix[:, active])
        block = item_weights(inner, ridge=config.regularisation, dropout=config.dropout)
        weights = DenseWeights(block, None if whole else active, n_items)
        return cls(weights, config.weighing, engagement=config.engagement(data))
