"""What a model, fresh or packaged, is worth on a fold."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from flyball.ports import Evaluation
from flyball.recommend.beyond import average_popularity, coverage, gini, novelty
from flyball.recommend.metrics import (
    auc,
    average_precision,
    hit_rate,
    ndcg,
    recall,
    reciprocal_rank,
)
from flyball.recommend.ranking import rank
from flyball.recommend.split import Fold

if TYPE_CHECKING:
    from flyball.games.artifact import Artifact
    from flyball.recommend.histories import Histories
    from flyball.recommend.protocols import Scorer

DEPTH = 20
"""Places ranked; the deepest metric needs no more."""


def evaluate(model: Scorer, fold: Fold) -> Evaluation:
    """Rank the whole catalogue for every player with held-out games.

    Returns:
        by player, in the order of ``fold.test_users``, and their means: ``ndcg@10``, ``recall@20``,
        ``hit@10``, ``mrr``, ``map``, ``auc``, ``novelty@10`` and ``popularity@10`` of what is
        shown. Of all together: ``coverage@10`` of the catalogue and ``gini@10`` of exposure.

    Raises:
        ValidationError: the model's scores cannot be ranked.
    """
    ranking = rank(model, fold, depth=DEPTH)
    units = {
        "ndcg@10": ndcg(ranking, 10),
        "recall@20": recall(ranking, 20),
        "hit@10": hit_rate(ranking, 10),
        "mrr": reciprocal_rank(ranking),
        "map": average_precision(ranking),
        "auc": auc(ranking),
        "novelty@10": novelty(ranking, 10),
        "popularity@10": average_popularity(ranking, 10),
    }
    means = {name: float(values.mean()) for name, values in units.items()}
    together = {"coverage@10": coverage(ranking, 10), "gini@10": gini(ranking, 10)}
    return Evaluation(metrics={**means, **together}, units=units)


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

    def predict(self, histories: Histories) -> NDArray[np.float32]:
        """Scores, shape (n, n_items), finite; a new array."""
        columns = self._ours[self._known]
        own = self._own_histories(histories)
        scores = np.full(histories.matrix.shape, -1.0, dtype=np.float32)
        if len(columns) == 0:
            return scores
        known: NDArray[Any] = self._artifact.model.predict(own)[:, columns]
        known[own.lengths == 0] = self._artifact.shares[columns]
        below = np.nextafter(known.min(axis=1), np.float32(-np.inf))
        scores[:] = below[:, None]
        scores[:, self._known] = known
        return scores

    def _own_histories(self, histories: Histories) -> Histories:
        columns = self._ours[histories.matrix.indices]
        kept = histories.kept(columns >= 0)
        matrix = kept.matrix
        parts = (matrix.data, self._ours[matrix.indices].astype(np.int32), matrix.indptr)
        shape = (len(histories), len(self._artifact.items))
        return replace(kept, matrix=csr_matrix(parts, shape=shape))
