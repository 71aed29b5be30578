"""Whether users are worth less: for prices and hours of no known shape."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from flyball.domain.judging import Moments, Worth
from flyball.errors import InvalidRequest
from flyball.stats.sequential import means


def moments(values):
    return Moments(
        count=len(values), total=float(np.sum(values)), squares=float(np.sum(np.square(values)))
    )


def worth(share, champion, challenger):
    return Worth(share=share, champion=moments(champion), challenger=moments(challenger))


def bought(rng, n, *, factor=1.0):
    """One user in ten buys, at prices that differ widely."""
    return (rng.random(n) < 0.1) * rng.lognormal(2.0, 0.8, n) * factor


def rollout(rng, *, factor=1.0, users=8000):
    return [
        worth(s, bought(rng, round(users * (1 - s))), bought(rng, round(users * s), factor=factor))
        for s in (0.05, 0.25, 0.5)
    ]


class TestEvidence:
    def test_is_robbins_one_sided_normal_mixture_of_the_score(self):
        """Against the mixture integrated numerically over effects."""
        seen = [worth(0.25, [1.0, 3.0, 0.0, 2.0] * 300, [2.0, 1.0, 0.0, 1.5] * 100)]
        score, spread, units = means._score(seen)
        n, sigma = float(units), math.sqrt(spread / units)
        width = math.sqrt(means._SHARPEST)

        def weighted(effect):
            gain = math.exp(effect * -score / sigma - effect**2 * n / 2)
            return 2 * stats.norm.pdf(effect, scale=width) * gain

        mixture = integrate.quad(weighted, 0.0, 1.0, points=[-score / sigma / n], limit=200)[0]
        assert means.log_evidence(seen, more=False) == pytest.approx(math.log(mixture), rel=1e-6)

    def test_finds_a_loss_and_a_growth_of_a_quarter_but_not_the_other_way(self):
        rng = np.random.default_rng(5)
        lost = rollout(rng, factor=0.75, users=30_000)
        grew = rollout(rng, factor=1.25, users=30_000)
        shown = math.log(1 / 0.001)
        assert means.log_evidence(lost, more=False) > shown
        assert means.log_evidence(lost) < 0.0
        assert means.log_evidence(grew) > shown
        assert means.log_evidence(grew, more=False) < 0.0

    def test_does_not_mistake_a_better_hour_for_a_better_version(self):
        """The step with more of the challenger falls into an hour when everybody buys."""
        rng = np.random.default_rng(6)
        busy = worth(0.5, 5 * bought(rng, 4000), 5 * bought(rng, 4000))
        seen = [worth(0.05, bought(rng, 9500), bought(rng, 500)), busy]
        assert means.log_evidence(seen) < math.log(20)
        assert means.log_evidence(seen, more=False) < math.log(20)

    def test_of_few_buyers_says_nothing(self):
        seen = [worth(0.05, [10.0] * 300 + [0.0] * 9000, [0.0] * 500)]
        assert means.log_evidence(seen, more=False) == 0.0

    def test_one_whale_is_no_proof_of_growth(self):
        rng = np.random.default_rng(7)
        own = np.append(bought(rng, 400), 1e6)
        assert means.log_evidence([worth(0.05, bought(rng, 7600), own)]) == 0.0

    def test_an_arm_without_a_buyer_is_not_taken_for_one_without_uncertainty(self):
        """5 were due; none came, as it happens in 1 of 150 rollouts: no proof at 1 in 2000."""
        seen = [worth(0.5, [10.0] * 100 + [0.0] * 400, [10.0] * 70 + [0.0] * 430)]
        spread = means._score(seen)[1]
        assert spread >= 0.25 * (170 * 100 - 1000 * 1.7**2) * 0.99
        assert means.log_evidence(seen, more=False) < math.log(2000)

    def test_of_nothing_or_of_equal_worth_is_none(self):
        assert means.log_evidence([]) == 0.0
        same = [worth(0.5, [3.0] * 500, [3.0] * 500)]
        assert means.log_evidence(same) == means.log_evidence(same, more=False) == 0.0


class TestTheDifference:
    def test_is_the_ratio_of_means_with_an_interval_around_it(self):
        found = means.difference(rollout(np.random.default_rng(8), factor=0.8), 0.05)
        assert found.ratio == pytest.approx(0.8, abs=0.12)
        assert found.low < found.ratio < found.high
        assert found.challenger / found.champion == found.ratio

    def test_ends_where_the_evidence_reaches_the_level(self):
        seen = rollout(np.random.default_rng(9))
        found = means.difference(seen, 0.05)
        for end, more in ((found.low, True), (found.high, False)):
            evidence = means.log_evidence(seen, ratio=end, more=more)
            assert evidence == pytest.approx(math.log(40), abs=0.1)

    def test_of_nothing_is_unknown(self):
        found = means.difference([], 0.05)
        assert math.isnan(found.ratio)
        assert (found.low, found.high) == (0.0, math.inf)


class TestWrongInput:
    def test_is_refused(self):
        with pytest.raises(InvalidRequest, match="ratio of worth"):
            means.log_evidence([], ratio=0.0)
        with pytest.raises(InvalidRequest, match="alpha"):
            means.difference([], 1.0)
        with pytest.raises(InvalidRequest, match="share"):
            means.log_evidence([worth(1.0, [1.0], [2.0])])
