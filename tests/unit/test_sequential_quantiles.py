"""Quantiles of a histogram, bounded at all times at once and honest about its buckets."""

from __future__ import annotations

import math

import numpy as np
import pytest

from flyball.errors import InvalidRequest
from flyball.stats import latency
from flyball.stats.sequential import quantiles
from flyball.stats.sequential.quantiles import log_evidence_quicker, log_evidence_slower


def histogram(seconds):
    return latency.add(latency.empty(), seconds)


SHOWN = math.log(1 / 0.01)


class TestALimit:
    def test_is_shown_to_be_broken_and_kept(self):
        slow = histogram(np.random.default_rng(1).lognormal(math.log(1.5), 0.5, 2000))
        quick = histogram(np.random.default_rng(2).lognormal(math.log(0.2), 0.5, 2000))
        assert log_evidence_slower(slow, 0.95, 2.0) > SHOWN
        assert log_evidence_quicker(slow, 0.95, 2.0) <= 0.0
        assert log_evidence_quicker(quick, 0.95, 2.0) > SHOWN
        assert log_evidence_slower(quick, 0.95, 2.0) <= 0.0

    def test_within_the_bucket_of_all_answers_shows_neither(self):
        """All answers fall into the limit's own bucket: they may be slower or not."""
        counts = histogram([0.2] * 5000)
        limit = latency.BOUNDS[latency.bucket(0.2)] / 1.01
        assert log_evidence_slower(counts, 0.95, limit) <= 0.0
        assert log_evidence_quicker(counts, 0.95, limit) <= 0.0

    def test_at_the_very_bound_of_a_bucket_needs_no_doubt(self):
        counts, bound = histogram([0.2] * 5000), latency.BOUNDS[latency.bucket(0.2)]
        assert log_evidence_quicker(counts, 0.95, bound) > SHOWN
        below = latency.BOUNDS[latency.bucket(0.2) - 1]
        assert log_evidence_slower(counts, 0.95, below) > SHOWN

    def test_beyond_the_range_is_still_judged(self):
        counts = histogram([100.0] * 1000)
        assert log_evidence_slower(counts, 0.95, 2.0) > SHOWN
        assert log_evidence_slower(counts, 0.95, 120.0) <= 0.0

    def test_of_no_answers_is_unknown(self):
        assert log_evidence_slower(latency.empty(), 0.95, 2.0) == 0.0
        assert log_evidence_quicker(latency.empty(), 0.95, 2.0) == 0.0


class TestTheInterval:
    def test_holds_the_true_quantile_and_narrows_to_its_buckets(self):
        rng = np.random.default_rng(3)
        widths = []
        for n in (100, 1000, 100_000):
            low, high = quantiles.interval(histogram(rng.lognormal(-3.0, 0.6, n)), 0.95, 0.05)
            assert low < math.exp(-3.0 + 0.6 * 1.6449) < high
            widths.append(high / low)
        assert widths[0] > widths[1] > widths[2]
        assert widths[2] < latency.RATIO**2.5

    def test_agrees_with_the_evidence_about_a_limit(self):
        counts = histogram(np.random.default_rng(4).lognormal(-3.0, 0.6, 1500))
        low, high = quantiles.interval(counts, 0.95, 0.05)
        level = math.log(2 / 0.05)
        assert log_evidence_slower(counts, 0.95, low) >= level
        assert log_evidence_slower(counts, 0.95, low * latency.RATIO * 1.001) < level
        assert log_evidence_quicker(counts, 0.95, high) >= level
        assert log_evidence_quicker(counts, 0.95, high / latency.RATIO / 1.001) < level

    def test_of_few_answers_is_open_upwards(self):
        assert quantiles.interval(histogram([0.01] * 3), 0.95, 0.05)[1] == math.inf
        assert quantiles.interval(latency.empty(), 0.95, 0.05) == (0.0, math.inf)


class TestWrongInput:
    def test_is_refused_with_what_to_do(self):
        with pytest.raises(InvalidRequest, match="start a new window"):
            log_evidence_slower([1, 2, 3], 0.95, 1.0)
        with pytest.raises(InvalidRequest, match=r"lies in \(0, 1\)"):
            log_evidence_quicker(latency.empty(), 1.0, 1.0)
        with pytest.raises(InvalidRequest, match="alpha"):
            quantiles.interval(latency.empty(), 0.95, 0.0)
