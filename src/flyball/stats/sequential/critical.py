"""The judge's tests as lines that counts cross, for judging thousands of simulated rollouts.

Each line is that of one piece of ``parts``, with its evidence and its level. ``Fate`` puts them
together as ``parts`` and ``judge`` do; a test of the planner holds it against the judge itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flyball.domain.judging import Promises, Split
from flyball.stats.sequential import parts, rate, split
from flyball.stats.sequential.lines import Line, line

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

RARER = ("errors", "latency")
ENGAGING = ("clicks", "purchases")


@dataclass(frozen=True, slots=True)
class Hits:
    """To how many units of both versions, and of the challenger, it happened by each look."""

    total: Floats
    own: Floats


@dataclass(frozen=True, slots=True)
class Compared:
    """What one measure shows at each look.

    Attributes:
        harm: that it is worse, at the level that rolls back.
        suspected: that it may be: enough to wait.
        tolerable: that it is not intolerably worse.
    """

    harm: Bools
    suspected: Bools
    tolerable: Bools


@dataclass(frozen=True, slots=True)
class Lines:
    """One measure's lines at one share."""

    harm: Line
    suspicion: Line
    tolerable: Line

    def compared(self, hits: Hits) -> Compared:
        """What these counts show."""
        return Compared(
            self.harm.crossed(hits.total, hits.own),
            self.suspicion.crossed(hits.total, hits.own),
            self.tolerable.crossed(hits.total, hits.own),
        )


@dataclass(frozen=True, slots=True)
class Levels:
    """The service level's lines; totals are the challenger's answers.

    Attributes:
        broken: more failing users than the service level allows.
        errors: so few failed answers that it is kept.
        p95: so few answers beyond ``Promises.max_p95_s`` that it is kept.
    """

    broken: Line
    errors: Line
    p95: Line


def lines(what: str, promises: Promises, share: float, most: float) -> Lines:
    """The lines of a measure.

    Args:
        what: of ``RARER`` or ``ENGAGING``.
        share: the challenger's.
        most: the largest total that will be asked for.
    """
    fewer, needed = what in ENGAGING, parts.level(what, promises)

    def harm(n: int, k: int) -> float:
        seen = (Split(share=share, champion=n - k, challenger=k),)
        if fewer:
            return split.log_evidence_below(seen, restarts=True)
        return split.log_evidence(seen, restarts=True)

    def tolerable(n: int, k: int) -> bool:
        seen = (Split(share=share, champion=n - k, challenger=k),)
        if fewer:
            kept = 1.0 - promises.engagement_loss
            return split.log_evidence(seen, above=kept) >= -math.log(parts.TOLERABLE)
        below = split.log_evidence_below(seen, below=promises.tolerance)
        return below >= -math.log(parts.TOLERABLE / 2)

    return Lines(
        harm=line(lambda n, k: harm(n, k) >= needed, most, rising=not fewer),
        suspicion=line(lambda n, k: harm(n, k) >= parts.SUSPICION, most, rising=not fewer),
        tolerable=line(tolerable, most, rising=fewer),
    )


def levels(promises: Promises, most: float) -> Levels:
    """The lines of the service level, for up to ``most`` answers."""
    sure, kept = -math.log(promises.false_alarm), -math.log(parts.TOLERABLE / 2)
    errors, slow = promises.max_error_share, 1.0 - parts.P95
    return Levels(
        broken=line(lambda n, k: rate.log_evidence_above(k, n, errors) >= sure, most, rising=True),
        errors=line(lambda n, k: _below(k, n, errors, kept), most, rising=False),
        p95=line(lambda n, k: _below(k, n, slow, kept), most, rising=False),
    )


def _below(hits: int, trials: int, limit: float, needed: float) -> bool:
    return hits <= limit * trials and rate.log_evidence_below(hits, trials, limit) >= needed


def fails(compared: Mapping[str, Compared], broken: Bools) -> Bools:
    """Where the judge says FAIL.

    Args:
        broken: where the service level of errors is.
    """
    worse = [each.harm & ~each.tolerable for each in compared.values()]
    found: Bools = np.logical_or.reduce([*worse, compared["errors"].harm & broken])
    return found


def passes(
    compared: Mapping[str, Compared], kept: Mapping[str, Bools], promises: Promises
) -> Bools:
    """Where the judge says PASS, but for the least number of answers and what it fails.

    Args:
        kept: of ``RARER``, where the service level is kept.
    """
    shown = {
        what: each.tolerable | (kept[what] & ~each.suspected) if what in kept else each.tolerable
        for what, each in compared.items()
    }
    sure = [shown[what] for what in compared if what in promises.decisive]
    calm = [shown[what] | ~each.suspected for what, each in compared.items()]
    found: Bools = np.logical_and.reduce([*sure, *calm])
    return found
