"""Other judges of a rollout, as fair to them as we can be, on the very same streams.

Each gives the second in which it first says "worse", or None.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special, stats

from benchmarks.rollouts_.ours import HARMS, PROMISES, hits
from benchmarks.rollouts_.streams import SHARES, Floats, Ints, Stream
from flyball.domain.judging import Measure
from flyball.stats.sequential import parts

WINDOW = 50
SUCCESS = 0.99
FIRST_MINUTE = 5
_ASK_BEYOND = 3.0


def bonferroni(stream: Stream, what: str, *, every_s: int) -> int | None:
    """The fixed-sample test with Bonferroni's correction for its looks.

    At each look the number of the challenger's first hits is held against a sum of binomials, one
    for each step, one-sided at the judge's own level for the measure, divided by the number of
    looks. It sees the same users, each once: on requests, which depend on one another, it would
    cry wolf. The tail is Lugannani and Rice's for lattice variables (Advances in Applied
    Probability 12, 1980), and exact where all hits are one version's.
    """
    measure, less = HARMS[what]
    champion, own = hits(stream, measure)[:, every_s - 1 :: every_s]
    alpha = PROMISES.false_alarm * parts.HARM[what] / len(own)
    shares = np.asarray(SHARES)
    if less:
        champion, own, shares = own, champion, 1.0 - shares
    totals = champion + own
    spread = np.sqrt(np.maximum((totals * shares * (1 - shares)).sum(axis=1), 1e-12))
    excess = (own.sum(axis=1) - (totals * shares).sum(axis=1)) / spread
    for look in np.flatnonzero(excess > _ASK_BEYOND).tolist():
        if tail(totals[look], shares, int(own[look].sum())) <= alpha:
            return int((look + 1) * every_s - 1)
    return None


def tail(totals: Ints, shares: Floats, at_least: int) -> float:
    """P(sum of Binomial(totals, shares) >= ``at_least``), above the mean."""
    if at_least == int(totals.sum()):
        return float(np.exp((totals * np.log(shares)).sum()))
    tilt = 0.0
    for _ in range(100):
        tilted = shares * np.exp(tilt) / (1 - shares + shares * np.exp(tilt))
        mean, variance = (totals * tilted).sum(), (totals * tilted * (1 - tilted)).sum()
        move = float(np.clip((at_least - mean) / variance, -1.0, 1.0))
        tilt += move
        if abs(move) < 1e-10:
            break
    cumulant = float((totals * np.log1p(shares * np.expm1(tilt))).sum())
    w = math.sqrt(max(0.0, 2 * (tilt * at_least - cumulant)))
    u = -math.expm1(-tilt) * math.sqrt(float(variance))
    return float(special.ndtr(-w) + stats.norm.pdf(w) * (1 / u - 1 / w))


def threshold(stream: Stream) -> int | None:
    """A fixed threshold: 99% of each 50 answers of the challenger must succeed."""
    whole = len(stream.failed) // WINDOW
    errors = stream.failed[: whole * WINDOW].reshape(whole, WINDOW).sum(axis=1)
    broken = np.flatnonzero(1 - errors / WINDOW < SUCCESS)
    if not len(broken):
        return None
    last = (int(broken[0]) + 1) * WINDOW
    return int(np.searchsorted(np.cumsum(stream.requests[1]), last, side="left"))


def kayenta(stream: Stream, measures: Sequence[Measure]) -> int | None:
    """Kayenta's Mann-Whitney classifier (``NetflixACAJudge``) on one value a minute.

    Of each version the error share, the p95 latency or the click share of every minute so far, from
    the fifth minute on, judged at the end of each minute. As published: the 98% confidence interval
    of the shift between versions must lie beyond a quarter of the Hodges-Lehmann estimate, on the
    harmful side; each metric is critical, so that one suffices; outliers stay (its default),
    minutes without a value do not, equal series pass. The interval is by the normal approximation
    of the rank sum, as R's ``wilcox.test`` takes it where values are tied.
    """
    series = {measure: _series(stream, measure) for measure in measures}
    minutes = stream.seconds // 60
    for minute in range(FIRST_MINUTE, minutes + 1):
        for measure, values in series.items():
            control, experiment = (row[:minute][~np.isnan(row[:minute])] for row in values)
            harmful = -1.0 if measure is Measure.CLICKED else 1.0
            if _beyond(harmful * experiment, harmful * control):
                return minute * 60 - 1
    return None


def _series(stream: Stream, measure: Measure) -> Floats:
    """One value a minute: shape (2, minutes), NaN where a version answered nobody."""
    minutes = stream.seconds // 60
    by_minute = stream.requests.reshape(2, minutes, 60).sum(axis=2)
    if measure is Measure.SLOW:
        return _p95s(stream, minutes)
    events = stream.errors if measure is Measure.FAILED else stream.clicks
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(events.reshape(2, minutes, 60).sum(axis=2) / by_minute)


def _p95s(stream: Stream, minutes: int) -> Floats:
    took, second, arm = stream.latency
    ends = np.searchsorted(second, 60 * np.arange(1, minutes + 1))
    found = np.full((2, minutes), np.nan)
    for minute, part in enumerate(np.split(np.arange(len(took)), ends)[:minutes]):
        for version in (0, 1):
            values = took[part][arm[part] == version]
            if len(values):
                place = math.ceil(0.95 * len(values)) - 1
                found[version, minute] = np.partition(values, place)[place]
    return found


def _beyond(experiment: Floats, control: Floats) -> bool:
    """Whether the experiment lies above the control, as Kayenta has it."""
    n, m = len(experiment), len(control)
    if not n or not m or np.array_equal(experiment, control):
        return False
    shifts = np.sort((experiment[:, None] - control).ravel())
    z = special.ndtri(1 - 0.02 / 2)
    rank = int(np.ceil(n * m / 2 - z * math.sqrt(n * m * (n + m + 1) / 12)))
    lower = shifts[rank - 1] if rank >= 1 else -math.inf
    return bool(lower > 0.25 * abs(float(np.median(shifts))))
