"""Words by number, and those that differ by one typo."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from flyball.games.texts import AFTER_ALL, Texts
from flyball.recommend.arrays import open_array, write_array


def numbered(texts: Sequence[str]) -> tuple[NDArray[np.int32], list[str]]:
    """The number of each text, equal ones the same, and the texts by number; they rise."""
    distinct = sorted(set(texts))
    numbers = dict(zip(distinct, range(len(distinct)), strict=True))
    return np.fromiter(map(numbers.__getitem__, texts), np.int32, len(texts)), distinct


class NearWords:
    """Words by number, and those one typo away from another. Immutable.

    Args:
        words: rising; the number of a word is its place.
        by_length: the same words, short ones first.
        numbers: int32, shape (n,): the number of each of these.
        starts: int32, shape (longest + 3,): words of so many characters begin there.
    """

    def __init__(
        self,
        words: Texts,
        by_length: Texts,
        numbers: NDArray[np.int32],
        starts: NDArray[np.int32],
    ) -> None:
        self.words = words
        self._by_length, self._numbers, self._starts = by_length, numbers, starts

    @classmethod
    def of(cls, words: Sequence[str]) -> Self:
        """Order them by length; ``words`` rise."""
        lengths = np.fromiter(map(len, words), np.int64, len(words))
        order = np.argsort(lengths, kind="stable").astype(np.int32)
        longest = int(lengths.max(initial=0))
        starts = np.searchsorted(lengths[order], np.arange(longest + 3)).astype(np.int32)
        by_length = Texts.of(words[number] for number in order.tolist())
        return cls(Texts.of(words), by_length, order, starts)

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and self.number(word) is not None

    def __len__(self) -> int:
        return len(self.words)

    def number(self, word: str) -> int | None:
        """The number of a word; None where there is no such word."""
        place = bisect_left(self.words, word)
        return place if place < len(self.words) and self.words[place] == word else None

    def begun(self, part: str) -> range:
        """The numbers of the words that begin so."""
        first = bisect_left(self.words, part)
        return range(first, bisect_left(self.words, part + AFTER_ALL, first))

    def one_typo_away(self, word: str) -> list[int]:
        """The numbers of the words with an optimal string alignment distance of at most 1: one
        character left out, put in, replaced, or swapped with the next."""
        most = len(self._starts) - 1
        first, last = (
            int(self._starts[min(length, most)]) for length in (len(word) - 1, len(word) + 2)
        )
        near = self._by_length.together(first, last)
        if not near:
            return []
        edits = cdist([word], near, scorer=OSA.distance, score_cutoff=1, dtype=np.uint8)[0]
        found: list[int] = self._numbers[first + np.flatnonzero(edits <= 1)].tolist()
        return found

    def save(self, directory: Path, name: str) -> None:
        """Write files called ``<name>_*``."""
        self.words.save(directory, f"{name}_words.txt")
        self._by_length.save(directory, f"{name}_by_length.txt")
        write_array(directory, f"{name}_numbers", self._numbers)
        write_array(directory, f"{name}_lengths", self._starts)

    @classmethod
    def load(cls, directory: Path, name: str) -> Self:
        """Open what ``save`` wrote, mapped from disk.

        Raises:
            ArtifactCorrupt: a file is missing or damaged.
        """
        return cls(
            Texts.load(directory, f"{name}_words.txt"),
            Texts.load(directory, f"{name}_by_length.txt"),
            open_array(directory, f"{name}_numbers", ndim=1, dtype=np.int32),
            open_array(directory, f"{name}_lengths", ndim=1, dtype=np.int32),
        )
