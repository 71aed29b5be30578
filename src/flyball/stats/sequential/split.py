"""Whether something happens to the challenger's units more often than their part of the split.

Each unit (a user, or one request of nobody in particular) is given to the challenger by an
independent coin of known probability, its share. If the versions are alike, whoever is hit first,
second, third is the challenger's with just that probability, whatever the hour, the outage or the
rate: nothing has to be stable. If the challenger is hit r times as often, it is with probability
p(r) = r s / (r s + 1 - s) (conditioning on the total, as in the comparison of Poisson rates:
Przyborowski and Wilenski, Biometrika 31, 1940). The product of p(r) / p(r0) and (1 - p(r)) /
(1 - p(r0)) over those hit is a martingale under r0 (Wald, 1945), below 1 on average under any
smaller ratio, and so is every fixed mixture over r (Robbins, "Statistical methods related to the
law of the iterated logarithm", Annals of Mathematical Statistics 41, 1970).

That covers challengers that are better, too, whose users are merely hit later: evidence rises with
each of the challenger's hits, falls with each of the champion's, and one that comes in a later step
of a larger share counts for less. So delaying or dropping hits never raises it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flyball.domain.judging import Split
from flyball.errors import InvalidRequest
from flyball.stats.sequential.crossings import crossing

Floats = NDArray[np.float64]

_USUAL = np.geomspace(0.08, 2.0, 16)
_OUTER = np.array([0.03, 0.05, 2.5, 3.1])
_GROSS = np.log([50.0, 200.0])
_EFFECTS = np.concatenate([_USUAL, _OUTER, _GROSS])
"""Logarithms of ratios over the limit. Most weight is on 1.08 to 7.4 times, evenly by the size of
the effect, so that a weak one costs as much to find as a strong one (1.8 beyond what the ratio
itself would need, were it known); little on 1.03 and on 22. An eighth is for what a broken version
does: three hits in a row at a share of 5%, each worth up to a factor of 20, are evidence of 500."""

_RATIOS = np.exp(_EFFECTS)
_LOG_WEIGHTS = np.log(np.repeat([0.8 / 16, 0.01, 0.03, 0.06], [16, 2, 2, 2]))

FROM_THE_START = 0.85
"""Weight of what is so from the first step on; the rest is for what begins with a later one, such
as a version that fails under more load: half of what remains for each."""

_SIDE = np.geomspace(0.01, 5.3, 72)
_AROUND = np.concatenate([-_SIDE[::-1], _SIDE])
_FAR = 25.0
"""A ratio of e^25 is infinite for all purposes."""


def log_evidence(splits: Sequence[Split], *, above: float = 1.0, restarts: bool = False) -> float:
    """Log e-value against "the challenger is hit at most ``above`` times as often".

    Args:
        splits: who was hit, one for each step, the earliest first; each unit once in all.
        above: the ratio of rates that is to be refuted, above 0.
        restarts: also look for what begins with a later step (see ``FROM_THE_START``).

    Returns:
        0 for nothing seen. It is ln(1 / alpha) or more in at most a share alpha of rollouts in
        which the ratio is ``above`` or less, however often one looks.

    Raises:
        InvalidRequest: a share or ``above`` is out of its range, or a count is negative.
    """
    if not 0.0 < above < math.inf:
        raise InvalidRequest(f"a ratio of rates is above 0 and finite, not {above}")
    shares, hits, totals = _columns(splits)
    if not len(shares):
        return 0.0
    odds = above * shares / (1.0 - shares)
    growth = np.log1p(odds[:, None] * _RATIOS) - np.log1p(odds)[:, None]
    steps = hits[:, None] * _EFFECTS - totals[:, None] * growth
    if not restarts:
        return _log_mean(_LOG_WEIGHTS + steps.sum(axis=0))
    since = np.cumsum(steps[::-1], axis=0)[::-1] + _LOG_WEIGHTS
    starts = _start_weights(len(shares))
    not_begun = math.log(1.0 - float(starts.sum()))
    return _log_mean(np.append((since + np.log(starts)[:, None]).ravel(), not_begun))


def log_evidence_below(
    splits: Sequence[Split], *, below: float = 1.0, restarts: bool = False
) -> float:
    """Log e-value against "the challenger is hit at least ``below`` times as often".

    The same from the champion's side: it is hit 1 / ratio times as often. See ``log_evidence``.
    """
    if not 0.0 < below < math.inf:
        raise InvalidRequest(f"a ratio of rates is above 0 and finite, not {below}")
    return log_evidence(mirrored(splits), above=1.0 / below, restarts=restarts)


def mirrored(splits: Sequence[Split]) -> tuple[Split, ...]:
    """The same, with champion and challenger in each other's place."""
    return tuple(
        Split(share=1.0 - each.share, champion=each.challenger, challenger=each.champion)
        for each in splits
    )


