"""What every contender does with a request: look the player up, score, take the best.

It needs numpy alone: the peers import it in environments without Flyball.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np


class Best:
    """Answers from the model that ``world.exported`` wrote: weights mapped from disk.

    Attributes:
        ids, titles: of the games, by column.

    Args:
        directory: what ``world.exported`` filled.
    """

    def __init__(self, directory: Path) -> None:
        games = json.loads((directory / "games.json").read_text())
        players = json.loads((directory / "players.json").read_text())
        self._weights = np.asarray(np.load(directory / "weights.npy", mmap_mode="r"))
        self.ids: list[str] = games["ids"]
        self.titles: list[str] = games["titles"]
        self._players = {user: np.array(columns) for user, columns in players.items()}

    def columns(self, user: str, k: int) -> tuple[list[int], list[float]]:
        """The ``k`` best games that a known player does not have, best first, and their scores.

        Raises:
            KeyError: the player is not known.
        """
        history = self._players[user]
        scores = self._weights[history].sum(axis=0)
        scores[history] = -np.inf
        best = np.argpartition(scores, -k)[-k:]
        best = best[np.argsort(-scores[best])]
        return best.tolist(), scores[best].tolist()

    def answer(self, user: str, k: int) -> list[dict[str, Any]]:
        """The same, as JSON types."""
        ids, titles = self.ids, self.titles
        return [
            {"game_id": ids[column], "title": titles[column], "score": score}
            for column, score in zip(*self.columns(user, k), strict=True)
        ]


BLOCKS = 256
"""Of which the best bound what is sorted: half the time of ``argpartition``."""


class TunedBest(Best):
    """The same, with the tricks of one who knows numpy's costs: no copy of rows, a bounded sort."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        from scipy.linalg.blas import saxpy

        self._saxpy = saxpy
        self._rows = list(self._weights)
        self._lists = {user: columns.tolist() for user, columns in self._players.items()}

    def columns(self, user: str, k: int) -> tuple[list[int], list[float]]:
        """As ``Best.columns``."""
        rows, saxpy = self._rows, self._saxpy
        scores = np.zeros(len(rows), dtype=np.float32)
        for column in self._lists[user]:
            scores = saxpy(rows[column], scores)  # in place
        scores[self._players[user]] = -np.inf
        # the k-th best of the best of each block is not above the k-th best of all
        depth = len(rows) // BLOCKS
        bests = scores[: depth * BLOCKS].reshape(depth, BLOCKS).max(axis=0)
        bests.sort()
        found = (scores >= bests[-k]).nonzero()[0]
        best = found[scores[found].argsort()[: -k - 1 : -1]]
        return best.tolist(), scores[best].tolist()
