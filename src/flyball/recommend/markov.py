"""Markov: what users go on to after an item, within a decayed window of their next steps.

Source: first-order transitions as in Rendle, Freudenthaler and Schmidt-Thieme, "Factorizing
personalized Markov chains", WWW 2010, unfactorised, with the skips of a window as in He, Fang, Wang
and McAuley, "Vista", RecSys 2016. A user's step is all the items of one day; i follows j at the
distance of s steps and g days. With n_i the number of users of item i:

    N_ji = sum over users of decay^(s-1) 2^-(g / gap_half_life_days)    for 1 <= s <= window
    W_ji = (N_ji + backward N_ij) / (n_j^alpha n_i^beta)

and of each row only the largest weights stay. With alpha 1 and beta 0, W_ji is the expected decayed
number of times that a user of j goes on to i. The scores are the rows of the items of the history,
newer ones counting more.

Items of one day count half in both directions (s = 1, g = 0): which came first is not known, and
each order is as likely. Their whole weight is so that of one transition, and not lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.sparse import csr_matrix

from flyball.errors import TrainingError
from flyball.recommend.linear import SparseLinear
from flyball.recommend.neighbours import nearest
from flyball.recommend.sparse_weights import SparseWeights
from flyball.recommend.weighing import Weighing

if TYPE_CHECKING:
    from flyball.ports import Suggest
    from flyball.recommend.interactions import Interactions

SAME_DAY = 0.5
"""The weight of each direction between items of one day."""


class MarkovConfig(BaseModel):
    """How far a step reaches, and what it counts.

    Attributes:
        window: how many steps ahead still count, from 1.
        decay: in (0, 1]; what each further step is multiplied by.
        gap_half_life_days: after so many days a step counts half. None: days do not matter.
        backward: in [0, 1]; what a step against the order counts. 1: order does not matter.
        alpha: at least 0; more of it trusts items of few users more.
        beta: at least 0; more of it holds popular items down.
        neighbours: how many weights stay of each item of a history, from 1.
        half_life_days: an item of a history counts half that many days before its newest one.
            None: all count the same.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: int = Field(default=5, ge=1, le=1000)
    decay: float = Field(default=0.9, gt=0.0, le=1.0)
    gap_half_life_days: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    backward: float = Field(default=0.0, ge=0.0, le=1.0)
    alpha: float = Field(default=0.7, ge=0.0, allow_inf_nan=False)
    beta: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    neighbours: int = Field(default=500, ge=1)
    half_life_days: float | None = Field(default=365.0, gt=0.0, allow_inf_nan=False)

    @classmethod
    def suggest(cls, trial: Suggest) -> Self:
        """A configuration proposed by a search."""
        lives = [None, 30.0, 100.0, 365.0, 1000.0]
        return cls(
            window=trial.suggest_int("window", 1, 20, log=True),
            decay=trial.suggest_float("decay", 0.1, 1.0),
            gap_half_life_days=trial.suggest_categorical("gap_half_life_days", lives),
            backward=trial.suggest_float("backward", 0.0, 1.0),
            alpha=trial.suggest_float("alpha", 0.0, 1.5),
            beta=trial.suggest_float("beta", 0.0, 1.0),
            neighbours=trial.suggest_int("neighbours", 10, 1000, log=True),
            half_life_days=trial.suggest_categorical("half_life_days", lives),
        )


class Markov(SparseLinear):
    """A fitted Markov model: one sparse matrix of weights from an item to what follows it."""

    family: ClassVar[str] = "markov"
    version: ClassVar[int] = 1
    Config: ClassVar[type[MarkovConfig]] = MarkovConfig

    @classmethod
    def fit(cls, data: Interactions, config: MarkovConfig) -> Self:
        """Count transitions, a block of items at a time.

        Memory is ``window`` times that of the interactions (twice with ``backward``).
        Deterministic, whatever the number of threads.

        Raises:
            TrainingError: the data is empty, not finite or has no dates.
        """
        data.require_trainable()
        if data.days is None:
            raise TrainingError(
                "a Markov model learns from the order of interactions, and this data has no dates; "
                "ingest a day with every row or choose another model"
            )
        steps, users, days = _steps(data, data.days)
        counts = np.maximum(data.counts, 1).astype(np.float64)
        leave, arrive = counts**-config.alpha, counts**-config.beta

        def weight(
            sums: NDArray[np.float32], rows: NDArray[Any], columns: NDArray[Any]
        ) -> NDArray[np.float32]:
            found: NDArray[np.float32] = sums * leave[rows] * arrive[columns]
            return found

        around = _around(steps, users, days, config)
        found = nearest(steps.T.tocsr(), around, config.neighbours, weight)
        return cls(SparseWeights.of(found), Weighing(half_life_days=config.half_life_days))


def _steps(
    data: Interactions, days: NDArray[np.float32]
) -> tuple[csr_matrix, NDArray[np.int64], NDArray[np.float32]]:
    """The items (n_steps, n_items) of each user's each day, by user, then day; and these two."""
    n_users, n_items = data.matrix.shape
    rows = np.repeat(np.arange(n_users), np.diff(data.matrix.indptr))
    order = np.lexsort((data.matrix.indices, days, rows))
    rows, when = rows[order], days[order]
    first = np.ones(len(rows), dtype=np.bool_)
    first[1:] = (rows[1:] != rows[:-1]) | (when[1:] != when[:-1])
    starts = np.flatnonzero(first)
    parts = (np.ones_like(when), data.matrix.indices[order], np.append(starts, len(rows)))
    return csr_matrix(parts, shape=(len(starts), n_items)), rows[starts], when[starts]


def _around(
    steps: csr_matrix, users: NDArray[np.int64], days: NDArray[np.float32], config: MarkovConfig
) -> csr_matrix:
    """Shape (n_steps, n_items): what each item weighs, seen from each step of its user."""
    n_steps = len(users)
    seen = csr_matrix(steps * np.float32(SAME_DAY * (1.0 + config.backward)))
    for distance in range(1, min(config.window, n_steps - 1) + 1):
        earlier = np.flatnonzero(users[:-distance] == users[distance:])
        if not len(earlier):
            break
        later = earlier + distance
        weights = np.full(len(earlier), config.decay ** (distance - 1))
        if config.gap_half_life_days is not None:
            weights *= np.exp2((days[earlier] - days[later]) / config.gap_half_life_days)
        cells = (weights.astype(np.float32), (earlier, later))
        ahead = csr_matrix(cells, shape=(n_steps, n_steps))
        seen = seen + ahead @ steps
        if config.backward:
            seen = seen + config.backward * (ahead.T @ steps)
    return csr_matrix(seen, dtype=np.float32)
