"""Why a game is recommended: the largest terms of its score, and their shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from flyball.games.replies import Kind, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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


@dataclass(eq=False, slots=True)
class Sums:
    """What the scores of one list are made of.

    Attributes:
        terms: of its games.
        items: shape (n,), the columns that the terms belong to.
    """

    terms: Terms
    items: NDArray[np.integer[Any]]


def whys(lists: Sequence[Sums], id_of: Callable[[int], str]) -> list[list[Why]]:
    """The reasons for the scores of several lists: of each game of each list.

    A term's share is its part of the sum of all positive terms, the base among them. (Some games
    of a player speak against a game. Shares of the score itself would then exceed 1, and tell
    nothing where it is near 0.)

    Args:
        id_of: the game of a column.
    """
    places, shares, rests = _largest([each.terms for each in lists])
    start, found = 0, []
    for each in lists:
        end = start + len(each.terms.items)
        names: list[str | None] = [*map(id_of, each.items.tolist()), None]
        kinds = [GAME] * len(each.items) + [POPULARITY]
        rows = zip(places[start:end], shares[start:end], rests[start:end], strict=True)
        exact = each.terms.exact
        found.append([Why(_reasons(names, kinds, p, s), rest, exact) for p, s, rest in rows])
        start = end
    return found


def _reasons(
    names: list[str | None], kinds: list[Kind], places: list[int], shares: list[float]
) -> list[Reason]:
    """Of one game. Written out: a loop over three takes four times as long."""
    first, second, third = places
    much, less, least = shares
    reasons = [
        Reason(names[first], much, kinds[first]),
        Reason(names[second], less, kinds[second]),
        Reason(names[third], least, kinds[third]),
    ]
    return reasons if least > 0.0 else [reason for reason in reasons if reason.share > 0.0]


def _largest(
    lists: Sequence[Terms],
) -> tuple[list[list[int]], list[list[float]], list[float]]:
    """The places (n, SHOWN) of the largest terms of all games, their shares, the rests.

    The place after a list's items is the base. In float64, so that shares add up to 1; what is no
    number and what speaks against a game counts as nothing.
    """
    width = max(SHOWN, *(terms.items.shape[1] + 1 for terms in lists))
    sizes = [len(terms.items) for terms in lists]
    whole, start = np.zeros((sum(sizes), width)), 0
    for terms, size in zip(lists, sizes, strict=True):
        rows, base = whole[start : start + size], terms.items.shape[1]
        np.fmax(terms.items, 0.0, out=rows[:, :base])
        if terms.base is not None:
            np.fmax(terms.base, 0.0, out=rows[:, base])
        start += size
    totals = np.add.reduce(whole, axis=1)
    some = (totals > 0.0) & np.isfinite(totals)
    places = np.empty((len(whole), SHOWN), dtype=np.intp)
    shares = np.empty((len(whole), SHOWN))
    each = np.arange(len(whole))
    for nth in range(SHOWN):  # for so few several times as quick as sorting
        place = places[:, nth] = whole.argmax(axis=1)
        shares[:, nth] = whole[each, place]
        whole[each, place] = 0.0
    with np.errstate(invalid="ignore"):  # parts of what is infinite are no numbers, and not shown
        shares /= np.where(some, totals, np.inf)[:, None]
    rests = np.fmax(some - np.add.reduce(shares, axis=1), 0.0)
    return places.tolist(), shares.tolist(), rests.tolist()
