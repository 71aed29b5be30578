"""What a model must beat on the first day of a game: chance, and what sold before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from flyball.domain.text import slug
from flyball.games.catalogue import Catalogue, Game
from flyball.recommend.histories import Histories
from flyball.recommend.metrics import discounts
from flyball.recommend.protocols import Scorer

Values = NDArray[np.float64]

LOWEST = np.finfo(np.float32).min
"""The score of what must not be shown; it is finite, so that nothing is taken for an owned game."""


class OnlyNew:
    """A scorer that puts the new games first, in their order: lists of new games alone.

    Args:
        scorer: of all games.
        columns: the new ones.
    """

    def __init__(self, scorer: Scorer, columns: NDArray[np.int64]) -> None:
        self.scorer = scorer
        self.columns = columns

    def predict(self, histories: Histories) -> NDArray[np.float32]:
        """Scores (n, n_games)."""
        found = self.scorer.predict(histories)
        scores = np.full_like(found, LOWEST)
        scores[:, self.columns] = found[:, self.columns]
        return scores


class Same:
    """Scores every player alike.

    Args:
        scores: shape (n_games,).
    """

    def __init__(self, scores: NDArray[np.float64]) -> None:
        self.scores = scores.astype(np.float32)

    def predict(self, histories: Histories) -> NDArray[np.float32]:
        """Scores (n, n_games)."""
        return np.repeat(self.scores[None, :], len(histories), axis=0)


class Drawn:
    """Scores at random; each call goes on where the last one ended.

    Args:
        seed: of the draw.
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def predict(self, histories: Histories) -> NDArray[np.float32]:
        """Scores (n, n_games)."""
        return self._rng.random((len(histories), histories.n_items), dtype=np.float32)


def by_genre(catalogue: Catalogue, shares: NDArray[np.float64]) -> Same:
    """A game is worth what the known games of each of its genres are on average, averaged.

    A game without a genre that known games have is worth what all of them are on average.

    Args:
        shares: shape (n_games,): the share of players who have each; 0 for games nobody has.
    """
    return _by_kind(catalogue, shares, lambda game: game.genres)


def by_maker(catalogue: Catalogue, shares: NDArray[np.float64]) -> Same:
    """The same of the known games of its developer and of those of its publisher."""
    return _by_kind(catalogue, shares, _makers)


def recall_by_chance(candidates: NDArray[np.int64], k: int) -> Values:
    """Recall@k of a random order, its mean: min(k, c) / c.

    Args:
        candidates: shape (n,), c: how many games each player has to choose from.
    """
    return np.asarray(np.minimum(k, candidates) / candidates)


def ndcg_by_chance(candidates: NDArray[np.int64], held_out: NDArray[np.int64], k: int) -> Values:
    """NDCG@k of a random order, its mean: each place is a hit with probability H / c.

    Args:
        candidates: as of ``recall_by_chance``.
        held_out: shape (n,), H: how many of them are the right ones; at least 1.
    """
    gains = np.cumsum(discounts(k))
    ideal = gains[np.minimum(k, held_out) - 1]
    return np.asarray(held_out / candidates * gains[np.minimum(k, candidates) - 1] / ideal)


def _by_kind(
    catalogue: Catalogue, shares: NDArray[np.float64], kinds: Callable[[Game], Iterable[str]]
) -> Same:
    known = np.flatnonzero(shares > 0)
    found: dict[str, list[float]] = defaultdict(list)
    for place in known.tolist():
        for kind in kinds(catalogue.games[place]):
            found[kind].append(float(shares[place]))
    means = {kind: float(np.mean(values)) for kind, values in found.items()}
    usual = float(shares[known].mean()) if len(known) else 0.0
    worth = [[means[kind] for kind in kinds(game) if kind in means] for game in catalogue]
    return Same(np.array([float(np.mean(each)) if each else usual for each in worth]))


def _makers(game: Game) -> tuple[str, ...]:
    """One name where a studio publishes its own games, however it is spelled."""
    return tuple(sorted({slug(name) for name in (game.developer, game.publisher) if name}))
