"""From weights and trends to scores: what training judges itself by, and what serving answers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from flyball.recommend.histories import Histories
from flyball.recommend.metrics import ndcg
from flyball.recommend.ranking import rank
from flyball.recommend.sasrec.config import SasRecConfig
from flyball.recommend.sasrec.forward import Weights, encoded
from flyball.recommend.sasrec.sequences import in_order, newest
from flyball.recommend.sasrec.trends import Trends
from flyball.recommend.split import Fold

CHUNK_CELLS = 4_000_000
"""The most numbers of one intermediate result: 16 MB."""


class Logits:
    """A scorer: how likely each item comes next, as a logit.

    Args:
        weights: by the names of ``Network``'s parameters.
        trends: of the same items.
        heads, max_len: of the configuration.
    """

    def __init__(self, weights: Weights, trends: Trends, heads: int, max_len: int) -> None:
        self.weights, self.trends = weights, trends
        self.heads, self.max_len = heads, max_len
        self._now = weights["trend"] @ trends.on(None)

    def usual(self, day: float | None) -> NDArray[np.float32]:
        """Shape (n_items,): of someone of whom nothing is known. Not to be written to."""
        return self._now if day is None else self.weights["trend"] @ self.trends.on(day)

    def personal(self, histories: Histories) -> NDArray[np.float32]:
        """Shape (n, n_items): what a history adds to that."""
        made = np.empty((len(histories), self.weights["items.weight"].shape[1]), dtype=np.float32)
        whole = newest(histories, in_order(histories), self.max_len)
        for rows in self._chunks(whole.lengths):
            width = int(whole.lengths[rows].max(initial=0))
            items = whole.items[rows, :width]
            made[rows] = encoded(self.weights, items, whole.lengths[rows], self.heads)
        return np.asarray(made @ self.weights["items.weight"].T)

    def predict(self, histories: Histories) -> NDArray[np.float32]:
        """Shape (n, n_items), a new array."""
        made = self.personal(histories)
        if histories.as_of is None:
            made += self._now
            return made
        days, rows = np.unique(histories.as_of, return_inverse=True)
        for place, day in enumerate(days):
            made[rows == place] += self.usual(float(day))
        return made

    def one(self, items: NDArray[np.int64], day: float | None) -> NDArray[np.float32]:
        """Shape (n_items,), a new array: of one history in order, of at most ``max_len`` items."""
        made = encoded(self.weights, items[None], np.array([len(items)]), self.heads)[0]
        return np.asarray(self.weights["items.weight"] @ made + self.usual(day))

    def _chunks(self, lengths: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Rows of about one length, so many at a time that memory stays small."""
        order = np.argsort(lengths, kind="stable")
        dim, start = self.weights["items.weight"].shape[1], 0
        while start < len(order):
            # The rows rise in length: the last of a chunk is the longest, its size the bound.
            cells = lengths[order[start:]] * (4 * dim + self.heads * lengths[order[start:]])
            fitting = cells * np.arange(1, len(cells) + 1) <= CHUNK_CELLS
            count = max(1, int(np.searchsorted(~fitting, True)))
            yield order[start : start + count]
            start += count


def held_back_ndcg(weights: Weights, trends: Trends, held: Fold, config: SasRecConfig) -> float:
    """Mean NDCG@10 on held-back items."""
    scorer = Logits(weights, trends, config.heads, config.max_len)
    return float(ndcg(rank(scorer, held, depth=10), 10).mean())
