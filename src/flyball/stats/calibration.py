"""Tests of a batch against earlier ones whose false-alarm rate holds at the batch's own size.

Each takes counts or levels of ``k >= 1`` earlier batches and of the batch, and returns a p-value:
how likely a clean batch of this size is to look so extreme. All are closed forms of counts, so
that their cost does not depend on the number of rows. How much clean batches differ is learnt
from the earlier ones, see ``flyball.stats.dispersion``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flyball.errors import InvalidRequest
from flyball.stats.dispersion import dispersion, effects, expected_effects

MIN_EXPECTED = 10.0
"""Effective rows a bin needs; rarer bins are judged together."""

_NODES = 24
_MOST_DF = 200.0  # beyond it the nodes overflow, and a scale is as good as known
_TINY = 1e-300

Floats = NDArray[np.float64]


class Tail(StrEnum):
    """Which differences count."""

    UPPER = "upper"
    LOWER = "lower"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Shift:
    """How two histograms differ.

    Attributes:
        p_value: in [0, 1].
        distance: total variation of the judged bins: the share of rows that would have to move.
    """

    p_value: float
    distance: float


def histogram_shift(
    history: ArrayLike, current: ArrayLike, clusters: ArrayLike, cluster: float
) -> Shift | None:
    """Whether a batch's histogram differs from those of earlier batches.

    Pearson's two-sample statistic over its moderated design effect, against F (first- and
    second-order corrections of Rao and Scott 1984; F as in Thomas and Rao, JASA 82, 1987).

    Args:
        history: shape (k, J), rows by bin.
        current: shape (J,).
        clusters: shape (k,), each batch's ``cluster_size``.
        cluster: the batch's own.

    Returns:
        None where nothing can be told: no rows, or all rows in one bin.

    Raises:
        InvalidRequest: the shapes do not fit.
    """
    from scipy import special

    earlier, now = _tables(history, current)
    sizes, size = earlier.sum(axis=1), float(now.sum())
    if size <= 0 or sizes.sum() <= 0:
        return None
    weights, expected = expected_effects(clusters, cluster)
    usual = float(effects(dispersion(earlier, weights).scale * expected))
    earlier, now = merged_bins(earlier, now, MIN_EXPECTED * usual)
    if len(now) < 2:
        return None
    spread = dispersion(earlier, weights)
    growth = size / float(sizes[sizes > 0].mean())
    pooled = (earlier.sum(axis=0) + now) / (sizes.sum() + size)
    past = float(effects(spread.scale * weights) @ sizes) / float(sizes.sum()) ** 2
    noise = float(effects(spread.scale * expected, growth)) / size + past
    difference = now / size - earlier.sum(axis=0) / sizes.sum()
    statistic = float((difference**2 / pooled).sum()) / noise
    ratio = statistic / (len(now) - 1)
    dimensions = min(spread.dimensions, len(now) - 1.0)
    p_value = float(special.fdtrc(dimensions, spread.df, ratio))
    return Shift(p_value=p_value, distance=float(np.abs(difference).sum()) / 2)


def merged_bins(earlier: Floats, now: Floats, least: float) -> tuple[Floats, Floats]:
    """The histograms with rare bins taken together: in each ``least`` rows of the batch expected.

    The bins are chosen by both samples pooled, so that the choice favours neither.
    """
    pooled = earlier.sum(axis=0) + now
    expected = pooled * now.sum() / pooled.sum()
    order = np.argsort(-expected, kind="stable")
    order = order[expected[order] > 0]
    common = int((expected[order] >= least).sum())
    rest = expected[order[common:]].sum()
    if 0 < rest < least and common > 0:
        common -= 1
    groups = [order[[i]] for i in range(common)]
    if common < len(order):
        groups.append(order[common:])
    return (
        np.stack([earlier[:, g].sum(axis=1) for g in groups], axis=1),
        np.array([now[g].sum() for g in groups]),
    )


def share_shift(
    history: Sequence[tuple[float, float]],
    current: tuple[float, float],
    clusters: ArrayLike,
    cluster: float,
    *,
    tail: Tail = Tail.UPPER,
) -> float:
    """Whether the share of rows with some trait is abnormal: a p-value.

    The posterior predictive of a count under Jeffreys' prior (negative binomial; Gelman et al.,
    "Bayesian Data Analysis", 3rd edition, section 2.6) at effective sizes, averaged over what is
    not known about the design effect. Exact for rare independent events, and right with none at
    all in the history. Common traits have their binomial variance.

    Args:
        history: (rows with the trait, rows) of each earlier batch.
        current: the same of the batch.
        clusters, cluster: ``cluster_size`` of each.
        tail: both doubles the smaller one.
    """
    from scipy import special

    pairs = np.asarray(history, dtype=np.float64).reshape(-1, 2)
    hits, size = current
    if size <= 0 or pairs[:, 1].sum() <= 0:
        return 1.0
    if pairs[:, 0].sum() + hits > (pairs[:, 1].sum() + size) / 2:  # the rarer side is judged
        pairs = np.column_stack([pairs[:, 1] - pairs[:, 0], pairs[:, 1]])
        turned = {Tail.UPPER: Tail.LOWER, Tail.LOWER: Tail.UPPER, Tail.BOTH: Tail.BOTH}
        hits, tail = size - hits, turned[tail]
    weights, expected = expected_effects(clusters, cluster)
    spread = dispersion(np.column_stack([pairs[:, 0], pairs[:, 1] - pairs[:, 0]]), weights)
    growth = size / float(pairs[pairs[:, 1] > 0, 1].mean())
    df = min(spread.df, _MOST_DF)
    nodes, masses = special.roots_genlaguerre(_NODES, df / 2 - 1)
    scales = spread.scale * df / (2 * nodes[:, None])  # what the dispersion may really be
    past = effects(scales * weights)
    mine = effects(scales * expected, growth)
    upper, lower = masses / masses.sum() @ _predictive(pairs, past, (hits, size), mine[:, 0])
    if tail is Tail.BOTH:
        return float(min(1.0, 2 * min(upper, lower)))
    return float(min(1.0, upper if tail is Tail.UPPER else lower))


def _predictive(pairs: Floats, past: Floats, current: tuple[float, float], mine: Floats) -> Floats:
    """P(as many or more), P(as few or fewer) for known design effects: shape (s, 2).

    Args:
        pairs: shape (k, 2).
        past: shape (s, k), design effects of the earlier batches.
        mine: shape (s,), that of the batch.
    """
    from scipy import special

    binomial = 1.0 - (pairs[:, 0].sum() + 0.5) / (pairs[:, 1].sum() + 1.0)
    seen = (pairs[:, 0] / past).sum(axis=1) / binomial + 0.5
    exposure = (pairs[:, 1] / past).sum(axis=1) / binomial
    hits, size = current[0] / mine / binomial, current[1] / mine / binomial
    q = size / (size + exposure)
    more = special.betainc(hits, seen, q) if current[0] > 0 else np.ones_like(q)
    return np.column_stack([more, special.betaincc(hits + 1.0, seen, q)])


def level_shift(
    history: ArrayLike,
    current: float,
    *,
    noise: float,
    prior_deviation: float,
    prior_df: float = 4.0,
    tail: Tail = Tail.BOTH,
) -> float:
    """Whether a level (for example the logarithm of the number of rows) is abnormal: a p-value.

    Student's prediction interval for one more observation, its variance moderated with a prior and
    never below what chance alone does to this batch.

    Args:
        history: shape (k,), k >= 1, finite.
        current: the batch's level.
        noise: standard deviation by chance at this batch's size.
        prior_deviation: expected standard deviation, with ``prior_df`` degrees of freedom.
        tail: which differences count.

    Raises:
        InvalidRequest: there is no history.
    """
    from scipy import special

    levels = np.asarray(history, dtype=np.float64)
    if levels.ndim != 1 or not len(levels):
        raise InvalidRequest("a level is judged against at least one earlier batch")
    df = prior_df + len(levels) - 1
    squares = prior_df * prior_deviation**2 + float(((levels - levels.mean()) ** 2).sum())
    deviation = math.sqrt(max(squares / df, noise**2) * (1 + 1 / len(levels)))
    t = (current - float(levels.mean())) / max(deviation, _TINY)
    if tail is Tail.BOTH:
        return float(2 * special.stdtr(df, -abs(t)))
    return float(special.stdtr(df, -t if tail is Tail.UPPER else t))


def binomial_excess(hits: int, trials: int, share: float) -> float:
    """P(as many hits or more) where each of ``trials`` hits with probability ``share``."""
    from scipy import special

    return 1.0 if hits <= 0 else float(special.betainc(hits, trials - hits + 1, share))


def alarms(p_values: Sequence[float], rate: float) -> list[bool]:
    """Which of a batch's measures raise an alarm, so that a clean batch has one with ``rate``.

    Holm, "A simple sequentially rejective multiple test procedure" (Scandinavian Journal of
    Statistics 6, 1979): holds however the measures depend on each other.
    """
    raised = [False] * len(p_values)
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[place] > rate / (len(p_values) - rank):
            break
        raised[place] = True
    return raised


def _tables(history: ArrayLike, current: ArrayLike) -> tuple[Floats, Floats]:
    earlier, now = np.asarray(history, np.float64), np.asarray(current, np.float64)
    if earlier.ndim != 2 or now.ndim != 1 or earlier.shape[1:] != now.shape or not len(earlier):
        raise InvalidRequest(
            f"a histogram of shape {now.shape} cannot be judged against {earlier.shape}; "
            "count both on the same bins"
        )
    return earlier, now
