"""Evidence that one version is hit more often: exact where it can be counted, and quick."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from flyball.domain.judging import Split
from flyball.errors import InvalidRequest
from flyball.stats.sequential import split
from flyball.stats.sequential.split import log_evidence, log_evidence_below, ratio_interval


def hits(share, champion, challenger):
    return Split(share=share, champion=champion, challenger=challenger)


def average(share, chance, n, evidence):
    """Of the e-value over all outcomes of ``n`` hits, each the challenger's with ``chance``."""
    return sum(
        math.comb(n, k) * chance**k * (1 - chance) ** (n - k)
        * math.exp(evidence([hits(share, n - k, k)]))
        for k in range(n + 1)
    )  # fmt: skip


class TestUnderNoDifference:
    @pytest.mark.parametrize("share", [0.05, 0.25, 0.5])
    @pytest.mark.parametrize("n", [1, 7, 40])
    @pytest.mark.parametrize("restarts", [True, False])
    def test_evidence_is_one_on_average(self, share, n, restarts):
        def both(splits):
            return log_evidence(splits, restarts=restarts)

        def less(splits):
            return log_evidence_below(splits, restarts=restarts)

        assert average(share, share, n, both) == pytest.approx(1.0)
        assert average(share, share, n, less) == pytest.approx(1.0)

    def test_evidence_against_another_ratio_is_one_on_average_at_that_ratio(self):
        at = 1.5 * 0.25 / (1.5 * 0.25 + 0.75)
        assert average(0.25, at, 12, lambda s: log_evidence(s, above=1.5)) == pytest.approx(1.0)
        assert average(0.25, at, 12, lambda s: log_evidence_below(s, below=1.5)) == pytest.approx(1)

    @pytest.mark.parametrize("chance", [0.0, 0.1, 0.2, 0.24])
    def test_a_better_challenger_gives_less_than_one(self, chance):
        assert average(0.25, chance, 15, log_evidence) < 1.0

    def test_over_two_steps_it_is_one_on_average_with_restarts_too(self):
        total = 0.0
        for a, b in itertools.product(range(6), range(8)):
            chance = math.comb(5, a) * 0.05**a * 0.95 ** (5 - a)
            chance *= math.comb(7, b) * 0.5**7
            two = [hits(0.05, 5 - a, a), hits(0.5, 7 - b, b)]
            total += chance * math.exp(log_evidence(two, restarts=True))
        assert total == pytest.approx(1.0)


class TestAgainstTheProductItself:
    def test_evidence_is_the_mixture_of_products_over_hits(self):
        """Written as Wald would: one factor a hit, in the order in which they came."""
        rng = np.random.default_rng(3)
        order = [(share, rng.random() < 0.3) for share in [0.05] * 20 + [0.25] * 30]
        ratios = np.exp(split._EFFECTS)
        products = np.ones(len(ratios))
        for share, own in order:
            chance = ratios * share / (ratios * share + 1 - share)
            products *= chance / share if own else (1 - chance) / (1 - share)
        counted = [
            hits(
                share,
                sum(not own for s, own in order if s == share),
                sum(own for s, own in order if s == share),
            )
            for share in (0.05, 0.25)
        ]
        expected = math.log(float(np.exp(split._LOG_WEIGHTS) @ products))
        assert log_evidence(counted) == pytest.approx(expected)
        assert float(np.exp(split._LOG_WEIGHTS).sum()) == pytest.approx(1.0)


class TestQuickness:
    @pytest.mark.parametrize("restarts", [True, False])
    def test_three_failures_in_a_row_suffice_at_a_share_of_5_percent(self, restarts):
        three = [hits(0.05, 0, 3)]
        assert log_evidence(three, restarts=restarts) > math.log(1 / 0.003)

    def test_two_do_not(self):
        assert log_evidence([hits(0.05, 0, 2)], restarts=True) < math.log(1 / 0.004)

    def test_what_begins_with_a_later_step_is_found_though_the_first_was_fine(self):
        fine, then = hits(0.05, 400, 21), hits(0.25, 4, 14)
        assert log_evidence([fine, then], restarts=True) > math.log(1 / 0.004)
        assert log_evidence([fine, then], restarts=False) < math.log(1 / 0.004)

    @pytest.mark.parametrize(("ratio", "hits_needed"), [(2.0, 700), (5.0, 90), (20.0, 20)])
    def test_a_typical_bad_version_is_found_within_so_many_hits_at_5_percent(
        self, ratio, hits_needed
    ):
        own = round(hits_needed * ratio * 0.05 / (ratio * 0.05 + 0.95))
        found = log_evidence([hits(0.05, hits_needed - own, own)], restarts=True)
        assert found > math.log(1 / 0.004)


