"""What a model, fresh or packaged, is worth on a fold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from flyball.ports import Evaluation
from flyball.recommend import coverage, hit_rate, ndcg, rank, recall
from flyball.recommend.split import Fold

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from flyball.games.artifact import Artifact
    from flyball.recommend.protocols import Scorer

DEPTH = 20
"""Places ranked; the deepest metric needs no more."""


def evaluate(model: Scorer, fold: Fold) -> Evaluation:
    """Rank the whole catalogue for every player with held-out games.

    Returns:
        ``ndcg@10``, ``recall@20`` and ``hit@10`` by player in the order of ``fold.test_users``,
        with their means, and ``coverage@10`` of the catalogue.

    Raises:
        ValidationError: the model's scores cannot be ranked.
    """
    ranking = rank(model, fold, depth=DEPTH)
    units = {
        "ndcg@10": ndcg(ranking, 10),
        "recall@20": recall(ranking, 20),
        "hit@10": hit_rate(ranking, 10),
    }
    means = {name: float(values.mean()) for name, values in units.items()}
    return Evaluation(metrics={**means, "coverage@10": coverage(ranking, 10)}, units=units)


class Translated:
    """A packaged model that scores the games of another catalogue.

    Games it does not know are left out of histories and score below every game it knows. Players
    of whom it knows no game get its popular ones, as when it serves.

    Args:
        artifact: the packaged model with its own games.
        items: shape (n_items,), the game ids to score.
    """

    def __init__(self, artifact: Artifact, items: NDArray[np.str_]) -> None:
        index = artifact.index
        ours = [index.get(item, -1) for item in items.tolist()]
        self._artifact = artifact
        self._ours = np.array(ours, dtype=np.int64)
        self._known = np.flatnonzero(self._ours >= 0)

    def predict(self, histories: csr_matrix) -> NDArray[np.float32]:
        """Scores, shape (n, n_items), finite; a new array."""
        columns = self._ours[self._known]
        own = self._own_histories(histories)
        scores = np.full(histories.shape, -1.0, dtype=np.float32)
        if len(columns) == 0:
            return scores
        known: NDArray[Any] = self._artifact.model.predict(own)[:, columns]
        known[np.diff(own.indptr) == 0] = self._artifact.shares[columns]
        below = np.nextafter(known.min(axis=1), np.float32(-np.inf))
        scores[:] = below[:, None]
        scores[:, self._known] = known
        return scores

    def _own_histories(self, histories: csr_matrix) -> csr_matrix:
        from scipy.sparse import csr_matrix as matrix_of

        columns = self._ours[histories.indices]
        rows = np.repeat(np.arange(histories.shape[0]), np.diff(histories.indptr))
        kept = columns >= 0
        ones = np.ones(int(kept.sum()), dtype=np.float32)
        shape = (histories.shape[0], len(self._artifact.items))
        return matrix_of((ones, (rows[kept], columns[kept])), shape=shape)
