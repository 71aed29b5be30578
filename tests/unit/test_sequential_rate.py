"""One rate, bounded at all times at once."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special, stats

from flyball.errors import InvalidRequest
from flyball.stats.sequential import rate


class TestEvidence:
    @pytest.mark.parametrize(("hits", "trials"), [(0, 5), (3, 10), (40, 1000)])
    def test_is_scipys_beta_binomial_over_the_binomial(self, hits, trials):
        limit = 0.02
        mixture = stats.betabinom.logpmf(hits, trials, 0.5, 0.5)
        best = min(limit, hits / trials)
        expected = mixture - stats.binom.logpmf(hits, trials, best)
        assert rate.log_evidence_above(hits, trials, limit) == pytest.approx(expected)

    @pytest.mark.parametrize("limit", [0.01, 0.3, 0.95])
    @pytest.mark.parametrize("trials", [1, 20, 300])
    def test_is_at_most_one_on_average_at_the_limit(self, limit, trials):
        chances = stats.binom.logpmf(np.arange(trials + 1), trials, limit)
        for evidence in (rate.log_evidence_above, rate.log_evidence_below):
            logs = [evidence(k, trials, limit) for k in range(trials + 1)]
            assert 0.05 < math.exp(special.logsumexp(chances + logs)) <= 1.0 + 1e-9

    def test_never_speaks_against_the_rate_that_was_seen(self):
        assert rate.log_evidence_above(5, 500, 0.01) <= 0.0
        assert rate.log_evidence_below(5, 500, 0.01) <= 0.0

    def test_of_no_trials_is_none(self):
        assert rate.log_evidence_above(0, 0, 0.01) == 0.0
        assert rate.log_evidence_below(0, 0, 0.01) == 0.0

    def test_one_failure_refutes_that_there_are_none(self):
        assert rate.log_evidence_above(1, 10, 0.0) == math.inf
        assert rate.log_evidence_above(0, 10, 0.0) <= 0.0


class TestBounds:
    @pytest.mark.parametrize(("hits", "trials"), [(0, 500), (3, 1000), (250, 1000), (7, 7)])
    def test_lie_where_the_evidence_reaches_the_level(self, hits, trials):
        low, high = rate.lower(hits, trials, 0.05), rate.upper(hits, trials, 0.05)
        assert low <= hits / trials <= high
        mixture = special.betaln(hits + 0.5, trials - hits + 0.5) - special.betaln(0.5, 0.5)
        for end in (low, high):
            if 0.0 < end < 1.0:
                likelihood = special.xlogy(hits, end) + special.xlog1py(trials - hits, -end)
                assert mixture - likelihood == pytest.approx(math.log(20.0), rel=2e-3)

    def test_of_a_service_that_never_fails_reach_1_percent_after_some_700_answers(self):
        assert rate.upper(0, 600, 0.05) > 0.01
        assert rate.upper(0, 800, 0.05) < 0.01

    def test_of_nothing_are_everything(self):
        assert rate.lower(0, 0, 0.05) == 0.0
        assert rate.upper(0, 0, 0.05) == 1.0

    def test_are_wider_than_those_for_one_look(self):
        exact = stats.binomtest(20, 1000).proportion_ci(0.9, "exact")
        assert rate.lower(20, 1000, 0.05) < exact.low
        assert rate.upper(20, 1000, 0.05) > exact.high


class TestWrongInput:
    @pytest.mark.parametrize(("hits", "trials", "limit"), [(3, 2, 0.1), (-1, 2, 0.1), (1, 2, 1.5)])
    def test_is_refused(self, hits, trials, limit):
        with pytest.raises(InvalidRequest, match="hits are part of the trials"):
            rate.log_evidence_above(hits, trials, limit)

    def test_of_alpha_is_refused(self):
        with pytest.raises(InvalidRequest, match="alpha"):
            rate.upper(1, 2, 1.0)
