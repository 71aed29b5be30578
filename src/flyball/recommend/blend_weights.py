"""How much each model of a blend counts, learnt on items that were held back from all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flyball.recommend.ranking import top_k

if TYPE_CHECKING:
    from flyball.recommend.histories import Histories
    from flyball.recommend.protocols import Recommender
    from flyball.recommend.split import Fold

USERS = 3000
"""Users asked at most, evenly spread: more add cost and little certainty."""

CANDIDATES = 150
"""Best items of each model that take part; what none of them ranks so high does not reach a top."""

K = 10
STEPS = (0.0, 0.25, 0.5, 0.7, 0.85, 1.15, 1.4, 2.0, 4.0)
"""What a weight is multiplied by, to see whether that is better."""

BEGINNINGS = (0.05, 0.2, 0.6)
"""What is tried for a weight that is zero, as a share of the largest."""

ROUNDS = 8
GAIN = 1e-4
"""A gain in mean NDCG@10 below this moves no weight."""

ENTRY = 2.0
"""A model is taken in only for a gain of so many standard errors: else noise would be."""


def spread(model: Recommender, histories: Histories) -> float:
    """The standard deviation of a model's scores over the items, the mean over some users."""
    chosen = np.unique(np.linspace(0, len(histories) - 1, num=min(200, len(histories)), dtype=int))
    scores = model.predict(histories[chosen])
    return float(max(scores.std(axis=1).mean(), 1e-9))


def learnt_factors(models: Sequence[Recommender], fold: Fold) -> list[float]:
    """What each model's scores are multiplied by, at least 0: its weight over its spread."""
    weights = learnt_weights(models, fold)
    histories = fold.histories(_asked(fold))
    return [w / spread(m, histories) for w, m in zip(weights, models, strict=True)]


def learnt_weights(models: Sequence[Recommender], fold: Fold) -> list[float]:
    """Weights (each at least 0, the largest 1) that rank the held-out items best.

    Coordinate ascent on NDCG@10, from the best model alone: each weight in turn is multiplied by
    ``STEPS``, and what gains stays; a model without weight must gain for sure to get one. No
    gradient: the measure itself is what is raised.

    Args:
        models: fitted on ``fold.train``.
    """
    if len(models) == 1:
        return [1.0]
    scores, relevant, ideal = _cells(models, fold)

    def value(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return ndcg_at_10(np.tensordot(weights.astype(np.float32), scores, axes=1), relevant, ideal)

    alone = [float(value(np.eye(len(models))[place]).mean()) for place in range(len(models))]
    weights = np.eye(len(models))[int(np.argmax(alone))]
    best = value(weights)
    for _ in range(ROUNDS):
        before = best.mean()
        for place in np.argsort(alone)[::-1]:
            entering = not weights[place]
            for tried in _moves(weights, int(place)):
                found = value(tried)
                if _gains(found - best, entering=entering and not weights[place]):
                    best, weights = found, tried
        if best.mean() <= before:
            break
    return [float(weight) for weight in weights / weights.max()]


def _gains(difference: NDArray[np.float64], *, entering: bool) -> bool:
    gain = float(difference.mean())
    error = float(difference.std()) / np.sqrt(len(difference))
    return gain > max(GAIN, ENTRY * error if entering else 0.0)


def _moves(weights: NDArray[np.float64], place: int) -> list[NDArray[np.float64]]:
    """Weights with one of them changed; never all zero."""
    moves = []
    factors = STEPS if weights[place] else BEGINNINGS
    for factor in factors:
        tried = weights.copy()
        tried[place] = factor * (weights[place] or weights.max())
        if tried.any():
            moves.append(tried)
    return moves


def _asked(fold: Fold) -> NDArray[np.int64]:
    users = fold.test_users
    places = np.unique(np.linspace(0, len(users) - 1, num=min(USERS, len(users)), dtype=int))
    return np.asarray(users[places], dtype=np.int64)


def _cells(
    models: Sequence[Recommender], fold: Fold
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64]]:
    """Scores (m, n, c) of each model over its spread, which cells are relevant, and ideal DCG.

    The c candidates of a user are the best of each model and the held-out items; padded with -inf.
    """
    users = _asked(fold)
    histories = fold.histories(users)
    masked = np.repeat(np.arange(len(users)), histories.lengths), histories.matrix.indices
    whole = []
    for model in models:
        scores = model.predict(histories) / np.float32(spread(model, histories))
        scores[masked] = -np.inf
        whole.append(scores)
    held = fold.test[users].toarray() > 0
    chosen = held.copy()
    for scores in whole:
        np.put_along_axis(chosen, np.maximum(top_k(scores, CANDIDATES), 0), True, axis=1)
    chosen[masked] = False
    width = int(chosen.sum(axis=1).max(initial=1))
    columns = np.argsort(~chosen, axis=1, kind="stable")[:, :width]
    real = np.take_along_axis(chosen, columns, axis=1)
    parts = [np.where(real, np.take_along_axis(s, columns, axis=1), np.nan) for s in whole]
    discounts = np.cumsum(1.0 / np.log2(np.arange(2, K + 2)))
    ideal = discounts[np.minimum(held.sum(axis=1), K) - 1]
    relevant = np.take_along_axis(held, columns, axis=1) & real
    return np.stack(parts).astype(np.float32), relevant, ideal


def ndcg_at_10(
    scores: NDArray[np.float32], relevant: NDArray[np.bool_], ideal: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The NDCG@10 of each user; cells without a score come last."""
    ranked = np.where(np.isnan(scores), -np.inf, scores)
    best = top_k(ranked, K)
    hits = np.take_along_axis(relevant, np.maximum(best, 0), axis=1) & (best >= 0)
    discounts = 1.0 / np.log2(np.arange(2, best.shape[1] + 2))
    return np.asarray(hits @ discounts / ideal, dtype=np.float64)
