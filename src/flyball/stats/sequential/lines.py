"""The line that a count must cross for a sequential test to decide: found once, looked up often.

A test of ``k`` of ``n`` decides the same way for every larger (or every smaller) ``k``. So for each
``n`` there is one critical ``k``, and thousands of simulated rollouts can be judged by looking it
up, with the same test that judges the real one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Shown = Callable[[int, int], bool]
"""(n, k) -> whether k of n show it."""

_EACH = 24
_GROWTH = 1.3
"""Up to ``_EACH`` every n is looked at, from there on every n that is so many times the last."""

_CLOSE = 0.02
"""How closely a critical k is found: so many times the square root of n, and exactly below 1. By
chance alone k differs a hundred times as much."""


@dataclass(frozen=True, slots=True)
class Line:
    """Critical counts, by how many there are in all.

    Attributes:
        totals: shape (g,), rising from 0.
        critical: shape (g,), never falling. Of a rising line the least k that shows it (n + 1 where
            none does), of a falling one the most (-1 where none does).
        rising: whether it is shown from ``critical`` on, or else up to it.
    """

    totals: npt.NDArray[np.float64]
    critical: npt.NDArray[np.float64]
    rising: bool

    def crossed(
        self, totals: npt.NDArray[np.float64], counts: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.bool_]:
        """Whether ``counts`` of ``totals`` show it; between known totals by a straight line.

        Args:
            totals, counts: of one shape.
        """
        critical = np.interp(totals, self.totals, self.critical)
        found = counts >= critical if self.rising else counts <= critical
        return np.asarray(found & (totals <= self.totals[-1]), dtype=np.bool_)


def line(shown: Shown, most: float, *, rising: bool) -> Line:
    """The line of a test.

    Args:
        shown: the test; for each n it holds from some k on (``rising``), or up to some k.
        most: the largest n that will be asked for.
    """
    totals, total = list(range(_EACH + 1)), _EACH
    while total < most:
        total = math.ceil(total * _GROWTH)
        totals.append(total)
    if rising:
        critical = _edges(shown, totals)
    else:  # the most k that shows it is one below the least that does not
        critical = [k - 1 for k in _edges(lambda n, k: not shown(n, k), totals)]
    return Line(np.array(totals, dtype=float), np.array(critical, dtype=float), rising)


def _edges(shown: Shown, totals: Sequence[int]) -> list[int]:
    """For each n the least k in [0, n + 1] that shows it; n + 1 stands for none."""
    found: list[int] = []
    for place, n in enumerate(totals):
        guess = found[-1] if found else 0
        if place > 1:  # on the line through the last two
            slope = (found[-1] - found[-2]) / (totals[place - 1] - totals[place - 2])
            guess += round(slope * (n - totals[place - 1]))
        found.append(_edge(shown, n, min(max(guess, 0), n)))
    return found


def _edge(shown: Shown, n: int, guess: int) -> int:
    """The least k that shows it, found outwards from a guess in [0, n], then by halving."""
    close = int(_CLOSE * math.sqrt(n))
    step = close + 1
    if shown(n, guess):
        high, low = guess, guess - step
        while low >= 0 and shown(n, low):
            high, step = low, 2 * step
            low = high - step
        low = max(low, -1)
    else:
        low, high = guess, guess + step
        while high <= n and not shown(n, high):
            low, step = high, 2 * step
            high = low + step
        high = min(high, n + 1)
    while high - low > 1 + close:
        middle = (low + high) // 2
        low, high = (low, middle) if shown(n, middle) else (middle, high)
    return high
