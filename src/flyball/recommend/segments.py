"""Who is served worse: a metric by kinds of users and kinds of items, with what chance allows.

A segment is a name and a mask (``flyball.recommend.groups`` makes some); segments may overlap, as
an item has several genres. The same code judges one model (its values) and a pair of models (the
difference of their values).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flyball.errors import InvalidRequest
from flyball.recommend.metrics import discounts
from flyball.stats.bootstrap import Interval, paired_bootstrap

if TYPE_CHECKING:
    from flyball.recommend.ranking import Ranking

LEAST = 30
"""Users a segment needs for its gap to be judged."""

MOST_RESAMPLES = 20_000
TAIL_RESAMPLES = 20
"""Resamples that each end of an interval should rest on."""

Mask = NDArray[np.bool_]
Masks = Mapping[str, Mask]
Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Segmented:
    """A metric by user and segment.

    Attributes:
        names: of s segments.
        values: shape (n, s), of n users; NaN where a user has nothing in a segment.

    Raises:
        InvalidRequest: the names do not fit the values.
    """

    names: tuple[str, ...]
    values: Values

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.names):
            raise InvalidRequest(
                f"values of shape {self.values.shape} do not fit {len(self.names)} segments"
            )

    def minus(self, other: Self) -> Self:
        """What this model has more than another, on the same users and segments.

        Raises:
            InvalidRequest: the users or segments differ.
        """
        same = self.names == other.names and self.values.shape == other.values.shape
        if not same or (np.isnan(self.values) != np.isnan(other.values)).any():
            raise InvalidRequest(
                "two models can be compared by segment on the same users, held-out items and "
                "segments only; rank both on one fold"
            )
        return type(self)(self.names, self.values - other.values)


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment's mean.

    Attributes:
        name: of the segment.
        users: with a value in it.
        interval: of the mean; None with fewer than two users.
    """

    name: str
    users: int
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class SegmentReport:
    """A metric by segment.

    Attributes:
        overall: mean of all values, each user in each of their segments counted once.
        segments: in the order of ``Segmented.names``.
        worst: the segment with the lowest mean of those with ``least`` users; None where fewer
            than two have them.
        gap: ``overall`` minus the mean of ``worst``. The interval is wide enough to hold for the
            gaps of all segments at once (Bonferroni), and so for one picked for being the largest.
    """

    overall: float
    segments: tuple[Segment, ...]
    worst: str | None
    gap: Interval | None


def by_user(values: ArrayLike, masks: Masks) -> Segmented:
    """A metric's values (n,) by segments of users; each mask has shape (n,).

    Raises:
        InvalidRequest: a mask does not fit the values.
    """
    metric = np.asarray(values, dtype=np.float64)
    columns = [np.where(_fitting(masks, name, len(metric)), metric, np.nan) for name in masks]
    return Segmented(tuple(masks), _side_by_side(columns, len(metric)))


def by_item(ranking: Ranking, masks: Masks, k: int) -> Segmented:
    """NDCG@k by user and segment of the held-out items; each mask has shape (n_items,).

    For each segment only its items are wanted. The user's other held-out items are taken out of the
    list: what else was right is no mistake (the filtered setting of Bordes et al., "Translating
    embeddings for modeling multi-relational data", NeurIPS 2013). Any ``k`` will do: all places
    are known.

    Raises:
        InvalidRequest: a mask does not fit the items, or ``k`` is below 1.
    """
    n, owners = len(ranking.users), ranking.owners
    gains = np.concatenate([[0.0], discounts(k)])
    ideal = np.cumsum(gains)
    columns = []
    for name in masks:
        mine = _fitting(masks, name, len(ranking.popularity))[ranking.wanted]
        counts = np.bincount(owners[mine], minlength=n)
        own_order = np.arange(1, int(mine.sum()) + 1) - (np.cumsum(counts) - counts)[owners[mine]]
        places = ranking.places[mine] - (ranking.orders[mine] - own_order)
        found = np.bincount(
            owners[mine], weights=gains[np.where(places <= k, places, 0)], minlength=n
        )
        columns.append(np.where(counts > 0, found / ideal[np.clip(counts, 1, k)], np.nan))
    return Segmented(tuple(masks), _side_by_side(columns, n))


def report(
    segmented: Segmented,
    *,
    seed: int,
    least: int = LEAST,
    resamples: int = 2000,
    confidence: float = 0.95,
) -> SegmentReport:
    """The mean of each segment and the largest gap below the overall mean, with intervals.

    Users are resampled whole, with all their segments (percentile bootstrap). The gap is a
    difference of two ratio means; it is resampled in its linear form (influence values: Davison and
    Hinkley, "Bootstrap Methods and their Application", 1997, chapter 2).

    Args:
        segmented: from ``by_user`` or ``by_item``; of a difference of models, from ``minus``.
        seed: of the resampling.
        least: users a segment needs for its gap to be judged.
        resamples: how many; the gap takes more where its level needs them.
        confidence: in (0, 1).

    Raises:
        InvalidRequest: no user has a value, or a number is out of its range.
    """
    values = segmented.values
    users = np.count_nonzero(~np.isnan(values), axis=0)
    if not users.sum():
        raise InvalidRequest("no user has a value in any segment; check the masks")
    segments = tuple(
        Segment(name, int(users[place]), _mean(values[:, place], seed, resamples, confidence))
        for place, name in enumerate(segmented.names)
    )
    overall = float(np.nanmean(values))
    judged = np.flatnonzero(users >= max(2, least))
    if len(judged) < 2:
        return SegmentReport(overall, segments, None, None)
    worst = int(judged[np.argmin(np.nanmean(values[:, judged], axis=0))])
    level = 1 - (1 - confidence) / len(judged)
    needed = math.ceil(2 * TAIL_RESAMPLES / (1 - level))
    above, below = _influence(values, worst)
    gap = paired_bootstrap(
        above,
        below,
        seed=seed,
        resamples=max(resamples, min(needed, MOST_RESAMPLES)),
        confidence=level,
    )
    return SegmentReport(overall, segments, segmented.names[worst], gap)


def _fitting(masks: Masks, name: str, size: int) -> Mask:
    mask = np.asarray(masks[name], dtype=np.bool_)
    if mask.shape != (size,):
        raise InvalidRequest(f"the mask of segment {name} has shape {mask.shape}, not ({size},)")
    return mask


def _side_by_side(columns: Sequence[Values], n: int) -> Values:
    return np.stack(columns, axis=1) if columns else np.empty((n, 0))


def _mean(column: Values, seed: int, resamples: int, confidence: float) -> Interval | None:
    known = column[~np.isnan(column)]
    if len(known) < 2:
        return None
    return paired_bootstrap(
        known, np.zeros(len(known)), seed=seed, resamples=resamples, confidence=confidence
    )


def _influence(values: Values, worst: int) -> tuple[Values, Values]:
    """Per user, numbers whose means are the overall mean and the mean of the worst segment."""
    values = values[~np.isnan(values).all(axis=1)]
    there = ~np.isnan(values)
    filled = np.where(there, values, 0.0)

    def linear(sums: Values, counts: Values) -> Values:
        mean = sums.sum() / counts.sum()
        return np.asarray(mean + (sums - mean * counts) / counts.mean())

    whole = linear(filled.sum(axis=1), there.sum(axis=1).astype(np.float64))
    return whole, linear(filled[:, worst], there[:, worst].astype(np.float64))
