"""Small folds, and models whose scores were written down before."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from flyball.recommend import Fold, Interactions


class Fixed:
    """A model whose scores were written down before; one row per history, or one for all."""

    def __init__(self, scores):
        self.scores = np.asarray(scores, dtype=np.float32)

    def predict(self, histories):
        return np.broadcast_to(self.scores, (len(histories), self.scores.shape[-1])).copy()


def fold_of(train, test):
    """A fold from two dense 0/1 tables; users u0000.. and items i0000.. in that order."""
    train, test = np.array(train, dtype=np.float32), np.array(test, dtype=np.float32)
    users = np.array([f"u{n:04}" for n in range(train.shape[0])])
    items = np.array([f"i{n:04}" for n in range(train.shape[1])])
    return Fold(Interactions(users, items, csr_matrix(train)), csr_matrix(test))


def random_world(seed, n_users=40, n_items=25, levels=7):
    """A fold in which some have all their items held out, and scores with many ties.

    Returns:
        The fold, whose every user has a held-out item, and scores (n_users, n_items).
    """
    rng = np.random.default_rng(seed)
    kind = rng.choice(3, size=(n_users, n_items), p=[0.6, 0.2, 0.2])
    kind[np.arange(n_users), rng.integers(0, n_items, n_users)] = 2
    scores = rng.integers(-levels // 2, levels // 2 + 1, size=kind.shape) / 4
    return fold_of(kind == 1, kind == 2), scores.astype(np.float32)
