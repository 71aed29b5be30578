"""Which games a player asked to see: one Boolean a game, ready before the best are picked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flyball.games.messages import Filters

if TYPE_CHECKING:
    from flyball.games.catalogue import Catalogue
    from flyball.games.facts import Kind


class FilterIndex:
    """The filters of one catalogue. Read-only.

    A game of which a fact is not known does not pass a filter on that fact.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._ids, self._facts = catalogue.ids, catalogue.facts

    @property
    def genres(self) -> dict[str, int]:
        """How many games there are of each genre."""
        return self._facts.counts("genre")

    def passing(self, filters: Filters) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """The name of each filter that is set, and which games pass it, shape (n_games,).

        The masks are not to be written to. Comparing with NaN (not known) never holds.
        """
        facts = self._facts
        if filters.genres is not None:
            yield "genres", self._any_of("genre", filters.genres)
        if filters.platforms is not None:
            yield "platforms", self._any_of("platform", filters.platforms)
        if filters.tags is not None:
            yield "tags", self._any_of("tag", filters.tags)
        if filters.exclude_genres is not None:
            yield "exclude_genres", ~self._any_of("genre", filters.exclude_genres)
        if filters.exclude_tags is not None:
            yield "exclude_tags", ~self._any_of("tag", filters.exclude_tags)
        if filters.min_price is not None:
            yield "min_price", facts.prices >= filters.min_price
        if filters.max_price is not None:
            yield "max_price", facts.prices <= filters.max_price
        if filters.released_after is not None:
            yield "released_after", facts.released > filters.released_after.toordinal()
        if filters.released_before is not None:
            yield "released_before", facts.released < filters.released_before.toordinal()
        if filters.max_age_rating is not None:
            yield "max_age_rating", facts.ages <= filters.max_age_rating
        if filters.exclude:
            passing = np.ones(len(self._ids), dtype=np.bool_)
            passing[self._ids.columns(filters.exclude)] = False
            yield "exclude", passing

    def _any_of(self, kind: Kind, wanted: Sequence[str]) -> NDArray[np.bool_]:
        if len(wanted) == 1:
            return self._facts.having(kind, wanted[0])
        passing = np.zeros(len(self._ids), dtype=np.bool_)
        for name in wanted:
            passing |= self._facts.having(kind, name)
        return passing
