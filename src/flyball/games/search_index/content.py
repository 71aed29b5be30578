"""The words of genres, tags and developers, and the games they lead to."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from flyball.games.catalogue import Game
from flyball.games.search_index.near_words import NearWords, numbered
from flyball.games.search_index.postings import Postings
from flyball.games.search_index.spelling import searchable

_BEGUN, _SHORTEST_BEGUN = 0.9, 3
_TYPO, _SHORTEST_TYPO = 0.8, 5

_Float: TypeAlias = NDArray[np.float32]


class ContentWords:
    """An inverted index from words of the content to columns.

    Immutable: any number of threads may ask at a time.

    Args:
        words: all there are.
        games: the columns of each word.
        count: of games.
    """

    def __init__(self, words: NearWords, games: Postings, count: int) -> None:
        self._words, self._games, self._count = words, games, count

    @classmethod
    def of(cls, games: Sequence[Game]) -> Self:
        """Gather the words."""
        kinds: list[list[tuple[str, ...]]] = [
            [game.genres for game in games],
            [game.tags for game in games],
            [(game.developer,) if game.developer else () for game in games],
        ]
        labels = list(chain.from_iterable(chain.from_iterable(kinds)))
        used, distinct = numbered(labels)
        split = [label.split() for label in searchable(distinct)]
        spelled, words = numbered(list(chain.from_iterable(split)))
        rows = np.concatenate([_owners(kind, len(games)) for kind in kinds])
        # from the labels of games to the words of labels
        counts = np.fromiter(map(len, split), np.int64, len(split))
        each = counts[used]
        first = (np.cumsum(counts) - counts)[used] - (np.cumsum(each) - each)
        spelled = spelled[np.arange(each.sum()) + np.repeat(first, each)]
        postings = Postings.of(spelled, np.repeat(rows, each), len(words))
        return cls(NearWords.of(words), postings, len(games))

    def __contains__(self, word: object) -> bool:
        """Whether some game's content has this very word."""
        return word in self._words

    def found(self, words: Sequence[str], *, certain: Sequence[bool]) -> _Float:
        """How well each game's content holds each word: 1 the word, .9 a word that begins so
        (3 letters at least), .8 a word one typo away (5 letters at least), 0 none.

        Args:
            certain: the words that are spelled as they are meant: no typos are looked for.

        Returns:
            shape (n_words, n_games).
        """
        found = np.zeros((len(words), self._count), dtype=np.float32)
        for row, word, is_certain in zip(found, words, certain, strict=True):
            numbers, similar = self._alike(word, typos=not is_certain)
            for number in numbers:
                row[self._games.of_key(number)] = similar
        return found

    def _alike(self, word: str, *, typos: bool) -> tuple[Sequence[int], float]:
        number = self._words.number(word)
        if number is not None:
            return [number], 1.0
        begun = self._words.begun(word) if len(word) >= _SHORTEST_BEGUN else range(0)
        if begun or not typos or len(word) < _SHORTEST_TYPO:
            return begun, _BEGUN
        return self._words.one_typo_away(word), _TYPO

    def save(self, directory: Path, name: str) -> None:
        """Write files called ``<name>_*``."""
        self._words.save(directory, name)
        self._games.save(directory, name)

    @classmethod
    def load(cls, directory: Path, name: str, count: int) -> Self:
        """Open what ``save`` wrote, mapped from disk.

        Raises:
            ArtifactCorrupt: a file is missing or damaged.
        """
        return cls(NearWords.load(directory, name), Postings.load(directory, name), count)


def _owners(kind: Sequence[tuple[str, ...]], games: int) -> NDArray[np.int32]:
    counts = np.fromiter(map(len, kind), np.int64, games)
    return np.repeat(np.arange(games, dtype=np.int32), counts)
