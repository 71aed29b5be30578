"""An interval that means what it says."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy import stats

from flyball.errors import InvalidRequest
from flyball.stats.bootstrap import Interval, paired_bootstrap


def skewed_pairs(n, rng):
    """Two models' values per user: many zeros, a tail, and a true mean difference of 0.05."""
    base = rng.exponential(0.3, n) * (rng.random(n) < 0.6)
    return base + rng.normal(0.05, 0.2, n), base


class TestAPairedBootstrap:
    @pytest.mark.parametrize("confidence", [0.8, 0.95])
    def test_covers_the_truth_as_often_as_it_claims(self, confidence):
        rng, worlds = np.random.default_rng(11), 500
        covered = 0
        for world in range(worlds):
            a, b = skewed_pairs(150, rng)
            interval = paired_bootstrap(a, b, seed=world, resamples=400, confidence=confidence)
            covered += interval.low <= 0.05 <= interval.high
        low, high = stats.binom.ppf([1e-3, 1 - 1e-3], worlds, confidence)
        assert low <= covered <= high

    def test_agrees_with_scipy(self):
        a, b = skewed_pairs(300, np.random.default_rng(3))
        ours = paired_bootstrap(a, b, seed=1, resamples=10_000)
        theirs = stats.bootstrap(
            (a - b,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(9)
        ).confidence_interval
        width = theirs.high - theirs.low
        assert ours.mean == pytest.approx((a - b).mean())
        assert ours.low == pytest.approx(theirs.low, abs=0.05 * width)
        assert ours.high == pytest.approx(theirs.high, abs=0.05 * width)

    def test_is_the_same_for_the_same_seed_and_another_for_another(self):
        a, b = skewed_pairs(200, np.random.default_rng(4))
        assert paired_bootstrap(a, b, seed=1) == paired_bootstrap(a, b, seed=1)
        assert paired_bootstrap(a, b, seed=1) != paired_bootstrap(a, b, seed=2)

    def test_uses_the_pairing(self):
        """Users differ far more than models do; only the pairs show the gain."""
        rng = np.random.default_rng(5)
        b = rng.normal(0, 10, 400)
        interval = paired_bootstrap(b + 0.1 + rng.normal(0, 0.01, 400), b, seed=1)
        assert 0.09 < interval.low <= interval.mean <= interval.high < 0.11

    def test_of_a_constant_gain_has_no_width(self):
        interval = paired_bootstrap([3.0, 5.0, 9.0], [1.0, 3.0, 7.0], seed=1)
        assert interval == Interval(mean=2.0, low=2.0, high=2.0)

    def test_needs_little_memory_however_many_pairs(self):
        a, b = skewed_pairs(200_000, np.random.default_rng(6))
        tracemalloc.start()
        try:
            paired_bootstrap(a, b, seed=1, resamples=100)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 40e6  # all 100 x 200,000 draws would be 160 MB


class TestWhatItRefuses:
    @pytest.mark.parametrize(
        ("a", "b", "reason"),
        [
            ([], [], "two pairs, not 0"),
            ([1.0], [2.0], "two pairs, not 1"),
            ([1.0, 2.0], [1.0], "same users"),
            ([[1.0, 2.0]], [[1.0, 2.0]], "same users"),
            ([1.0, float("nan"), 2.0], [1.0, 1.0, 1.0], "1 of 3 differences"),
        ],
    )
    def test_pairs_that_cannot_be_compared(self, a, b, reason):
        with pytest.raises(InvalidRequest, match=reason):
            paired_bootstrap(a, b, seed=1)

    @pytest.mark.parametrize("wrong", [{"confidence": 1.0}, {"confidence": 0}, {"resamples": 99}])
    def test_numbers_out_of_range(self, wrong):
        with pytest.raises(InvalidRequest, match=next(iter(wrong))):
            paired_bootstrap([1.0, 2.0], [0.0, 0.0], seed=1, **wrong)
