"""From scores to probabilities: a monotone map, learnt from scores whose outcomes are known.

The map is isotonic regression (Zadrozny and Elkan, "Transforming classifier scores into accurate
multiclass probability estimates", KDD 2002; pooled adjacent violators: Ayer et al., 1955), made
small and strictly rising: neighbouring blocks are joined until each stands on enough hits, and
between the blocks' centres it is linear. So ranking by probability is ranking by score.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flyball.errors import InvalidRequest

KNOTS = 64
"""The most points of a map."""

LEAST_HITS = 10.0
"""Hits a point stands on: with fewer, the ends of an isotonic fit are mostly chance."""

ROUNDS = 4
"""How often the map is moved towards the hits of its blocks."""

_ULPS = 4
_LEAST = np.float32(2.0**-126)
_MOST = np.float32(1.0 - 2.0**-24)

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Calibration:
    """A strictly rising map from scores to probabilities; beyond its ends it is constant.

    Args:
        scores: shape (m,), m >= 1, finite, strictly rising; held to the precision of float32.
        probabilities: shape (m,), strictly rising, in (0, 1); likewise.

    Raises:
        InvalidRequest: they are not so.
    """

    scores: Floats
    probabilities: Floats
    _slopes: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        scores = np.array(self.scores, dtype=np.float32).astype(np.float64)
        chances = np.array(self.probabilities, dtype=np.float32).astype(np.float64)
        if scores.ndim != 1 or scores.shape != chances.shape or not len(scores):
            raise InvalidRequest(
                f"a map needs as many scores as probabilities, one at least, not {scores.shape} "
                f"and {chances.shape}; calibrate again"
            )
        steps, rises = np.diff(scores), np.diff(chances)
        inside = bool(np.isfinite(scores).all() and chances[0] > 0.0 and chances[-1] < 1.0)
        if not inside or not (steps > 0.0).all() or not (rises > 0.0).all():
            raise InvalidRequest(
                "scores and probabilities of a map must rise strictly, the probabilities within "
                "(0, 1); calibrate again"
            )
        object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "probabilities", chances)
        object.__setattr__(self, "_slopes", rises / steps)

    def apply(self, scores: ArrayLike) -> Floats:
        """The probability of each score; any shape.

        Never falls as a float32 score rises: two of these differ by far more than float64 rounds.
        """
        values = np.asarray(scores, dtype=np.float64)
        return np.asarray(np.interp(values, self.scores, self.probabilities))

    def inverse(self, probability: float) -> float:
        """The least float32 score whose probability is at least this; infinite if none or all are.

        For every float32 ``s``: ``s >= inverse(p)`` iff ``apply(s) >= p``. So a bound on the
        probability costs one comparison of scores.
        """
        if not probability > self.probabilities[0]:
            return -math.inf
        if probability > self.probabilities[-1]:
            return math.inf
        place = int(self.probabilities.searchsorted(probability, side="left")) - 1
        start, end = float(self.scores[place]), float(self.scores[place + 1])
        low, slope = float(self.probabilities[place]), float(self._slopes[place])
        guess = np.float32(start + (probability - low) / slope)
        margin = _ULPS * float(np.spacing(np.abs(guess)))

        def enough(score: float) -> bool:
            return score >= end or low + slope * (score - start) >= probability

        below = max(start, float(np.float32(float(guess) - margin)))
        above = min(end, float(np.float32(float(guess) + margin)))
        below = start if enough(below) else below
        above = above if enough(above) else end
        while True:
            middle = float(np.float32((below + above) / 2))
            if middle in (below, above):
                return above
            if enough(middle):
                above = middle
            else:
                below = middle

    def shifted(self, scores: ArrayLike, factor: ArrayLike) -> Floats:
        """The scores at which the odds are ``factor`` times those of ``scores``; any shape.

        With ``odds = p / (1 - p)``: ``apply(shifted(s, f))`` has the odds ``f * odds(apply(s))``
        wherever the map reaches. Beyond its ends the log-odds go on in a straight line, as steep
        as they are from end to end. Rises strictly with the score and with the factor, up to
        rounding.

        Args:
            factor: above 0, finite; one for all, or one for each score.
        """
        values = np.asarray(scores, dtype=np.float64)
        inner = np.clip(values, self.scores[0], self.scores[-1])
        aim = _log_odds(self.apply(inner)) + np.log(factor)
        chances = np.exp(-np.logaddexp(0.0, -aim))
        moved = np.interp(chances, self.probabilities, self.scores)
        ends = _log_odds(self.probabilities[[0, -1]])
        beyond = aim - np.clip(aim, *ends)
        return np.asarray(moved + beyond * self._score_per_log_odds + (values - inner))

    @property
    def _score_per_log_odds(self) -> float:
        if len(self.scores) == 1:
            return 1.0
        ends = _log_odds(self.probabilities[[0, -1]])
        return float((self.scores[-1] - self.scores[0]) / (ends[1] - ends[0]))


def fit_calibration(
    scores: ArrayLike, hits: ArrayLike, weights: ArrayLike | None = None
) -> Calibration:
    """Learn the map.

    Args:
        scores: shape (n,), finite; compared as float32.
        hits: shape (n,), whether each came true.
        weights: shape (n,), above 0: for how many cells each stands (default: 1).

    Raises:
        InvalidRequest: shapes differ, a value is not finite, a weight is not above 0, or there is
            no hit: then no probability can be learnt.
    """
    from scipy.optimize import isotonic_regression

    values, happened, counts = checked(scores, hits, weights)
    if not happened.any():
        raise InvalidRequest(
            f"none of {len(values)} scored cells is a hit; calibrate on users with held-out items"
        )
    values = values.astype(np.float32).astype(np.float64)
    centres, place = np.unique(values, return_inverse=True)
    sizes: Floats = np.bincount(place, counts).astype(np.float64)
    successes: Floats = np.bincount(place, counts * happened).astype(np.float64)
    fitted = isotonic_regression(successes / sizes, weights=sizes)
    blocks = fitted.blocks[:-1]
    least = max(LEAST_HITS, float(successes.sum()) / (KNOTS - 1))
    blocks = blocks[_joined(np.add.reduceat(successes, blocks), least)]
    return _settled(blocks, centres, sizes, successes)


def checked(
    values: ArrayLike, hits: ArrayLike, weights: ArrayLike | None
) -> tuple[Floats, NDArray[np.bool_], Floats]:
    """Numbers, outcomes and weights, all of shape (n,), n >= 1.

    Raises:
        InvalidRequest: they are not so, or a number or weight is out of its range.
    """
    numbers = np.asarray(values, dtype=np.float64)
    happened = np.asarray(hits)
    counts = np.ones(numbers.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    if numbers.ndim != 1 or not len(numbers) or not numbers.shape == happened.shape == counts.shape:
        raise InvalidRequest(
            f"scores, outcomes and weights of shapes {numbers.shape}, {happened.shape} and "
            f"{counts.shape} do not fit; pass one of each a cell, for one cell at least"
        )
    if not np.isin(happened, (0, 1)).all():
        raise InvalidRequest("an outcome is neither true nor false; pass booleans, or 0 and 1")
    if not np.isfinite(numbers).all() or not (np.isfinite(counts) & (counts > 0.0)).all():
        raise InvalidRequest(
            "a score is not finite, or a weight not a finite number above 0; leave such cells out"
        )
    return numbers, happened.astype(np.bool_), counts


def _joined(hits: Floats, least: float) -> NDArray[np.intp]:
    """The first of each group of neighbouring blocks that together have ``least`` hits.

    Groups are made from the top down. The lowest has what is left: few hits, but many cells.
    """
    starts: list[int] = []
    gathered = 0.0
    for block in range(len(hits) - 1, -1, -1):
        gathered += float(hits[block])
        if gathered >= least * (1.0 - 1e-9):
            starts.append(block)
            gathered = 0.0
    if not starts or starts[-1] != 0:
        starts.append(0)
    return np.array(starts[::-1], dtype=np.intp)


def _settled(
    blocks: NDArray[np.intp], centres: Floats, sizes: Floats, successes: Floats
) -> Calibration:
    """The map through the blocks' centres, moved until it predicts each block's own hits.

    A straight line between two centres lies above a rate that bends upwards between them (20% of
    the rarest hits of real players). Few rounds take that away; many would fit chance.
    Half a hit and half a miss more keep the map within (0, 1).

    Args:
        blocks: the first score of each block.
        centres, sizes, successes: shape (n,): distinct scores, rising, their cells and hits.
    """
    cells = np.add.reduceat(sizes, blocks)
    middles = np.add.reduceat(sizes * centres, blocks) / cells
    hits = np.add.reduceat(successes, blocks)
    rates = wanted = (hits + 0.5) / (cells + 1.0)
    fitted = _rising(middles, rates, cells)
    for _ in range(ROUNDS):
        predicted = np.add.reduceat(sizes * fitted.apply(centres), blocks)
        rates = rates * wanted / (predicted + 0.5) * (cells + 1.0)
        fitted = _rising(middles, rates, cells)
    return fitted


def _rising(middles: Floats, rates: Floats, cells: Floats) -> Calibration:
    """The strictly rising map nearest to these rates: neighbours that do not rise are pooled."""
    from scipy.optimize import isotonic_regression

    fitted = isotonic_regression(rates, weights=cells)
    chances = np.clip(fitted.x.astype(np.float32), _LEAST, _MOST)
    starts = np.flatnonzero(np.diff(chances, prepend=-1.0) > 0.0)
    centres = np.add.reduceat(cells * middles, starts) / np.add.reduceat(cells, starts)
    return Calibration(centres, chances[starts].astype(np.float64))


def _log_odds(chances: Floats) -> Floats:
    return np.asarray(np.log(chances) - np.log1p(-chances))
