"""Implicit ALS: players and games as points, a score is how far they point the same way.

Source: Hu, Koren and Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM
2008. With r_ui what an interaction counts (1, or by hours), c_ui = 1 + alpha r_ui and p_ui = 1
where there is one (else c = 1, p = 0), it looks for factors x_u and y_i with least

    sum over all u, i of c_ui (p_ui - x_u'y_i)^2 + lambda (sum of |x_u|^2 + sum of |y_i|^2)

by solving for all x with y fixed, then for all y with x fixed, exactly, in turn. With
A = Y'Y + lambda I = LL' and the whitened factors B = Y L^-T, a user with the items J has

    x_u'y_i = b_i'B_J'(I + S K)^-1 c,    K = B_J B_J',  S = diag(c - 1)

(push-through identity). That is a system of the size of the history, or of the factors if those
are fewer; its condition is at most the largest c, since B'B <= I, so float32 is enough. Also only B
is needed to score. Terms as in section 5 of the paper: item j adds c_j ((I + K S)^-1 B_J b_i)_j.

Why not the ``implicit`` package (0.7.3): measured on steam-200k (all pairs, 256 factors, 5 rounds,
one thread, the same lambda and alpha), these exact half-steps took 2.2 s of processor time and
reached an NDCG@10 of .462 (standard error .006); its conjugate gradient 2.2 s and .457, its exact
solver 31 s. Both gave the same bytes twice and stayed below 180 MB. So it would add 10 MB to each
installation and gain nothing. Its ``alpha`` is this one plus 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.sparse import csr_matrix

from flyball.errors import ArtifactCorrupt, TrainingError
from flyball.recommend.arrays import open_array, write_array
from flyball.recommend.histories import History
from flyball.recommend.protocols import Terms
from flyball.recommend.weighing import Weighing

if TYPE_CHECKING:
    from flyball.ports import Suggest
    from flyball.recommend.histories import Histories
    from flyball.recommend.interactions import Interactions

BATCH_CELLS = 4_000_000
"""The most factors gathered at a time: 16 MB of float32."""


class AlsConfig(BaseModel):
    """The size of the factors, and what an interaction counts.

    Attributes:
        factors: numbers a user and an item, from 1.
        regularisation: lambda, above 0.
        alpha: how much more an interaction counts than none, at least 0.
        hours_power: r = (1 + log(1 + hours)) ^ hours_power, 1 where not known. 0: they do not
            count.
        iterations: rounds of both half-steps, from 1.
        seed: of the first factors.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    factors: int = Field(default=128, ge=1, le=2048)
    regularisation: float = Field(default=100.0, gt=0.0, allow_inf_nan=False)
    alpha: float = Field(default=30.0, ge=0.0, allow_inf_nan=False)
    hours_power: float = Field(default=0.0, ge=0.0, le=4.0)
    iterations: int = Field(default=5, ge=1, le=1000)
    seed: int = Field(default=0, ge=0)

    @classmethod
    def suggest(cls, trial: Suggest) -> Self:
        """A configuration proposed by a search; all but ``hours_power`` on a log scale."""
        return cls(
            factors=trial.suggest_int("factors", 16, 256, log=True),
            regularisation=trial.suggest_float("regularisation", 1.0, 1000.0, log=True),
            alpha=trial.suggest_float("alpha", 0.5, 300.0, log=True),
            hours_power=trial.suggest_float("hours_power", 0.0, 2.0),
        )


