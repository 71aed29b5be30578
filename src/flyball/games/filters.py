"""Which games a player asked to see: one number a game, ready before the best are picked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from flyball.games.answering import Barrier, limits
from flyball.games.messages import Filters

if TYPE_CHECKING:
    from flyball.games.catalogue import Catalogue
    from flyball.games.facts import Facts, Kind

KEPT_BYTES = 4 * 1024 * 1024
"""Of filters that were asked for lately: a shop's pages ask for the same ones again and again."""

_KINDS: dict[str, Kind] = {"genres": "genre", "platforms": "platform", "tags": "tag"}
_FACTS = tuple(name for name in Filters.__struct_fields__ if name != "exclude")


class FilterIndex:
    """The filters of one catalogue. Read-only.

    A game of which a fact is not known does not pass a filter on that fact.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._ids, self._facts = catalogue.ids, catalogue.facts
        kept = KEPT_BYTES // (np.float32().itemsize * max(1, len(catalogue.ids)))
        # of a function, not of a method: nothing refers to itself and outlives its use
        self._limits = lru_cache(maxsize=kept + 1)(partial(_limits, catalogue.facts))

    @property
    def genres(self) -> dict[str, int]:
        """How many games there are of each genre."""
        return self._facts.counts("genre")

    def barriers(self, filters: Filters) -> Iterator[Barrier]:
        """What each filter that is set stops; not to be written to."""
        for name in _FACTS:
            value = getattr(filters, name)
            if value is not None:
                wanted = tuple(value) if isinstance(value, list) else value
                yield Barrier("filtered", name, limits=self._limits(name, wanted))
        if filters.exclude:
            yield Barrier("filtered", "exclude", columns=self._ids.columns(filters.exclude))


def _limits(facts: Facts, name: str, wanted: Any) -> NDArray[np.float32]:
    return limits(_passing(facts, name, wanted))


def _passing(facts: Facts, name: str, wanted: Any) -> NDArray[np.bool_]:
    """Which games pass one filter, shape (n_games,). Comparing with NaN (not known) never holds."""
    passing: NDArray[np.bool_]
    match name:
        case "min_price":
            passing = facts.prices >= wanted
        case "max_price":
            passing = facts.prices <= wanted
        case "released_after":
            passing = facts.released > wanted.toordinal()
        case "released_before":
            passing = facts.released < wanted.toordinal()
        case "max_age_rating":
            passing = facts.ages <= wanted
        case _:
            passing = _any_of(facts, _KINDS[name.removeprefix("exclude_")], wanted)
            if name.startswith("exclude_"):
                passing = ~passing
    return passing


def _any_of(facts: Facts, kind: Kind, wanted: Iterable[str]) -> NDArray[np.bool_]:
    passing = np.zeros(len(facts.prices), dtype=np.bool_)
    for name in wanted:
        passing |= facts.having(kind, name)
    return passing
