"""Which texts share most pairs and triples of characters with a query, found by one pass."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from flyball.games.search_index.postings import Postings
from flyball.games.search_index.spelling import codes_of
from flyball.recommend.arrays import open_array, write_array

_SLOTS = 1 << 16
_MOST_GRAMS = 64
"""Grams of a query that are looked up, the rarest first: bounds the work of a long query."""
_MOST_POSTINGS = 120_000
_SPACE, _NEWLINE = 32, 10
_FACTORS = (0x9E3779B1, 0x85EBCA6B, 0xC2B2AE35)
_LENGTH = 0.25
"""How far it counts against a text to be longer than the query: twice as long, a fifth less."""

_Float = NDArray[np.float32]


class NGrams:
    """An inverted index from pairs and triples of characters to texts.

    A gram is hashed to one of 65,536 slots; two grams that meet in one only add a candidate.
    Immutable: any number of threads may ask at a time.

    Args:
        grams: from slots to texts.
        lengths: float32, shape (n_texts,): characters of each.
    """

    def __init__(self, grams: Postings, lengths: _Float) -> None:
        self._grams, self._lengths = grams, lengths
        self._sizes = grams.sizes
        self._weights = np.log1p(len(lengths) / np.maximum(self._sizes, 1)).astype(np.float32)

    @classmethod
    def of(cls, texts: Sequence[str]) -> Self:
        """Gather the grams of texts as ``searchable`` gives them; words parted by one space."""
        slots, rows = _grams(texts)
        # a stable sort of 16-bit keys is a radix sort: linear, and the rows of a slot stay sorted
        order = np.argsort(slots, kind="stable")
        slots, rows = slots[order], rows[order]
        first = np.ones(slots.size, dtype=np.bool_)
        first[1:] = (slots[1:] != slots[:-1]) | (rows[1:] != rows[:-1])
        starts = np.zeros(_SLOTS + 1, dtype=np.int64)
        np.cumsum(np.bincount(slots[first], minlength=_SLOTS), out=starts[1:])
        lengths = np.fromiter(map(len, texts), np.float32, len(texts))
        return cls(Postings(starts, rows[first]), lengths)

    def closeness(self, query: str) -> _Float:
        """For each text the share of the query's grams it has, rare ones counting more.

        Returns:
            shape (n_texts,), within [0, 1]; a longer text comes a little after a shorter one.
        """
        slots = np.unique(_grams([query], open_end=True)[0])
        sizes = self._sizes[slots]
        order = np.argsort(sizes, kind="stable")[:_MOST_GRAMS]
        order = order[: max(1, int(np.searchsorted(np.cumsum(sizes[order]), _MOST_POSTINGS)))]
        slots, sizes = slots[order], sizes[order]
        if not sizes.sum():
            return np.zeros(len(self._lengths), dtype=np.float32)
        rows = np.concatenate([self._grams.of_key(slot) for slot in slots.tolist()])
        weights = self._weights[slots]
        shared = np.bincount(rows, np.repeat(weights, sizes), len(self._lengths)).astype(np.float32)
        longer = np.maximum(self._lengths / len(query) - 1, 0)
        shared /= float(weights.sum()) * (1 + _LENGTH * longer)
        return shared

    def save(self, directory: Path, name: str) -> None:
        """Write files called ``<name>_*``."""
        self._grams.save(directory, name)
        write_array(directory, f"{name}_lengths", self._lengths)

    @classmethod
    def load(cls, directory: Path, name: str) -> Self:
        """Open what ``save`` wrote, mapped from disk.

        Raises:
            ArtifactCorrupt: a file is missing or damaged.
        """
        lengths = open_array(directory, f"{name}_lengths", ndim=1)
        return cls(Postings.load(directory, name), lengths)


def _grams(
    texts: Sequence[str], *, open_end: bool = False
) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
    """The slot and the text of each gram; ``open_end``: the last word may go on."""
    codes = codes_of(" " + " \n ".join(texts) + ("" if open_end else " "))
    ends, space = codes == _NEWLINE, codes == _SPACE
    lines = np.cumsum(ends, dtype=np.int32)
    pairs = codes[:-1] * np.uint32(_FACTORS[0]) + codes[1:] * np.uint32(_FACTORS[1])
    triples = pairs[:-1] * np.uint32(_FACTORS[1]) + codes[2:]
    within = ~(ends | space)[1:] & ~ends[:-1]
    whole = within[:-1] & ~ends[2:]  # and "a b", "the end of one word and the next":
    # and the end of one word with the beginning of the next
    whole |= space[1:-1] & ~(ends | space)[:-2] & ~(ends | space)[2:]
    slots = np.concatenate([_slots(pairs)[within], _slots(triples)[whole]])
    return slots, np.concatenate([lines[:-1][within], lines[:-2][whole]])


def _slots(grams: NDArray[np.uint32]) -> NDArray[np.uint16]:
    return ((grams * np.uint32(_FACTORS[2])) >> np.uint32(16)).astype(np.uint16)
