"""Which games a player asked to see: one Boolean a game, ready before the best are picked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flyball.games.messages import Filters

if TYPE_CHECKING:
    from flyball.games.catalogue import Catalogue, Game


class FilterIndex:
    """The facts of a catalogue, turned into masks once. Read-only afterwards.

    A game of which a fact is not known does not pass a filter on that fact.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._n_games = len(catalogue)
        self._index = {game.game_id: n for n, game in enumerate(catalogue)}
        self._genres = _masks(catalogue, lambda game: game.genres)
        self._platforms = _masks(catalogue, lambda game: game.platforms)
        prices = [np.nan if g.price_usd is None else g.price_usd for g in catalogue]
        self._prices = np.array(prices, dtype=np.float64)
        days = [-1 if g.released is None else g.released.toordinal() for g in catalogue]
        self._released = np.array(days, dtype=np.int64)

    @property
    def genres(self) -> dict[str, int]:
        """How many games there are of each genre."""
        return {genre: int(mask.sum()) for genre, mask in self._genres.items()}

    def mask(self, filters: Filters) -> NDArray[np.bool_]:
        """Shape (n_games,): whether each game passes all the filters; a new array."""
        passing = np.ones(self._n_games, dtype=np.bool_)
        if filters.genres is not None:
            passing &= self._any_of(self._genres, filters.genres)
        if filters.platforms is not None:
            passing &= self._any_of(self._platforms, filters.platforms)
        if filters.max_price is not None:
            passing &= self._prices <= filters.max_price  # NaN is never below
        if filters.released_after is not None:
            passing &= self._released > filters.released_after.toordinal()
        for game_id in filters.exclude:
            column = self._index.get(game_id)
            if column is not None:
                passing[column] = False
        return passing

    def _any_of(
        self, masks: dict[str, NDArray[np.bool_]], wanted: Iterable[str]
    ) -> NDArray[np.bool_]:
        passing = np.zeros(self._n_games, dtype=np.bool_)
        for name in wanted:
            mask = masks.get(folded(name))
            if mask is not None:
                passing |= mask
        return passing


def folded(name: str) -> str:
    """How names of genres and platforms are compared: without case and outer blanks."""
    return name.strip().casefold()


def _masks(
    catalogue: Catalogue, values: Callable[[Game], Iterable[str]]
) -> dict[str, NDArray[np.bool_]]:
    """By folded value, which games have it."""
    masks: dict[str, NDArray[np.bool_]] = {}
    for column, game in enumerate(catalogue):
        for value in values(game):
            masks.setdefault(folded(value), np.zeros(len(catalogue), dtype=np.bool_))[column] = True
    return masks
