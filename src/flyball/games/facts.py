"""What is known of all games, by column: numbers, and which games have which name of a kind."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from flyball.domain.text import folded
from flyball.errors import ArtifactCorrupt
from flyball.games.texts import SortedTexts, Texts
from flyball.recommend.arrays import open_array, write_array

if TYPE_CHECKING:
    from flyball.games.catalogue import Game

Kind = Literal["genre", "platform", "tag", "developer", "publisher"]

REMEMBERED = 64
"""Masks that were asked for lately and are kept."""

_NAMES: dict[Kind, Callable[[Game], Iterable[str]]] = {
    "genre": lambda game: game.genres,
    "platform": lambda game: game.platforms,
    "tag": lambda game: game.tags,
    "developer": lambda game: (game.developer,) if game.developer else (),
    "publisher": lambda game: (game.publisher,) if game.publisher else (),
}
_NUMBERS = ("prices", "ages", "released")


class _Postings(NamedTuple):
    """The games of each name, as ``Facts`` has them."""

    names: Texts
    bounds: NDArray[np.int64]
    columns: NDArray[np.int32]

    def of(self, kind: Kind, name: str) -> NDArray[np.int32]:
        key = _key(kind, name)
        place = bisect_left(self.names, key)
        if place == len(self.names) or self.names[place] != key:
            return self.columns[:0]
        return self.columns[self.bounds[place] : self.bounds[place + 1]]


class Facts:
    """Immutable: any number of threads may ask at a time.

    Args:
        prices, ages, released: float64, shape (n_games,): US dollars, years, days since year 1;
            NaN where not known.
        names: ``"<kind> <name>"``, sorted, the name without case and accents.
        bounds: int64, shape (n_names + 1,): the games of name c are
            ``columns[bounds[c] : bounds[c + 1]]``.
        columns: int32, rising within a name.

    Attributes:
        having: the mask, shape (n_games,), of the games that have one name of a kind, in any case;
            not to be written to.
    """

    def __init__(
        self,
        prices: NDArray[np.float64],
        ages: NDArray[np.float64],
        released: NDArray[np.float64],
        *,
        names: Texts,
        bounds: NDArray[np.int64],
        columns: NDArray[np.int32],
    ) -> None:
        self.prices, self.ages, self.released = prices, ages, released
        self._names, self._bounds, self._columns = names, bounds, columns
        self._postings = _Postings(names, bounds, columns)
        self.having = lru_cache(maxsize=REMEMBERED)(partial(_mask, self._postings, len(prices)))

    @classmethod
    def of(cls, games: Sequence[Game]) -> Self:
        """Gather them."""
        found = sorted(
            {
                (_key(kind, name), column)
                for column, game in enumerate(games)
                for kind, names_of in _NAMES.items()
                for name in names_of(game)
            }
        )
        counts = Counter(name for name, _ in found)
        nan = float("nan")
        return cls(
            np.array([nan if g.price_usd is None else g.price_usd for g in games], np.float64),
            np.array([nan if g.age_rating is None else g.age_rating for g in games], np.float64),
            np.array([nan if g.released is None else g.released.toordinal() for g in games], float),
            names=Texts.of(counts),
            bounds=np.cumsum([0, *counts.values()], dtype=np.int64),
            columns=np.array([column for _, column in found], dtype=np.int32),
        )

    def counts(self, kind: Kind) -> dict[str, int]:
        """How many games have each name of a kind."""
        names = SortedTexts(self._names, np.arange(len(self._names), dtype=np.int32))
        sizes = np.diff(self._bounds)
        places = names.begun(f"{kind} ").tolist()
        return {self._names[n].partition(" ")[2]: int(sizes[n]) for n in places}

    def columns(self, kind: Kind, name: str) -> NDArray[np.int32]:
        """The games that have one name of a kind, in any case; rising."""
        return self._postings.of(kind, name)

    def save(self, directory: Path) -> None:
        """Write them into files called ``facts_*``.

        Raises:
            StorageUnavailable: the disk refused it.
        """
        numbers = np.stack([self.prices, self.ages, self.released])
        write_array(directory, "facts_numbers", numbers)
        self._names.save(directory, "facts_names.txt")
        write_array(directory, "facts_bounds", self._bounds)
        write_array(directory, "facts_columns", self._columns)

    @classmethod
    def load(cls, directory: Path, n_games: int) -> Self:
        """Open what ``save`` wrote, mapped from disk.

        Raises:
            ArtifactCorrupt: a file is missing or damaged, or they do not fit each other.
        """
        numbers = open_array(directory, "facts_numbers", ndim=2, dtype=np.float64)
        names = Texts.load(directory, "facts_names.txt")
        bounds = open_array(directory, "facts_bounds", ndim=1, dtype=np.int64)
        columns = open_array(directory, "facts_columns", ndim=1, dtype=np.int32)
        if (
            numbers.shape != (len(_NUMBERS), n_games)
            or len(bounds) != len(names) + 1
            or bounds[0] != 0
            or bounds[-1] != len(columns)
            or (np.diff(bounds) < 0).any()
            or (len(columns) and not 0 <= columns.min() <= columns.max() < n_games)
        ):
            raise ArtifactCorrupt(
                f"the facts of the games in {directory} cannot be used: their files do not fit "
                "each other; restore the artifact or train again"
            )
        return cls(*numbers, names=names, bounds=bounds, columns=columns)


def _key(kind: Kind, name: str) -> str:
    return f"{kind} {folded(name)}".replace("\n", " ")


def _mask(postings: _Postings, n_games: int, kind: Kind, name: str) -> NDArray[np.bool_]:
    mask = np.zeros(n_games, dtype=np.bool_)
    mask[postings.of(kind, name)] = True
    mask.flags.writeable = False
    return mask
