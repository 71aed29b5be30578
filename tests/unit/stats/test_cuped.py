"""A difference that is as uncertain as it says, and less so with what was known before."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from flyball.errors import InvalidRequest
from flyball.stats.bootstrap import paired_bootstrap
from flyball.stats.experiments.cuped import Arm, difference


def shoppers(n, rng, effect=0.0, known=0.8):
    """Worth in the test and before it: both follow from how keen a user is."""
    keen = rng.exponential(1.0, n)
    before = keen + rng.normal(0, 0.3, n)
    return Arm(known * keen + rng.normal(effect, 0.4, n), before=before)


def visitors(n, rng, effect=0.0):
    """Value per impression: users differ in how much they see and in how much they spend."""
    taste = rng.gamma(2.0, 0.5, n)
    views = 1 + rng.poisson(5 * rng.exponential(1.0, n))
    worth = rng.poisson(views * (0.3 * taste + effect)).astype(float)
    return Arm(worth, chances=views, before=taste + rng.normal(0, 0.2, n))


class TestWithoutAnythingKnownBefore:
    def test_is_welchs_difference(self):
        rng = np.random.default_rng(1)
        a, b = rng.normal(0, 1, 300), rng.normal(0.2, 3, 500)
        found = difference(Arm(a), Arm(b))
        theirs = stats.ttest_ind(b, a, equal_var=False)
        assert found.value / found.error == pytest.approx(theirs.statistic)
        assert (found.users_a, found.users_b, found.reduction) == (300, 500, 0.0)
        assert found.relative == pytest.approx(found.value / a.mean())

    def test_a_ratio_has_the_error_that_resampling_users_shows(self):
        a = visitors(2_000, np.random.default_rng(2))
        found = difference(Arm(a.worth, a.chances), Arm(a.worth, a.chances))
        rng, ratios = np.random.default_rng(3), []
        for _ in range(1_500):
            drawn = rng.integers(0, a.users, a.users)
            ratios.append(a.worth[drawn].sum() / a.chances[drawn].sum())
        assert found.value == 0.0
        assert found.error / np.sqrt(2) == pytest.approx(np.std(ratios), rel=0.08)


class TestWithWhatWasKnownBefore:
    def test_is_the_coefficient_of_an_analysis_of_covariance(self):
        """By another way: least squares on version and covariates, errors by the sandwich."""
        rng = np.random.default_rng(4)
        a, b = shoppers(400, rng), shoppers(600, rng, effect=0.1)
        found = difference(a, b)
        design = np.column_stack([
            np.ones(1_000), np.repeat([0.0, 1.0], [400, 600]), np.concatenate([a.before, b.before])
        ])  # fmt: skip
        worth = np.concatenate([a.worth, b.worth])
        inverse = np.linalg.inv(design.T @ design)
        coefficients = inverse @ design.T @ worth
        left = worth - design @ coefficients
        errors = np.sqrt(np.diag(inverse @ (design.T * left**2) @ design @ inverse))
        assert found.value == pytest.approx(coefficients[1], abs=1e-12)
        assert found.error == pytest.approx(errors[1], rel=0.01)

    def test_takes_away_the_variance_that_it_explains(self):
        rng = np.random.default_rng(5)
        a, b = shoppers(20_000, rng), shoppers(20_000, rng)
        explained = np.corrcoef(a.worth, a.before[:, 0])[0, 1] ** 2
        assert explained > 0.5
        assert difference(a, b).reduction == pytest.approx(explained, abs=0.03)

    def test_takes_nothing_away_where_it_explains_nothing(self):
        rng = np.random.default_rng(6)
        a, b = (Arm(rng.normal(0, 1, 900), before=rng.normal(0, 1, 900)) for _ in range(2))
        assert 0.0 <= difference(a, b).reduction < 0.01

    def test_uses_several_columns_and_is_not_upset_by_useless_ones(self):
        rng = np.random.default_rng(7)
        a, b = shoppers(500, rng), shoppers(500, rng, effect=0.3)
        wide = [
            Arm(arm.worth, before=np.column_stack([arm.before, arm.before * 2, np.ones(500)]))
            for arm in (a, b)
        ]
        assert difference(*wide).value == pytest.approx(difference(a, b).value)

    @pytest.mark.parametrize(("made", "effect"), [(shoppers, 0.05), (visitors, 0.02)])
    def test_covers_the_truth_as_often_as_it_claims(self, made, effect):
        rng, runs, covered, narrower = np.random.default_rng(9), 600, 0, []
        for _ in range(runs):
            found = difference(made(700, rng), made(500, rng, effect=effect))
            covered += abs(found.value - effect) <= 1.96 * found.error
            narrower.append(found.reduction)
        low, high = stats.binom.ppf([1e-4, 1 - 1e-4], runs, 0.95)
        assert low <= covered <= high
        assert np.mean(narrower) > 0.15

    def test_does_not_move_the_estimate_on_the_whole(self):
        rng = np.random.default_rng(10)
        gaps = []
        for _ in range(400):
            a, b = shoppers(200, rng), shoppers(200, rng)
            gaps.append(difference(a, b).value - difference(Arm(a.worth), Arm(b.worth)).value)
        middle = paired_bootstrap(gaps, np.zeros(400), seed=1)
        assert middle.low < 0 < middle.high


class TestWhatItRefuses:
    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"worth": [1.0]}, "1 users can't be compared"),
            ({"worth": [1.0, np.nan]}, "finite numbers"),
            ({"worth": [1.0, 2.0], "chances": [1.0]}, "as many as users"),
            ({"worth": [1.0, 2.0], "chances": [0.0, 0.0]}, "not all 0"),
            ({"worth": [1.0, 2.0], "chances": [3.0, -1.0]}, "none negative"),
            ({"worth": [1.0, 2.0], "before": [1.0]}, "not of the 2 users"),
        ],
    )
    def test_users_that_cannot_be_compared(self, fields, reason):
        with pytest.raises(InvalidRequest, match=reason):
            Arm(**fields)

    def test_a_mean_beside_a_ratio(self):
        with pytest.raises(InvalidRequest, match="a mean and a ratio"):
            difference(Arm([1.0, 2.0]), Arm([1.0, 2.0], chances=[1, 1]))

    def test_arms_of_whom_different_things_are_known(self):
        with pytest.raises(InvalidRequest, match="the same columns"):
            difference(Arm([1, 2], before=[1, 2]), Arm([1, 2], before=[[1, 2], [2, 4]]))
