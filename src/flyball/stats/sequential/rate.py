"""Bounds and evidence for one rate that hold at all times at once.

The mixture is Beta(1/2, 1/2) over rates (Robbins, Annals of Mathematical Statistics 41, 1970;
Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence
sequences", Annals of Statistics 49, 2021): the probability that it gives to what was seen, over
the one that a rate p gives, is a martingale under p. Against "the rate is at most a limit" the
likeliest rate up to the limit stands, which refutes no more than each of them would by itself.
It also holds where the rate changes from trial to trial below the limit, whatever went before.
"""

from __future__ import annotations

import math

from flyball.errors import InvalidRequest
from flyball.stats.sequential.crossings import crossing

_LOG_PI = math.log(math.pi)  # of the Beta function at (1/2, 1/2)


def log_evidence_above(hits: int, trials: int, limit: float) -> float:
    """Log e-value against "the rate is at most ``limit``"; 0 for no trials.

    Raises:
        InvalidRequest: not 0 <= hits <= trials, or ``limit`` is not in [0, 1].
    """
    _check(hits, trials, limit)
    return _log_ratio(hits, trials, min(limit, hits / max(1, trials)))


def log_evidence_below(hits: int, trials: int, limit: float) -> float:
    """Log e-value against "the rate is at least ``limit``". See ``log_evidence_above``."""
    _check(hits, trials, limit)
    return _log_ratio(hits, trials, max(limit, hits / max(1, trials)))


def upper(hits: int, trials: int, alpha: float) -> float:
    """A rate that is never below the true one, over all time, but with probability ``alpha``."""
    level = _level(alpha)
    _check(hits, trials, 1.0)
    seen = hits / max(1, trials)
    return crossing(lambda p: log_evidence_below(hits, trials, p) >= level, seen, 1.0, within=1e-6)


def lower(hits: int, trials: int, alpha: float) -> float:
    """A rate that is never above the true one, over all time, but with probability ``alpha``."""
    level = _level(alpha)
    _check(hits, trials, 0.0)
    seen = hits / max(1, trials)
    return crossing(lambda p: log_evidence_above(hits, trials, p) >= level, seen, 0.0, within=1e-6)


def _log_ratio(hits: int, trials: int, rate: float) -> float:
    """ln of the mixture's probability over that of ``rate``."""
    if trials == 0:
        return 0.0
    misses = trials - hits
    mixture = (
        math.lgamma(hits + 0.5) + math.lgamma(misses + 0.5) - math.lgamma(trials + 1.0) - _LOG_PI
    )
    return mixture - _times_log(hits, rate) - _times_log(misses, 1.0 - rate)


def _times_log(count: int, chance: float) -> float:
    if count == 0:
        return 0.0
    return count * math.log(chance) if chance > 0.0 else -math.inf


def _check(hits: int, trials: int, limit: float) -> None:
    if not 0 <= hits <= trials or not 0.0 <= limit <= 1.0:
        raise InvalidRequest(
            f"{hits} hits of {trials} trials and a limit of {limit}: "
            "hits are part of the trials, and a limit lies in [0, 1]"
        )


def _level(alpha: float) -> float:
    if not 0.0 < alpha < 1.0:
        raise InvalidRequest(f"alpha is in (0, 1), not {alpha}")
    return -math.log(alpha)