class TestWithNothingSeen:
    @pytest.mark.parametrize("splits", [(), [hits(0.05, 0, 0)], [hits(0.05, 0, 0)] * 3])
    def test_there_is_no_evidence_of_anything(self, splits):
        assert log_evidence(splits) == log_evidence_below(splits) == 0.0
        assert ratio_interval(splits, 0.05) == (0.0, math.inf)
        assert split.ratio(splits) == 1.0
        assert split.due(splits) == 0.0


class TestTheInterval:
    def test_holds_the_estimate_and_narrows_with_data(self):
        few = ratio_interval([hits(0.25, 75, 50)], 0.05)
        many = ratio_interval([hits(0.25, 7500, 5000)], 0.05)
        assert few[0] < many[0] < 2.0 < many[1] < few[1]
        assert many[1] / many[0] < 1.18

    def test_is_near_the_fixed_sample_one_for_large_numbers(self):
        """Wider by what looking at all times costs, and by no more than 2.2 times."""
        low, high = ratio_interval([hits(0.5, 10_000, 10_000)], 0.05)
        fixed = 1.96 * math.sqrt(4 / 20_000)
        assert fixed < math.log(high) < 2.2 * fixed
        assert math.log(low) == pytest.approx(-math.log(high), abs=0.003)

    def test_is_open_where_one_side_was_never_hit(self):
        low, high = ratio_interval([hits(0.05, 0, 3)], 0.05)
        assert low > 1.0
        assert high == math.inf
        low, high = ratio_interval([hits(0.05, 400, 0)], 0.05)
        assert low == 0.0
        assert high < 1.0

    def test_ends_where_the_likelihood_ratio_says(self):
        """Refuted is what the mixture beats by 1 / alpha; checked by brute force."""
        seen, alpha = hits(0.25, 30, 22), 0.05
        low, high = ratio_interval([seen], alpha)

        def likelihood(effect):
            chance = 0.25 * math.exp(effect) / (0.25 * math.exp(effect) + 0.75)
            return chance**seen.challenger * (1 - chance) ** seen.champion

        mixture = np.mean([likelihood(effect) for effect in split._AROUND])
        for end in (low, high):
            ratio = mixture / likelihood(math.log(end))
            assert ratio == pytest.approx(1 / alpha, rel=0.05)


class TestTheEstimate:
    def test_is_the_ratio_of_rates_over_steps_of_any_share(self):
        steps = [hits(0.05, 950, 100), hits(0.25, 750, 500)]
        assert split.ratio(steps) == pytest.approx(2.0)

    def test_is_infinite_where_the_champion_was_never_hit(self):
        assert split.ratio([hits(0.05, 0, 4)]) == math.inf


class TestWrongInput:
    @pytest.mark.parametrize(
        "wrong", [hits(0.0, 1, 1), hits(1.0, 1, 1), hits(math.nan, 1, 1), hits(0.5, -1, 1)]
    )
    def test_of_a_split_is_refused_by_name(self, wrong):
        with pytest.raises(InvalidRequest, match="is no split"):
            log_evidence([wrong])
        with pytest.raises(InvalidRequest, match="is no split"):
            ratio_interval([wrong], 0.05)

    @pytest.mark.parametrize("above", [0.0, -1.0, math.inf, math.nan])
    def test_of_a_ratio_is_refused(self, above):
        with pytest.raises(InvalidRequest, match="ratio of rates"):
            log_evidence([], above=above)
        with pytest.raises(InvalidRequest, match="ratio of rates"):
            log_evidence_below([], below=above)

    @pytest.mark.parametrize("alpha", [0.0, 1.0, math.nan])
    def test_of_alpha_is_refused(self, alpha):
        with pytest.raises(InvalidRequest, match="alpha"):
            ratio_interval([], alpha)