def due(splits: Sequence[Split]) -> float:
    """How many of those hit would be the challenger's if the versions were alike."""
    return sum(each.share * (each.champion + each.challenger) for each in splits)


def ratio(splits: Sequence[Split]) -> float:
    """How many times as often the challenger is hit: an estimate, 1 for nothing seen.

    Sums over steps before dividing (Mantel and Haenszel, JNCI 22, 1959), so that a step in which
    the champion was never hit is no harm; infinite where it never was in any.
    """
    own = sum(each.challenger * (1.0 - each.share) for each in splits)
    other = sum(each.champion * each.share for each in splits)
    if other == 0.0:
        return math.inf if own else 1.0
    return own / other


def ratio_interval(splits: Sequence[Split], alpha: float) -> tuple[float, float]:
    """Confidence sequence of the ratio: holds it at all times at once with 1 - ``alpha``.

    The ratios that a mixture over ratios on both sides of 1 does not refute at ``alpha`` (Robbins,
    1970). The log-likelihood is concave in the logarithm of the ratio, so they are an interval.

    Returns:
        ``(low, high)``, 0 <= low <= high <= inf; ``(0, inf)`` for nothing seen.

    Raises:
        InvalidRequest: ``alpha`` is not in (0, 1), or the splits are out of range.
    """
    if not 0.0 < alpha < 1.0:
        raise InvalidRequest(f"alpha is in (0, 1), not {alpha}")
    shares, hits, totals = _columns(splits)
    if not len(shares):
        return 0.0, math.inf
    own = float(hits.sum())
    grid = own * _AROUND - totals @ _log_norms(shares, _AROUND)
    least = _log_mean(grid - math.log(len(_AROUND))) + math.log(alpha)
    rows = list(zip(shares.tolist(), totals.tolist(), strict=True))

    def refuted(effect: float) -> bool:
        more = math.expm1(effect)
        spent: float = sum([n * math.log1p(s * more) for s, n in rows])
        return own * effect - spent < least

    kept = np.flatnonzero(grid >= least)  # never empty: the mixture is no likelier than its best
    first, last = int(kept[0]), int(kept[-1])
    below = float(_AROUND[first - 1]) if first else -_FAR
    above = float(_AROUND[last + 1]) if last + 1 < len(_AROUND) else _FAR
    low = crossing(refuted, float(_AROUND[first]), below)
    high = crossing(refuted, float(_AROUND[last]), above)
    return (0.0 if low <= -_FAR else math.exp(low)), (math.inf if high >= _FAR else math.exp(high))


def _log_norms(shares: Floats, effects: Floats) -> Floats:
    """ln(s r + 1 - s) by share and ratio."""
    return np.asarray(np.log1p(shares[:, None] * np.expm1(effects)))


def _start_weights(steps: int) -> Floats:
    """Of a change that begins with the first, second, ... step; they sum to less than 1."""
    later = (1.0 - FROM_THE_START) * 0.5 ** np.arange(1, steps)
    return np.concatenate([[FROM_THE_START], later])


def _columns(splits: Sequence[Split]) -> tuple[Floats, Floats, Floats]:
    """Shares, hits of the challenger, hits in all, of the steps that had any."""
    for each in splits:
        if not 0.0 < each.share < 1.0 or each.champion < 0 or each.challenger < 0:
            raise InvalidRequest(
                f"{each} is no split: its share lies in (0, 1), its counts are at least 0"
            )
    seen = [each for each in splits if each.champion or each.challenger]
    return (
        np.array([each.share for each in seen]),
        np.array([each.challenger for each in seen], dtype=np.float64),
        np.array([each.champion + each.challenger for each in seen], dtype=np.float64),
    )


def _log_mean(terms: Floats) -> float:
    """ln of the sum of exp(terms)."""
    top = float(terms.max())
    return top + math.log(float(np.exp(terms - top).sum()))
