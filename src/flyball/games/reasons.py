"""Why a game is recommended: the largest terms of its score, and their shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.games.replies import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from flyball.recommend.protocols import Terms

SHOWN = 3
"""Reasons named for one game."""


@dataclass(frozen=True, slots=True)
class Why:
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


def whys(found: Sequence[Terms], items: NDArray[np.integer[Any]], ids: Sequence[str]) -> list[Why]:
    """The reasons for the scores of several games.

    A term's share is its part of the sum of all positive terms, the base among them. (Some games
    of a player speak against a game. Shares of the score itself would then exceed 1, and tell
    nothing where it is near 0.)

    Args:
        found: the terms of each score.
        items: shape (n,), the columns that the terms belong to.
        ids: the game of each column.
    """
    if not found:
        return []
    positive = np.empty((len(found), len(items) + 1))
    for row, terms in zip(positive, found, strict=True):
        row[:-1] = terms.items
        row[-1] = terms.base
    positive[~np.isfinite(positive)] = 0.0  # the smoke test refuses such a model
    np.maximum(positive, 0.0, out=positive)
    totals = positive.sum(axis=1)
    shares = positive / np.where(totals > 0.0, totals, 1.0)[:, None]
    first = _largest(shares)
    shown = np.take_along_axis(shares, first, axis=1)
    rests = np.maximum(1.0 - shown.sum(axis=1), 0.0) * (totals > 0.0)
    return [
        Why(_reasons(places, parts, items, ids), rest, terms.exact)
        for places, parts, rest, terms in zip(
            first.tolist(), shown.tolist(), rests.tolist(), found, strict=True
        )
    ]


def _largest(shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Places of the largest in each row, the largest first."""
    places = np.argpartition(shares, -min(SHOWN, shares.shape[1]), axis=1)[:, -SHOWN:]
    order = np.argsort(-np.take_along_axis(shares, places, axis=1), axis=1, kind="stable")
    largest: NDArray[np.int64] = np.take_along_axis(places, order, axis=1)
    return largest


def _reasons(
    places: list[int],
    shares: list[float],
    items: NDArray[np.integer[Any]],
    ids: Sequence[str],
) -> list[Reason]:
    return [
        Reason(None, share, "popularity")
        if place == len(items)
        else Reason(ids[items[place]], share)
        for place, share in zip(places, shares, strict=True)
        if share > 0.0
    ]
