"""How much alike words are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from flyball.games.search_index.short_forms import same_number

_BEGUN, _WITHIN, _NUMBER = 0.92, 0.75, 0.95
_ALIKE = 0.55
_SHORTEST_UNFINISHED, _SHORTEST_WITHIN = 4, 2

_Float = NDArray[np.float32]


def word_likeness(asked: Sequence[str], known: Sequence[str], certain: Sequence[bool]) -> _Float:
    """How much alike words are.

    1 for the same word; .95 for the same number written otherwise ("7", "vii", "seven"); .92 for a
    word begun; .75 for one that holds it further on (2 characters at least); with typos
    1 - (optimal string alignment distance) / (longer length), and of the last word asked, which
    may be unfinished, .92 of the same for the beginning of the known word; below .55, and for
    numbers that differ, 0. The words that are ``certain`` hold no typos.

    Returns:
        shape (n_asked, n_known), within [0, 1].
    """
    alike = cdist(asked, known, scorer=OSA.normalized_similarity, dtype=np.float32)
    last = asked[-1]
    if len(last) >= _SHORTEST_UNFINISHED and not certain[-1]:
        begun = [other[: len(last)] for other in known]
        starts = cdist([last], begun, scorer=OSA.normalized_similarity, dtype=np.float32)[0]
        np.maximum(alike[-1], _BEGUN * starts, out=alike[-1])
    alike[alike < _ALIKE] = 0
    number = np.array([other.isdecimal() for other in known], dtype=np.bool_)
    for row, word, is_certain in zip(alike, asked, certain, strict=True):
        typed = is_certain or word.isdecimal()
        row[(row < 1) & (number | typed)] = 0
        if others := same_number(word):
            _raise(row, [other in others for other in known], _NUMBER)
        _raise(row, [other.startswith(word) for other in known], _BEGUN)
        if len(word) >= _SHORTEST_WITHIN and not word.isdecimal():
            _raise(row, [word in other for other in known], _WITHIN)
    return alike


def _raise(row: _Float, where: Sequence[bool], least: float) -> None:
    places = np.flatnonzero(where)
    row[places] = np.maximum(row[places], least)
