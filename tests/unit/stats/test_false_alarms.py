"""The promised false-alarm rate holds, whatever the size, the history and the clusters."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from scipy import stats

from flyball.stats.calibration import (
    Tail,
    alarms,
    histogram_shift,
    level_shift,
    share_shift,
)
from flyball.stats.dispersion import cluster_size

PROMISED = 0.05
BATCHES = 200
CHANCE = 1e-3
BINS = 12
EVENLY = np.full(64, 1 / 64)
KINDS = np.arange(BINS, 0, -1) / (BINS * (BINS + 1) / 2)

Batch = dict[str, np.ndarray]
Rng = np.random.Generator


def independent(rng: Rng, rows: int) -> Batch:
    """Rows that have nothing to do with each other."""
    return {"kinds": rng.multinomial(rows, KINDS), "buckets": rng.multinomial(rows, EVENLY)}


@cache
def people() -> tuple[np.ndarray, np.ndarray]:
    """20,000 users with few or very many rows, each with a taste of their own; rows by kind."""
    rng = np.random.default_rng(13)
    sizes = np.ceil(rng.lognormal(2.0, 1.3, 20_000)).astype(int)
    return sizes, rng.multinomial(sizes, rng.dirichlet(KINDS * 8, len(sizes)))


def clustered(rng: Rng, rows: int) -> Batch:
    """All rows of some of these users."""
    sizes, kinds = people()
    users = rng.integers(0, len(sizes), max(3, rows // 20))
    buckets = np.bincount(rng.integers(0, 64, len(users)), weights=sizes[users], minlength=64)
    return {"kinds": kinds[users].sum(axis=0), "buckets": buckets}


def family(history: list[Batch], current: Batch) -> list[float]:
    """The p-values of a histogram, a common and a rare share, and the volume."""
    clusters = [cluster_size(batch["buckets"]) for batch in history]
    own = cluster_size(current["buckets"])
    rows = [float(batch["kinds"].sum()) for batch in (*history, current)]
    shift = histogram_shift([b["kinds"] for b in history], current["kinds"], clusters, own)
    p_values = [] if shift is None else [shift.p_value]
    for kind, tail in ((0, Tail.BOTH), (BINS - 1, Tail.UPPER)):
        pairs = [(float(b["kinds"][kind]), float(b["kinds"].sum())) for b in history]
        mine = (float(current["kinds"][kind]), rows[-1])
        p_values.append(share_shift(pairs, mine, clusters, own, tail=tail))
    noise = np.sqrt(np.median(np.array(clusters) / rows[:-1]))
    levels = np.log(rows)
    p_values.append(level_shift(levels[:-1], levels[-1], noise=noise, prior_deviation=0.2))
    return p_values


@pytest.mark.parametrize(
    ("rows", "batches"),
    [
        (200, 1),
        (200, 3),
        (200, 10),
        (5_000, 1),
        (5_000, 3),
        (5_000, 30),
        (200_000, 3),
        (200_000, 10),
    ],
)
@pytest.mark.parametrize("kind", [independent, clustered])
def test_clean_batches_raise_no_more_alarms_than_promised(
    kind: Callable[[Rng, int], Batch], rows: int, batches: int
) -> None:
    """Of 200 batches, each with its own history, by a binomial test."""
    rng = np.random.default_rng([rows, batches])
    raised = 0
    for _ in range(BATCHES):
        made = [kind(rng, rows) for _ in range(batches + 1)]
        raised += any(alarms(family(made[:-1], made[-1]), PROMISED))
    assert stats.binomtest(raised, BATCHES, PROMISED, "greater").pvalue > CHANCE, raised


@pytest.mark.parametrize("size", [200, 50_000])
def test_a_batch_much_smaller_or_larger_than_its_history_is_judged_fairly(size: int) -> None:
    """By everything but its volume."""
    rng = np.random.default_rng(size)
    raised = 0
    for _ in range(BATCHES):
        history = [clustered(rng, int(rows)) for rows in rng.integers(1_000, 5_000, 10)]
        p_values = family(history, clustered(rng, size))[:-1]
        raised += any(alarms(p_values, PROMISED))
    assert stats.binomtest(raised, BATCHES, PROMISED, "greater").pvalue > CHANCE, raised


def test_the_naive_test_would_not_hold() -> None:
    """Pearson's test on clustered rows: so the promise above says something."""
    rng = np.random.default_rng(11)
    raised = 0
    for _ in range(100):
        table = [clustered(rng, 5_000)["kinds"] for _ in range(2)]
        raised += stats.chi2_contingency(table).pvalue < PROMISED
    assert raised > 50


def test_faults_are_found_all_the_same() -> None:
    """A tenth of clustered rows that moved to another bin, after ten batches."""
    rng = np.random.default_rng(12)
    found = 0
    for _ in range(50):
        history = [clustered(rng, 20_000) for _ in range(10)]
        spoilt = clustered(rng, 20_000)
        moved = (spoilt["kinds"] * 0.1).astype(int)
        moved[-1] = 0
        spoilt["kinds"] = spoilt["kinds"] - moved
        spoilt["kinds"][-1] += moved.sum()
        found += any(alarms(family(history, spoilt), PROMISED))
    assert found >= 48
