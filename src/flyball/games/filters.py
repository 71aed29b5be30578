"""Which games a player asked to see: one Boolean a game, ready before the best are picked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flyball.games.catalogue import folded
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
        self._tags = _masks(catalogue, lambda game: game.tags)
        prices = [np.nan if g.price_usd is None else g.price_usd for g in catalogue]
        self._prices = np.array(prices, dtype=np.float64)
        ages = [np.nan if g.age_rating is None else g.age_rating for g in catalogue]
        self._ages = np.array(ages, dtype=np.float64)
        days = [np.nan if g.released is None else g.released.toordinal() for g in catalogue]
        self._released = np.array(days, dtype=np.float64)

    @property
    def genres(self) -> dict[str, int]:
        """How many games there are of each genre."""
        return {genre: int(mask.sum()) for genre, mask in self._genres.items()}

    def passing(self, filters: Filters) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """The name of each filter that is set, and which games pass it, shape (n_games,).

        The masks are not to be written to. Comparing with NaN (not known) never holds.
        """
        for name, masks, wanted in (
            ("genres", self._genres, filters.genres),
            ("platforms", self._platforms, filters.platforms),
            ("tags", self._tags, filters.tags),
        ):
            if wanted is not None:
                yield name, self._any_of(masks, wanted)
        for name, masks, unwanted in (
            ("exclude_genres", self._genres, filters.exclude_genres),
            ("exclude_tags", self._tags, filters.exclude_tags),
        ):
            if unwanted is not None:
                yield name, ~self._any_of(masks, unwanted)
        if filters.min_price is not None:
            yield "min_price", self._prices >= filters.min_price
        if filters.max_price is not None:
            yield "max_price", self._prices <= filters.max_price
        if filters.released_after is not None:
            yield "released_after", self._released > filters.released_after.toordinal()
        if filters.released_before is not None:
            yield "released_before", self._released < filters.released_before.toordinal()
        if filters.max_age_rating is not None:
            yield "max_age_rating", self._ages <= filters.max_age_rating
        if filters.exclude:
            passing = np.ones(self._n_games, dtype=np.bool_)
            passing[[self._index[g] for g in filters.exclude if g in self._index]] = False
            yield "exclude", passing

    def _any_of(
        self, masks: dict[str, NDArray[np.bool_]], wanted: Sequence[str]
    ) -> NDArray[np.bool_]:
        found = [mask for name in wanted if (mask := masks.get(folded(name))) is not None]
        if len(found) == 1:
            return found[0]
        passing = np.zeros(self._n_games, dtype=np.bool_)
        for mask in found:
            passing |= mask
        return passing


def _masks(
    catalogue: Catalogue, values: Callable[[Game], Iterable[str]]
) -> dict[str, NDArray[np.bool_]]:
    """By folded value, which games have it."""
    masks: dict[str, NDArray[np.bool_]] = {}
    for column, game in enumerate(catalogue):
        for value in values(game):
            masks.setdefault(folded(value), np.zeros(len(catalogue), dtype=np.bool_))[column] = True
    return masks
