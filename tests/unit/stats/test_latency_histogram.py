"""Latency histograms add up, travel as JSON, and keep their word on quantiles."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.errors import InvalidRequest
from flyball.stats import latency

within_range = st.lists(st.floats(latency.LOWEST, latency.HIGHEST), min_size=1, max_size=60)
anything = st.lists(st.floats(0.0, 1e4), max_size=60)


def histogram(seconds):
    return latency.add(latency.empty(), seconds)


class TestMerging:
    @given(anything, anything, anything)
    def test_does_not_depend_on_grouping_or_order(self, a, b, c):
        a, b, c = histogram(a), histogram(b), histogram(c)
        left = latency.merge(latency.merge(a, b), c)
        assert left == latency.merge(a, latency.merge(b, c)) == latency.merge(c, a, b)

    @given(anything, anything)
    def test_is_the_histogram_of_everything(self, a, b):
        assert latency.merge(histogram(a), histogram(b)) == histogram([*a, *b])

    @given(anything)
    def test_with_nothing_changes_nothing(self, a):
        assert latency.merge(histogram(a), latency.empty()) == histogram(a)

    def test_of_nothing_is_empty(self):
        assert latency.merge() == latency.empty()
        assert sum(latency.empty()) == 0


class TestAQuantile:
    @given(within_range, st.floats(0.0, 1.0))
    def test_is_within_the_promised_error_of_numpys(self, seconds, q):
        exact = np.quantile(seconds, q, method="inverted_cdf")
        assert latency.quantile(histogram(seconds), q) == pytest.approx(
            exact, rel=latency.RELATIVE_ERROR + 1e-9
        )

    @given(anything, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
    def test_rises_with_q_and_stays_in_range(self, seconds, p, q):
        counts = histogram([*seconds, 0.01])
        low, high = (latency.quantile(counts, x) for x in sorted((p, q)))
        assert latency.LOWEST <= low <= high <= latency.HIGHEST

    def test_of_the_usual_percentiles_of_a_service(self):
        seconds = np.random.default_rng(1).lognormal(np.log(0.004), 0.8, 20_000)
        counts = histogram(seconds)
        for q in (0.5, 0.95, 0.99):
            assert latency.quantile(counts, q) == pytest.approx(np.quantile(seconds, q), rel=0.05)

    def test_beyond_the_range_is_the_nearer_end(self):
        counts = histogram([0.0, 0.00001, 3600.0])
        assert latency.quantile(counts, 0.5) == latency.LOWEST
        assert latency.quantile(counts, 1.0) == latency.HIGHEST

    def test_of_nothing_is_none(self):
        assert latency.quantile(latency.empty(), 0.5) is None

    @pytest.mark.parametrize("q", [-0.1, 1.1, float("nan")])
    def test_out_of_range_is_refused(self, q):
        with pytest.raises(InvalidRequest, match="quantile"):
            latency.quantile(latency.empty(), q)


class TestAHistogram:
    def test_promises_five_percent_from_a_tenth_of_a_millisecond_to_a_minute(self):
        assert latency.RELATIVE_ERROR <= 0.05
        assert (latency.BOUNDS[0], latency.BOUNDS[-1]) == (1e-4, 60.0)
        assert len(set(latency.BOUNDS)) == latency.BUCKETS - 1
        assert sorted(latency.BOUNDS) == list(latency.BOUNDS)

    @given(anything)
    def test_survives_json(self, seconds):
        counts = histogram(seconds)
        assert json.loads(json.dumps(counts)) == counts
        assert sum(counts) == len(seconds)

    @given(st.one_of(st.floats(0.0, 1e4), st.sampled_from(latency.BOUNDS)))
    def test_counts_one_by_one_as_it_does_many(self, seconds):
        counts = latency.empty()
        counts[latency.bucket(seconds)] += 1
        assert counts == histogram([seconds]) == histogram(seconds)

    def test_is_not_changed_by_adding(self):
        counts = latency.empty()
        latency.add(counts, [0.1, 0.2])
        assert counts == latency.empty()

    @pytest.mark.parametrize("wrong", [-0.001, float("nan"), float("inf")])
    def test_refuses_what_is_no_latency(self, wrong):
        with pytest.raises(InvalidRequest, match="1 latencies are negative or not finite"):
            latency.add(latency.empty(), [0.1, wrong])

    def test_refuses_counts_of_another_make(self):
        with pytest.raises(InvalidRequest, match="not 3"):
            latency.merge(latency.empty(), [1, 2, 3])
