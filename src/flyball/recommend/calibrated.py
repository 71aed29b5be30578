"""What a recommender's scores mean: the probability that a user takes an item, from held-out data.

Judged are all items a user does not have: most of them misses. To sort so many is a waste, so a
user's best items and all hits are taken, and of the other misses a uniform sample, each standing
for as many as it was drawn from (Horvitz and Thompson, "A generalization of sampling without
replacement from a finite universe", JASA 47, 1952). Sums over the sample are unbiased: which
misses are drawn depends on no outcome but their own, and what decides a probability that anyone
sees, the best items and the hits, is complete.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flyball.errors import ArtifactCorrupt, InvalidRequest, ValidationError
from flyball.recommend.arrays import open_array, write_array
from flyball.stats.probability import Calibration, fit_calibration

if TYPE_CHECKING:
    from flyball.recommend.protocols import Scorer
    from flyball.recommend.split import Fold
    from flyball.stats.reliability import Reliability

BEST = 100
"""Items of each user that are taken for their score."""

SAMPLED = 100
"""Further misses of each user that are taken, on average."""

MAX_USERS = 4_000
"""Users that are looked at; of more, so many are drawn."""

CHUNK_CELLS = 2**21


@dataclass(frozen=True, eq=False, slots=True)
class Cells:
    """Pairs of a user and an item that the user does not have.

    Attributes:
        users: shape (n,), rows of the fold.
        scores: float32, shape (n,).
        hits: shape (n,), whether the item was held out.
        weights: shape (n,), for how many pairs each stands; at least 1.
    """

    users: NDArray[np.int64]
    scores: NDArray[np.float32]
    hits: NDArray[np.bool_]
    weights: NDArray[np.float64]

    def of(self, chosen: NDArray[np.bool_]) -> Cells:
        """Some of them; ``chosen`` has shape (n,)."""
        return Cells(
            self.users[chosen], self.scores[chosen], self.hits[chosen], self.weights[chosen]
        )


@dataclass(frozen=True, eq=False, slots=True)
class Calibrated:
    """A map from a model's scores to probabilities, and what it is worth.

    Attributes:
        calibration: learnt from all users that were looked at.
        reliability: of a map learnt from half of them, judged on the other half; None where a
            half has no hit.
    """

    calibration: Calibration
    reliability: Reliability | None


def calibrated(model: Scorer, fold: Fold, *, seed: int, max_users: int = MAX_USERS) -> Calibrated:
    """Learn what the scores of ``model``, fitted on ``fold.train``, say of ``fold.test``.

    The probability is that of a user with held-out items to have held out this item: it grows with
    the share of items that the split holds out. The same arguments give the same map.

    Args:
        model: any model, also one that gives everyone the same scores: those for an empty history
            have a map of their own.
        seed: of the halves and of the sample.
        max_users: at least 2.

    Raises:
        InvalidRequest: no user has held-out items, or ``max_users`` is below 2.
        ValidationError: a score is not finite, or the model scores another number of items.
    """
    from flyball.stats.reliability import reliability

    if max_users < 2 or not len(fold.test_users):
        raise InvalidRequest(
            f"{len(fold.test_users)} users have held-out items and {max_users} may be looked at; "
            "calibrating takes two users at least"
        )
    rng = np.random.default_rng(seed)
    users = rng.permutation(fold.test_users)[:max_users]
    cells = unseen_cells(model, fold, np.sort(users), rng=rng)
    learning = np.isin(cells.users, users[: len(users) // 2])
    mine, theirs = cells.of(learning), cells.of(~learning)
    judged = None
    if mine.hits.any() and theirs.hits.any():
        half = fit_calibration(mine.scores, mine.hits, mine.weights)
        judged = reliability(
            half.apply(theirs.scores),
            theirs.hits,
            weights=theirs.weights,
            units=theirs.users,
            fitted_on=len(users) // 2,
        )
    return Calibrated(fit_calibration(cells.scores, cells.hits, cells.weights), judged)


def unseen_cells(
    model: Scorer,
    fold: Fold,
    users: NDArray[np.int64],
    *,
    rng: np.random.Generator,
    best: int = BEST,
    sampled: int = SAMPLED,
) -> Cells:
    """What ``users`` (rows of the fold) do not have: their best items, all hits, and a sample.

    Args:
        best: how many of each user's best items are taken.
        sampled: how many more misses of each user are taken, on average.

    Raises:
        ValidationError: a score is not finite, or the model scores another number of items.
    """
    step = max(1, CHUNK_CELLS // max(1, len(fold.train.items)))
    parts = [
        _cells(model, fold, users[start : start + step], rng=rng, best=best, sampled=sampled)
        for start in range(0, len(users), step)
    ]
    if not parts:
        nothing = np.empty(0)
        return Cells(nothing.astype(int), nothing.astype("f4"), nothing.astype(bool), nothing)
    return Cells(
        np.concatenate([part.users for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.hits for part in parts]),
        np.concatenate([part.weights for part in parts]),
    )


def _cells(
    model: Scorer,
    fold: Fold,
    users: NDArray[np.int64],
    *,
    rng: np.random.Generator,
    best: int,
    sampled: int,
) -> Cells:
    scores = _scores(model, fold, users)
    unseen = fold.train.matrix[users].toarray() == 0
    hits = (fold.test[users].toarray() > 0) & unseen
    taken = hits.copy()
    if best < scores.shape[1]:
        masked = np.where(unseen, scores, -np.inf)
        top = np.argpartition(masked, -best, axis=1)[:, -best:] if best else np.empty((0, 0), int)
        np.put_along_axis(taken, top, True, axis=1)
    else:
        taken[:] = True
    taken &= unseen
    others = unseen & ~taken
    n_others = int(np.count_nonzero(others))
    share = min(1.0, sampled * len(users) / max(1, n_others))
    drawn = others & (rng.random(scores.shape, dtype=np.float32) < np.float32(share))
    weights = np.where(drawn, 1.0 / share if share else 1.0, 1.0)
    chosen = taken | drawn
    rows = np.nonzero(chosen)[0]
    return Cells(users[rows], scores[chosen], hits[chosen], weights[chosen])


def _scores(model: Scorer, fold: Fold, users: NDArray[np.int64]) -> NDArray[np.float32]:
    scores = model.predict(fold.histories(users))
    shape = (len(users), len(fold.train.items))
    if scores.shape != shape or not np.isfinite(scores).all():
        raise ValidationError(
            f"{type(model).__name__} gave scores of shape {scores.shape} for {shape}, or some that "
            "are not finite: it cannot be calibrated; train it on this catalogue"
        )
    return scores


def write_calibration(directory: Path, name: str, calibration: Calibration) -> None:
    """Write the map as ``directory/name.npy``: a row of scores and a row of probabilities.

    Raises:
        StorageUnavailable: the disk refused it.
    """
    table = np.stack([calibration.scores, calibration.probabilities]).astype(np.float32)
    write_array(directory, name, table)


def open_calibration(directory: Path, name: str) -> Calibration:
    """Open what ``write_calibration`` wrote.

    Raises:
        ArtifactCorrupt: the file is missing or damaged, or holds no rising map.
    """
    table = open_array(directory, name, ndim=2)
    try:
        scores, probabilities = table
        return Calibration(scores, probabilities)
    except ValueError as error:  # InvalidRequest is one, too
        raise ArtifactCorrupt(
            f"{directory / name}.npy is no calibration: {error}; restore the artifact or train "
            "again"
        ) from error
