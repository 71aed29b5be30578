"""The promised share of false alarms holds with a look after every single event. Seeded."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from flyball.domain.judging import Moments, Split, Worth
from flyball.stats import latency
from flyball.stats.sequential import means, mismatch, quantiles, rate, split

RUNS = 300
UNLIKELY = 1e-4


def holds(alarms, runs, promised):
    """Whether so many alarms are compatible with the promise."""
    return stats.binomtest(alarms, runs, promised, "greater").pvalue > UNLIKELY


def splits(rng, *, ratio=1.0, hits=60):
    """A rollout of three steps, after every hit: the splits so far."""
    done = []
    for share in (0.05, 0.25, 0.5):
        own = rng.random(hits) < ratio * share / (ratio * share + 1 - share)
        for n in range(1, hits + 1):
            k = int(own[:n].sum())
            yield [*done, Split(share=share, champion=n - k, challenger=k)]
        done.append(Split(share=share, champion=hits - k, challenger=k))


@pytest.mark.parametrize(
    ("evidence", "hits", "promised"),
    [
        (lambda s: split.log_evidence(s, restarts=True), 60, 0.1),
        (lambda s: split.log_evidence_below(s, restarts=True), 60, 0.1),
        (mismatch.log_evidence, 300, 0.4),
    ],
    ids=["more", "fewer", "not as drawn"],
)
def test_alike_versions_are_called_different_no_more_often_than_promised(evidence, hits, promised):
    rng, level = np.random.default_rng(11), math.log(1 / promised)
    alarms = sum(
        any(evidence(seen) >= level for seen in splits(rng, hits=hits)) for _ in range(RUNS)
    )
    assert holds(alarms, RUNS, promised)
    assert alarms > 0  # else the level could be far off without our knowing


def test_a_version_that_is_twice_as_bad_is_rarely_called_tolerable():
    rng, promised = np.random.default_rng(12), 0.1
    level = math.log(1 / promised)
    wrong = sum(
        any(split.log_evidence_below(seen, below=1.5) >= level for seen in splits(rng, ratio=1.5))
        for _ in range(RUNS)
    )
    assert holds(wrong, RUNS, promised)


def test_the_interval_holds_the_true_ratio_at_all_times_at_once():
    rng, missed = np.random.default_rng(13), 0
    for _ in range(100):
        ends = (split.ratio_interval(seen, 0.1) for seen in splits(rng, ratio=2.0, hits=40))
        missed += any(not low <= 2.0 <= high for low, high in ends)
    assert holds(missed, 100, 0.1)


def test_a_rate_stays_within_its_bounds_at_all_times_at_once():
    rng, missed, level = np.random.default_rng(14), 0, math.log(1 / 0.1)
    for _ in range(RUNS):
        hits = np.cumsum(rng.random(400) < 0.05)
        missed += any(
            rate.log_evidence_above(int(k), n, 0.05) >= level
            or rate.log_evidence_below(int(k), n, 0.05) >= level
            for n, k in enumerate(hits, 1)
        )
    assert holds(missed, RUNS, 0.1)
    assert missed > 0


def test_a_rate_that_changes_below_its_limit_is_not_called_above_it():
    """Quiet for long, then always just at the limit: the mixture has learnt low rates by then."""
    rng, alarms, level = np.random.default_rng(15), 0, math.log(1 / 0.1)
    for _ in range(RUNS):
        hits = np.cumsum(rng.random(600) < np.repeat([0.0, 0.1], 300))
        alarms += any(
            rate.log_evidence_above(int(k), n, 0.1) >= level for n, k in enumerate(hits, 1)
        )
    assert holds(alarms, RUNS, 0.1)


def test_a_quantile_stays_within_its_interval_at_all_times_at_once():
    rng, missed = np.random.default_rng(16), 0
    truth = math.exp(-3.0 + 0.7 * 1.6448536)
    for _ in range(60):
        counts = latency.empty()
        for _ in range(40):
            counts = latency.add(counts, rng.lognormal(-3.0, 0.7, 25))
            low, high = quantiles.interval(counts, 0.95, 0.1)
            if not low <= truth <= high:
                missed += 1
                break
    assert holds(missed, 60, 0.1)


def test_worth_that_does_not_differ_is_not_called_less():
    rng, alarms, level = np.random.default_rng(17), 0, math.log(1 / 0.05)
    for _ in range(RUNS):
        values = (rng.random((30, 200)) < 0.15) * rng.lognormal(1.0, 1.0, (30, 200))
        own = rng.random((30, 200)) < 0.25
        sums = {
            arm: [np.cumsum((values**p * where).sum(axis=1)) for p in (0, 1, 2)]
            for arm, where in (("challenger", own), ("champion", ~own))
        }
        for look in range(30):
            seen = {
                arm: Moments(count=int(n[look]), total=t[look], squares=q[look])
                for arm, (n, t, q) in sums.items()
            }
            if means.log_evidence([Worth(share=0.25, **seen)], more=False) >= level:
                alarms += 1
                break
    assert holds(alarms, RUNS, 0.05)
