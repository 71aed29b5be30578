"""RP3beta: where a walk of three steps from a user ends, popular ends counting less.

Source: Paudel, Christoffel, Newell and Bernstein, "Updatable, accurate, diverse, and scalable
recommendations for interactive applications", TiiS 2017, with the exponent alpha on the transition
probabilities (P3alpha: Cooper, Lee, Radzik and Siantos, WWW 2014). With d_u the number of items of
user u and d_i the number of users of item i:

    W_ji = sum over users u of both of (1 / d_j)^alpha (1 / d_u)^alpha / d_i^beta

and of each row only the largest weights stay, the diagonal never. The scores of a user are the row
x W (the walk's first step, from the user, is the same for each item and left out).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.sparse import csr_matrix, diags

from flyball.recommend.linear import SparseLinear
from flyball.recommend.neighbours import nearest
from flyball.recommend.sparse_weights import SparseWeights

if TYPE_CHECKING:
    from flyball.ports import Suggest
    from flyball.recommend.interactions import Interactions


class Rp3BetaConfig(BaseModel):
    """How the walk goes, and how much of it is kept.

    Attributes:
        alpha: at least 0; more of it trusts users and items of few interactions more.
        beta: at least 0; more of it holds popular items down.
        neighbours: how many weights stay of each item of a history, from 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    alpha: float = Field(default=0.8, ge=0.0, allow_inf_nan=False)
    beta: float = Field(default=0.4, ge=0.0, allow_inf_nan=False)
    neighbours: int = Field(default=100, ge=1)

    @classmethod
    def suggest(cls, trial: Suggest) -> Self:
        """A configuration proposed by a search: 5 to 1000 neighbours on a log scale."""
        return cls(
            alpha=trial.suggest_float("alpha", 0.0, 2.0),
            beta=trial.suggest_float("beta", 0.0, 1.5),
            neighbours=trial.suggest_int("neighbours", 5, 1000, log=True),
        )


class Rp3Beta(SparseLinear):
    """A fitted RP3beta: one sparse matrix of item-to-item weights."""

    family: ClassVar[str] = "rp3beta"
    version: ClassVar[int] = 1
    Config: ClassVar[type[Rp3BetaConfig]] = Rp3BetaConfig

    @classmethod
    def fit(cls, data: Interactions, config: Rp3BetaConfig) -> Self:
        """Add up the walks between every two items with a user in common, in blocks of items.

        Deterministic, whatever the number of threads.

        Raises:
            TrainingError: the data is empty or not finite.
        """
        data.require_trainable()
        lengths = np.maximum(np.diff(data.matrix.indptr), 1)
        back = csr_matrix(diags((lengths**-config.alpha).astype(np.float32)) @ data.matrix)
        counts = np.maximum(data.counts, 1).astype(np.float64)
        leave, arrive = counts**-config.alpha, counts**-config.beta

        def weight(
            sums: NDArray[np.float32], rows: NDArray[Any], columns: NDArray[Any]
        ) -> NDArray[np.float32]:
            found: NDArray[np.float32] = sums * leave[rows] * arrive[columns]
            return found

        return cls(
            SparseWeights.of(nearest(data.matrix.T.tocsr(), back, config.neighbours, weight))
        )
