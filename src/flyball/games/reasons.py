"""Why a game is recommended: the largest terms of its score, and their shares."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from flyball.games.replies import Kind, Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from flyball.recommend.protocols import Terms

SHOWN = 3
"""Reasons named for one game."""

GAME: Kind = "game"
POPULARITY: Kind = "popularity"


class Why(Struct, frozen=True, gc=False):
    """What a score is made of.

    Attributes:
        reasons: the largest positive terms, the largest first.
        rest: the share of the positive terms not shown. All shares and this add up to 1, or to 0
            where no term is positive.
        exact: the model's score is the sum of its terms.
    """

    reasons: list[Reason]
    rest: float
    exact: bool


def whys(found: Terms, items: NDArray[np.integer[Any]], id_of: Callable[[int], str]) -> list[Why]:
    """The reasons for the scores of several games.

    A term's share is its part of the sum of all positive terms, the base among them. (Some games
    of a player speak against a game. Shares of the score itself would then exceed 1, and tell
    nothing where it is near 0.)

    Args:
        found: the terms of the scores.
        items: shape (n,), the columns that the terms belong to.
        id_of: the game of a column.
    """
    places, shares, rests = _largest(found)
    names = [*map(id_of, items.tolist()), None]
    base = len(items)
    return [
        Why(
            [
                Reason(names[place], share, GAME if place != base else POPULARITY)
                for place, share in zip(row, parts, strict=True)
                if share > 0.0
            ],
            rest,
            found.exact,
        )
        for row, parts, rest in zip(places, shares, rests, strict=True)
    ]


def _largest(found: Terms) -> tuple[list[list[int]], list[list[float]], list[float]]:
    """The places (n, SHOWN) of the largest terms (the base is the last), their shares, the rest.

    In float64, so that shares add up to 1. The terms are turned around, so that the largest come
    first and what is no number last.
    """
    terms = found.items
    if found.base is not None:
        terms = np.concatenate([terms, found.base[:, None]], axis=1)
    turned = np.fmin(np.negative(terms, dtype=np.float64), 0.0)
    places = turned.argsort(axis=1, kind="stable")[:, :SHOWN]
    totals = np.add.reduce(turned, axis=1, keepdims=True)
    some = totals < 0.0
    shares = turned[_rows(len(places)), places] / np.where(some, totals, -1.0)
    rests = np.maximum(some[:, 0] - np.add.reduce(shares, axis=1), 0.0)
    return places.tolist(), shares.tolist(), rests.tolist()


@lru_cache(maxsize=128)
def _rows(count: int) -> NDArray[np.intp]:
    """0, 1, 2, ... as a column."""
    return np.arange(count)[:, None]
