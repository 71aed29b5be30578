"""Where CSV records end: at line ends that no pair of quotes encloses."""

from __future__ import annotations

from functools import cached_property
from typing import cast

import numpy as np
import numpy.typing as npt

_QUOTE, _LF, _CR = 34, 10, 13

Places = npt.NDArray[np.int64]


class Quotes:
    """The quotes of a text that begins with a record.

    A quote is regular where it opens a cell, closes one, or is one half of a doubled quote inside
    one. As long as all are, a line end or delimiter lies inside a cell exactly where the number of
    quotes before it is odd; that needs no parser. (RFC 4180, section 2, rules 5 to 7.)
    """

    def __init__(self, text: bytes, delimiter: str) -> None:
        self._bytes = np.frombuffer(text, np.uint8)
        self._delimiter = ord(delimiter)
        self.places: Places = np.flatnonzero(self._bytes == _QUOTE)

    def outside(self, places: Places) -> npt.NDArray[np.bool_]:
        """Which of these places no pair of quotes encloses."""
        if not len(self.places):
            return np.ones(len(places), dtype=bool)
        odd = np.searchsorted(self.places, places) & 1
        return cast("npt.NDArray[np.bool_]", odd == 0)

    @cached_property
    def line_ends(self) -> Places:
        """Where lines end, also inside cells: at LF, and at CR without one."""
        ends = self._bytes == _LF
        returns = np.flatnonzero(self._bytes == _CR)
        if len(returns):
            following = np.append(self._bytes, 0)[returns + 1]
            ends[returns[following != _LF]] = True
        return np.flatnonzero(ends)

    @cached_property
    def record_ends(self) -> Places:
        """Where records end, if all quotes before are regular."""
        return self.line_ends[self.outside(self.line_ends)]

    @cached_property
    def delimiters(self) -> Places:
        """Where cells are divided, if all quotes before are regular."""
        places = np.flatnonzero(self._bytes == self._delimiter)
        return places[self.outside(places)]

    def irregular(self, until: int) -> int | None:
        """The first quote before a place that is not regular, or None."""
        places = self.places[: np.searchsorted(self.places, until)]
        opening, closing = places[::2], places[1::2]
        before = self._bytes[opening - 1]  # of the first byte, -1: the last; never asked for
        begins = (opening == 0) | self._divides(before) | (before == _QUOTE)
        after = np.append(self._bytes, _LF)[closing + 1]
        ends = self._divides(after) | (after == _QUOTE)
        odd = np.concatenate((opening[~begins], closing[~ends]))
        return int(odd.min()) if len(odd) else None

    def record_start(self, place: int) -> int:
        """Where the record with a place begins, if all quotes before are regular."""
        before = np.searchsorted(self.record_ends, place)
        return int(self.record_ends[before - 1]) + 1 if before else 0

    def _divides(self, neighbours: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        divides = (neighbours == self._delimiter) | (neighbours == _LF) | (neighbours == _CR)
        return cast("npt.NDArray[np.bool_]", divides)

    def without_cr(self) -> bytes:
        """The text with LF alone at the end of each record."""
        returns = np.flatnonzero(self._bytes == _CR)
        returns = returns[self.outside(returns)]
        followed = np.append(self._bytes, 0)[returns + 1] == _LF
        text = self._bytes.copy()
        text[returns[~followed]] = _LF
        return np.delete(text, returns[followed]).tobytes()
