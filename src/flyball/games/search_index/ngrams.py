"""Which texts share most pairs and triples of characters with a query, found by one pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flyball.games.search_index.spelling import codes_of

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
        texts: as ``searchable`` gives them; words parted by one space.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        slots, rows = _grams(texts)
        # a stable sort of 16-bit keys is a radix sort: linear, and the rows of a slot stay sorted
        order = np.argsort(slots, kind="stable")
        slots = np.repeat(np.arange(_SLOTS, dtype=np.uint16), np.bincount(slots, minlength=_SLOTS))
        rows = rows[order]
        first = np.ones(slots.size, dtype=np.bool_)
        first[1:] = (slots[1:] != slots[:-1]) | (rows[1:] != rows[:-1])
        slots, self._rows = slots[first], rows[first]
        self._count = len(texts)
        self._texts_of = np.bincount(slots, minlength=_SLOTS)
        self._ends = np.cumsum(self._texts_of)
        self._weights = np.log1p(self._count / np.maximum(self._texts_of, 1)).astype(np.float32)
        self._lengths = np.fromiter(map(len, texts), np.float32, self._count)

    def closeness(self, query: str) -> _Float:
        """For each text the share of the query's grams it has, rare ones counting more.

        Returns:
            shape (n_texts,), within [0, 1]; a longer text comes a little after a shorter one.
        """
        slots = np.unique(_grams([query], open_end=True)[0])
        sizes = self._texts_of[slots]
        order = np.argsort(sizes, kind="stable")[:_MOST_GRAMS]
        order = order[: max(1, int(np.searchsorted(np.cumsum(sizes[order]), _MOST_POSTINGS)))]
        slots, sizes = slots[order], sizes[order]
        if not sizes.sum():
            return np.zeros(self._count, dtype=np.float32)
        ends = self._ends[slots]
        rows = np.concatenate(
            [self._rows[end - size : end] for end, size in zip(ends, sizes, strict=True)]
        )
        weights = self._weights[slots]
        shared = np.bincount(rows, np.repeat(weights, sizes), self._count).astype(np.float32)
        longer = np.maximum(self._lengths / len(query) - 1, 0)
        shared /= float(weights.sum()) * (1 + _LENGTH * longer)
        return shared


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
