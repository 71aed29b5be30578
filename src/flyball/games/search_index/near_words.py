"""Words by number, and those that differ by one typo."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import count

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist


def numbered(texts: Sequence[str]) -> tuple[NDArray[np.int32], list[str]]:
    """The number of each text, equal ones the same, and the texts by number."""
    numbers: defaultdict[str, int] = defaultdict(count().__next__)
    each = np.fromiter(map(numbers.__getitem__, texts), np.int32, len(texts))
    return each, list(numbers)


class NearWords:
    """Words by number, and those one typo away from another. Immutable.

    Args:
        words: distinct; the number of a word is its place.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self.number = dict(zip(words, range(len(words)), strict=True))
        self._of_length: defaultdict[int, list[str]] = defaultdict(list)
        for word in words:
            self._of_length[len(word)].append(word)

    def __contains__(self, word: object) -> bool:
        return word in self.number

    def __len__(self) -> int:
        return len(self.words)

    def one_typo_away(self, word: str) -> list[int]:
        """The numbers of the words with an optimal string alignment distance of at most 1: one
        character left out, put in, replaced, or swapped with the next."""
        lengths = range(len(word) - 1, len(word) + 2)
        near = [other for length in lengths for other in self._of_length.get(length, ())]
        if not near:
            return []
        edits = cdist([word], near, scorer=OSA.distance, score_cutoff=1, dtype=np.uint8)[0]
        return [self.number[near[place]] for place in np.flatnonzero(edits <= 1).tolist()]