class Als:
    """Fitted factors of the items; a history is folded in by one linear solve.

    Args:
        factors: float32, shape (n_items, f), row-major: B of the formula.
        alpha: of the configuration.
        weighing: r of the formula.
    """

    family: ClassVar[str] = "als"
    version: ClassVar[int] = 1
    Config: ClassVar[type[AlsConfig]] = AlsConfig

    def __init__(self, factors: NDArray[np.float32], alpha: float, weighing: Weighing) -> None:
        self.factors = factors
        self.alpha = alpha
        self.weighing = weighing

    @property
    def n_items(self) -> int:
        """How many items it scores."""
        return len(self.factors)

    @classmethod
    def fit(cls, data: Interactions, config: AlsConfig) -> Self:
        """Alternate exact half-steps.

        Memory is the factors of users and items, twice. The same data, configuration and
        libraries give the same bytes.

        Raises:
            TrainingError: the data is empty or not finite, or the factors did not stay finite.
        """
        data.require_trainable()
        weighing = Weighing(hours_power=config.hours_power)
        weighed = weighing.matrix(data.histories())
        turned = weighed.T.tocsr()
        users = _first(len(data.users), config)
        with _one_thread():
            for _ in range(config.iterations):
                items = _half_step(users, turned, config)
                users = _half_step(items, weighed, config)
            factors = _whitened(items, config.regularisation)[0]
        if not np.isfinite(factors).all():
            raise TrainingError(
                f"ALS did not stay finite with {config}; raise the regularisation or lower alpha"
            )
        return cls(factors, config.alpha, weighing)

    def predict(self, histories: Histories) -> NDArray[np.float32]:
        """Scores (n, n_items) of n histories; a new array."""
        with _one_thread():
            users = _folded(self.factors, self.weighing.matrix(histories), self.alpha)
        return np.asarray(users @ self.factors.T)

    def score(self, history: History) -> NDArray[np.float32]:
        """Scores (n_items,) of one history; zeros if it is empty."""
        parts = self.factors[history.items]
        return np.asarray(self.factors @ _solved(parts, self._surplus(history)))

    def terms(self, history: History, items: NDArray[np.integer[Any]]) -> Terms:
        """What each item of the history adds, beside the others: the terms of the sum above."""
        parts, surplus = self.factors[history.items], self._surplus(history)
        targets = self.factors[items].T
        if len(parts) <= parts.shape[1]:
            system = (parts @ parts.T) * surplus
            system.flat[:: len(parts) + 1] += 1.0
            found = np.linalg.solve(system, parts @ targets)
        else:
            found = parts @ np.linalg.solve(_normal(parts, surplus), targets)
        return Terms((found.T * (1.0 + surplus)).astype(np.float32))

    def similar(self, item: int) -> NDArray[np.float32]:
        """Scores (n_items,) for someone who has ``item`` alone; 0 for the item itself."""
        scores = self.score(History(np.array([item])))
        scores[item] = 0.0
        return scores

    def save(self, directory: Path) -> None:
        """Write ``factors.npy``, ``alpha.npy`` and ``weighing.npy``.

        Raises:
            StorageUnavailable: the disk refused it.
        """
        write_array(directory, "factors", self.factors)
        write_array(directory, "alpha", np.array([self.alpha], dtype=np.float64))
        self.weighing.save(directory)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Open what ``save`` wrote, mapped from disk.

        Raises:
            ArtifactCorrupt: a file is missing or damaged, or they do not fit each other.
        """
        factors = open_array(directory, "factors", ndim=2)
        alpha = open_array(directory, "alpha", ndim=1, dtype=np.float64)
        if len(alpha) != 1 or not 0.0 <= alpha[0] < np.inf or not factors.shape[1]:
            raise ArtifactCorrupt(
                f"the model in {directory} cannot be used: it has {factors.shape[1]} factors and "
                f"alpha {alpha.tolist()}; restore the artifact or train again"
            )
        return cls(factors, float(alpha[0]), Weighing.load(directory))

    def _surplus(self, history: History) -> NDArray[np.float32]:
        """c - 1 of each item of a history."""
        values = self.weighing.vector(history)
        if values is None:
            return np.full(len(history), self.alpha, dtype=np.float32)
        return np.asarray(np.float32(self.alpha) * values)


def _one_thread() -> AbstractContextManager[object]:
    """BLAS held to one thread, in the whole process.

    On thousands of small systems a second thread was measured to cost 8 to 24 times as long, where
    the cores had other work too.
    """
    from threadpoolctl import threadpool_limits

    held: AbstractContextManager[object] = threadpool_limits(limits=1, user_api="blas")
    return held


def _first(n_users: int, config: AlsConfig) -> NDArray[np.float32]:
    """Small positive factors to begin with.

    Of the users, so that the order of the items does not matter. A spectral start (randomised SVD)
    and one with signs were measured: neither was more accurate after as many seconds.
    """
    drawn = np.random.default_rng(config.seed).random((n_users, config.factors), dtype=np.float32)
    return drawn * np.float32(0.01)


def _half_step(
    fixed: NDArray[np.float32], weighed: csr_matrix, config: AlsConfig
) -> NDArray[np.float32]:
    """The best factors of the rows of ``weighed``, those of its columns being ``fixed``."""
    whitened, back = _whitened(fixed, config.regularisation)
    return np.asarray(_folded(whitened, weighed, config.alpha) @ back.T)


def _whitened(
    factors: NDArray[np.float32], regularisation: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """``factors @ L^-T`` and ``L^-T``, with LL' = factors' factors + regularisation I."""
    gram = (factors.T @ factors).astype(np.float64)
    gram.flat[:: len(gram) + 1] += regularisation
    try:
        lower = np.linalg.cholesky(gram)
        back = np.linalg.inv(lower).T.astype(np.float32)
    except np.linalg.LinAlgError as error:
        raise TrainingError(
            f"ALS could not solve for {len(gram)} factors ({error}); raise the regularisation"
        ) from error
    return factors @ back, back


def _folded(factors: NDArray[np.float32], weighed: csr_matrix, alpha: float) -> NDArray[np.float32]:
    """Shape (n, f): the factors of each row, given the whitened ones of the columns."""
    users = np.zeros((weighed.shape[0], factors.shape[1]), dtype=np.float32)
    for rows, cells in _batches(weighed, factors.shape[1]):
        surplus = np.float32(alpha) * weighed.data[cells]
        users[rows] = _solved(factors[weighed.indices[cells]], surplus)
    return users


def _batches(
    weighed: csr_matrix, width: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows of one length, some at a time, and the places (n, length) of their cells."""
    lengths = np.diff(weighed.indptr)
    order = np.argsort(lengths, kind="stable")
    distinct, starts = np.unique(lengths[order], return_index=True)
    for length, rows in zip(distinct, np.split(order, starts[1:]), strict=True):
        step = max(1, BATCH_CELLS // max(1, int(length) * max(int(length), width)))
        for start in range(0, len(rows) if length else 0, step):
            some = rows[start : start + step]
            yield some, weighed.indptr[some][:, None].astype(np.int64) + np.arange(length)


def _solved(parts: NDArray[np.float32], surplus: NDArray[np.float32]) -> NDArray[np.float32]:
    """Users from the whitened factors of their items.

    Args:
        parts: shape (..., n, f).
        surplus: shape (..., n), c - 1.

    Returns:
        float32, shape (..., f): B_J'(I + S K)^-1 c, or the same by the f normal equations.
    """
    n, width = parts.shape[-2:]
    across, confidence = np.swapaxes(parts, -1, -2), (1.0 + surplus)[..., None]
    if n > width:
        return np.asarray(np.linalg.solve(_normal(parts, surplus), across @ confidence)[..., 0])
    system = surplus[..., None] * (parts @ across)
    places = np.arange(n)
    system[..., places, places] += 1.0
    return np.asarray((across @ np.linalg.solve(system, confidence))[..., 0])


def _normal(parts: NDArray[np.float32], surplus: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shape (..., f, f): I + B_J' S B_J."""
    system = np.swapaxes(parts, -1, -2) @ (surplus[..., None] * parts)
    places = np.arange(parts.shape[-1])
    system[..., places, places] += 1.0
    return np.asarray(system)
