"""The shelf of new games: known ones, hidden as if they had just come out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from flyball.errors import TrainingError
from flyball.games.catalogue import Catalogue
from flyball.games.features import features
from flyball.games.joining import owned
from flyball.games.listing import Listing
from flyball.games.preparation import catalogue, interactions
from flyball.recommend.interactions import Interactions
from flyball.recommend.split import Fold

if TYPE_CHECKING:
    from flyball.ports import Tables

FEWEST = 20
"""New games below this are no shelf to choose from."""

WEEK = 7.0
"""Days after which a game is looked at again."""

EPOCH = 719_163
"""``date.toordinal`` of 1970-01-01."""


@dataclass(frozen=True, eq=False)
class Shelf:
    """What players have, some of it of games that are taken to be new.

    Attributes:
        whole: everything that players have, with the features of the games.
        catalogue: of exactly its games.
        released: float64, shape (n_games,), days since 1970-01-01; NaN where not known.
        columns: rising, the games taken to be new: the last to be released.
        eligible: how many games they were the newest of.
    """

    whole: Interactions
    catalogue: Catalogue
    released: NDArray[np.float64]
    columns: NDArray[np.int64]
    eligible: int

    @classmethod
    def of(cls, tables: Tables, share: float) -> Self:
        """Take the newest ``share`` of the games that have players, a release date and content.

        Few players are no reason to leave a game out: on its first day nobody knows how many it
        will find.

        Raises:
            TrainingError: they are fewer than ``FEWEST``; says what is missing.
        """
        pairs = interactions(owned(tables, Listing.of(tables)))
        if not pairs.height:
            raise TrainingError("no row says that a player has a game; ingest purchases or plays")
        bare = Interactions.from_frame(pairs)
        games = catalogue(tables, bare.items.tolist())
        released = np.array([_day(game.released) for game in games])
        told = np.array([bool(game.genres or game.tags or game.developer) for game in games])
        usable = np.flatnonzero(told & ~np.isnan(released))
        newest = usable[np.lexsort((usable, -released[usable]))][: int(share * len(usable))]
        if len(newest) < FEWEST:
            raise TrainingError(_missing(share, len(newest), told, released))
        whole = replace(bare, features=features(games))
        return cls(whole, games, released, np.sort(newest), len(usable))

    @cached_property
    def new(self) -> NDArray[np.bool_]:
        """Shape (nnz,), of the cells of ``whole``: whether it is of a new game."""
        marks = np.zeros(len(self.whole.items), dtype=np.bool_)
        marks[self.columns] = True
        return np.asarray(marks[self.whole.matrix.indices])

    @cached_property
    def first_week(self) -> NDArray[np.bool_] | None:
        """Shape (nnz,): of a new game and before its first week was over; None without dates.

        A game's first day is that of its release or, where somebody had it before (early access)
        or it came out before all rows, the first that a row says.
        """
        days, items = self.whole.days, self.whole.matrix.indices
        if days is None:
            return None
        first = np.full(len(self.whole.items), np.inf)
        np.minimum.at(first, items, days)
        within = self.released >= days.min()
        begun = np.where(within, np.minimum(self.released, first), first)
        return np.asarray(self.new & (days < begun[items] + WEEK))

    def fold(self, revealed: NDArray[np.bool_] | None = None) -> Fold:
        """What is known on a day, and what players took of the new games after it.

        Players without a game that is not new are not judged: nothing was known of them at first.

        Args:
            revealed: shape (nnz,), what is known of the new games; None: nothing, day 0.
        """
        known = ~self.new if revealed is None else ~self.new | revealed
        train, later = self._part(known), self._part(~known)
        had = np.diff(self._part(~self.new).matrix.indptr) > 0
        judged = np.repeat(had, np.diff(later.matrix.indptr))
        return Fold(train, later.histories().kept(judged).matrix)

    def _part(self, cells: NDArray[np.bool_]) -> Interactions:
        kept = self.whole.histories().kept(cells)
        return replace(self.whole, matrix=kept.matrix, hours=kept.hours, days=kept.days)

    @property
    def share_of_interactions(self) -> float:
        """What part of all that players have is of new games, in [0, 1]."""
        return float(self.new.mean())


def _day(released: object) -> float:
    ordinal = getattr(released, "toordinal", None)
    return np.nan if ordinal is None else float(ordinal() - EPOCH)


def _missing(
    share: float, found: int, told: NDArray[np.bool_], released: NDArray[np.float64]
) -> str:
    dated = ~np.isnan(released)
    return (
        f"a launch needs at least {FEWEST} new games; a share of {share:g} gives {found}: of "
        f"{len(told)} games with players {int(dated.sum())} have a release date, {int(told.sum())} "
        f"genres, tags or a developer, and {int((dated & told).sum())} both; ingest a catalogue "
        "that lists them, or raise the share"
    )
