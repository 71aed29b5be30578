"""Boundaries, power and estimates after stopping: against published tables and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from flyball.domain.ab_test import Spending
from flyball.errors import InvalidRequest
from flyball.stats.experiments.dunnett import critical_value, level_of_each
from flyball.stats.experiments.group_sequential import (
    FARTHEST,
    at_stopping,
    critical_values,
    crossings,
    detectable,
    power,
    spent,
)


def even(looks: int) -> list[float]:
    return [(look + 1) / looks for look in range(looks)]


class TestBoundariesThatSpendTheError:
    @pytest.mark.parametrize(
        ("looks", "published"),
        [
            (1, [1.9600]),
            (2, [2.9626, 1.9686]),
            (3, [3.7103, 2.5114, 1.9930]),
            (4, [4.3326, 2.9631, 2.3590, 2.0141]),
            (5, [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]),
        ],
    )
    def test_agree_with_lan_and_demets_for_obrien_and_fleming(self, looks, published):
        found = critical_values(even(looks), even(looks), alpha=0.05)
        assert found == pytest.approx(published, abs=2e-4)

    @pytest.mark.parametrize(
        ("looks", "published"),
        [(2, [2.157, 2.201]), (5, [2.4380, 2.4268, 2.4101, 2.3966, 2.3859])],
    )
    def test_agree_with_lan_and_demets_for_pocock(self, looks, published):
        found = critical_values(even(looks), even(looks), alpha=0.05, spending=Spending.POCOCK)
        assert found == pytest.approx(published, abs=6e-4)

    def test_agree_with_integrals_over_the_joint_normal(self):
        """The same probabilities by another way: the distribution of all z at once."""
        information = [1.0, 2.5, 3.1]
        bounds = critical_values(information, [0.2, 0.7, 0.9], alpha=0.1)
        joint = np.array(
            [[math.sqrt(min(a, b) / max(a, b)) for a in information] for b in information]
        )
        inside = stats.multivariate_normal.cdf(
            bounds, np.zeros(3), joint, abseps=1e-6, lower_limit=[-b for b in bounds],
            rng=np.random.default_rng(1),
        )  # fmt: skip
        assert 1.0 - inside == pytest.approx(spent(0.9, 0.1, Spending.OBRIEN_FLEMING), abs=2e-5)

    def test_of_earlier_looks_never_change(self):
        early = critical_values([3.0, 4.0], [0.2, 0.5])
        assert critical_values([3.0, 4.0, 20.0], [0.2, 0.5, 1.0])[:2] == early

    def test_depend_on_the_information_only_by_its_ratios(self):
        few = critical_values([1.0, 3.0, 4.0], even(3))
        assert critical_values([1e6, 3e6, 4e6], even(3)) == pytest.approx(few, abs=1e-8)

    def test_of_a_look_at_once_are_as_far_as_any(self):
        assert critical_values([1.0, 100.0], [0.01, 1.0])[0] == FARTHEST

    @pytest.mark.parametrize("spending", Spending)
    def test_spend_everything_by_the_end_and_nothing_at_the_start(self, spending):
        assert spent(0.0, 0.05, spending) == 0.0
        assert spent(1.0, 0.05, spending) == pytest.approx(0.05)
        assert np.all(np.diff([spent(f, 0.05, spending) for f in np.linspace(0, 1, 21)]) > 0)

    def test_hold_with_fifty_looks(self):
        bounds = critical_values(even(50), even(50), alpha=0.05)
        above, below = crossings(even(50), bounds)
        assert above.sum() + below.sum() == pytest.approx(0.05, abs=1e-6)

    @pytest.mark.parametrize(
        ("information", "fractions", "alpha", "reason"),
        [
            ([1.0, 1.0], [0.5, 1.0], 0.05, "must add information"),
            ([2.0, 1.0], [0.5, 1.0], 0.05, "must add information"),
            ([0.0, 1.0], [0.5, 1.0], 0.05, "above 0"),
            ([1.0, 2.0], [0.5, 0.5], 0.05, "must rise"),
            ([1.0, 2.0], [0.5, 1.1], 0.05, "end at 1"),
            ([1.0, 2.0], [1.0], 0.05, "one each"),
            ([], [], 0.05, "one each"),
            ([1.0], [1.0], 0.0, "between 0 and 1"),
            ([math.nan], [1.0], 0.05, "above 0"),
        ],
    )
    def test_refuse_looks_that_make_no_test(self, information, fractions, alpha, reason):
        with pytest.raises(InvalidRequest, match=reason):
            critical_values(information, fractions, alpha=alpha)


class TestProbabilitiesOfStopping:
    @pytest.mark.parametrize(
        ("looks", "constant"), [(2, 2.178), (3, 2.289), (5, 2.413), (10, 2.555)]
    )
    def test_agree_with_pocock_table_2_1_of_jennison_and_turnbull(self, looks, constant):
        above, below = crossings(even(looks), [constant] * looks)
        assert above.sum() + below.sum() == pytest.approx(0.05, abs=1.5e-4)

    @pytest.mark.parametrize(("looks", "constant"), [(2, 1.977), (5, 2.040), (10, 2.087)])
    def test_agree_with_obrien_fleming_table_2_3(self, looks, constant):
        bounds = [constant * math.sqrt(looks / (look + 1)) for look in range(looks)]
        above, below = crossings(even(looks), bounds)
        assert above.sum() + below.sum() == pytest.approx(0.05, abs=1.5e-4)

    @pytest.mark.parametrize(
        ("constant", "shape", "inflation"), [(2.413, 0.0, 1.207), (2.040, 0.5, 1.026)]
    )
    def test_have_the_power_of_tables_2_2_and_2_4(self, constant, shape, inflation):
        """With that much more than a fixed test needs, 90% are found."""
        bounds = [constant * (5 / (look + 1)) ** shape for look in range(5)]
        most = inflation * (stats.norm.ppf(0.975) + stats.norm.ppf(0.9)) ** 2
        above, _ = crossings([most * fraction for fraction in even(5)], bounds, drift=1.0)
        assert above.sum() == pytest.approx(0.9, abs=1.5e-3)

    def test_agree_with_simulation_look_by_look(self):
        information, bounds, drift = [4.0, 6.0, 15.0], [2.6, 2.1, 1.9], 0.4
        rng, runs = np.random.default_rng(5), 200_000
        steps = np.diff([0.0, *information])
        score = np.cumsum(rng.normal(drift * steps, np.sqrt(steps), (runs, 3)), axis=1)
        crossed = np.abs(score) >= np.array(bounds) * np.sqrt(information)
        first = np.where(crossed.any(axis=1), crossed.argmax(axis=1), 3)
        above, below = crossings(information, bounds, drift=drift)
        for look in range(3):
            here = first == look
            assert (here & (score[:, look] > 0)).mean() == pytest.approx(above[look], abs=4e-3)
            assert (here & (score[:, look] < 0)).mean() == pytest.approx(below[look], abs=1e-3)

    def test_tell_the_effect_that_is_found_as_often_as_wanted(self):
        effect = detectable(400.0, even(4), wanted=0.8)
        assert power(effect, 400.0, even(4)) == pytest.approx(0.8, abs=1e-6)
        assert effect == pytest.approx(2.8016 / 20.0, rel=0.03)  # a fixed test's, and a little more


class TestAnEstimateAtStopping:
    def test_of_a_single_look_is_the_usual_one(self):
        found = at_stopping([25.0], [1.96], 2.5)
        assert (found.value, found.low, found.high) == pytest.approx(
            (0.5, 0.5 - 0.392, 0.5 + 0.392), abs=1e-4
        )
        assert found.p_value == pytest.approx(2 * stats.norm.sf(2.5))

    def test_is_symmetric_in_the_versions(self):
        up, down = (at_stopping([2.0, 5.0], [2.5, 2.0], z) for z in (2.2, -2.2))
        assert (-down.value, -down.high, -down.low) == pytest.approx((up.value, up.low, up.high))
        assert up.p_value == pytest.approx(down.p_value)

    @pytest.mark.parametrize("stage", [1, 2, 3])
    def test_leaves_no_difference_out_where_a_boundary_was_crossed(self, stage):
        bounds = critical_values(even(3), even(3))
        found = at_stopping(even(3)[:stage], bounds[:stage], bounds[stage - 1] + 0.01)
        assert found.low > 0.0
        assert found.p_value < 0.05

    def test_leaves_it_in_where_the_horizon_came_first(self):
        bounds = critical_values(even(3), even(3))
        found = at_stopping(even(3), bounds, bounds[-1] - 0.01)
        assert found.low < 0.0
        assert found.p_value > 0.05

    def test_is_smaller_than_what_was_seen_because_it_stopped_for_being_large(self):
        bounds = critical_values(even(4), even(4))
        assert at_stopping(even(4)[:2], bounds[:2], 3.0).value < 3.0 / math.sqrt(0.5)

    @pytest.mark.parametrize("drift", [0.0, 2.0, 3.2])
    def test_covers_the_truth_as_often_as_it_claims_and_errs_evenly(self, drift):
        rng, runs, looks = np.random.default_rng(8), 200, even(4)
        bounds = critical_values(looks, looks)
        steps = np.diff([0.0, *looks])
        covered = too_low = 0
        for _ in range(runs):
            z = np.cumsum(rng.normal(drift * steps, np.sqrt(steps))) / np.sqrt(looks)
            crossed = np.flatnonzero(np.abs(z) >= bounds)
            stage = int(crossed[0]) + 1 if len(crossed) else len(looks)
            found = at_stopping(looks[:stage], bounds[:stage], float(z[stage - 1]))
            covered += found.low <= drift <= found.high
            too_low += found.value < drift
        low, high = stats.binom.ppf([1e-4, 1 - 1e-4], runs, 0.95)
        assert low <= covered <= high
        low, high = stats.binom.ppf([1e-4, 1 - 1e-4], runs, 0.5)
        assert low <= too_low <= high


class TestDunnett:
    @pytest.mark.parametrize(
        ("arms", "published"), [(1, 1.96), (2, 2.21), (3, 2.35), (4, 2.44), (5, 2.51), (9, 2.69)]
    )
    def test_agrees_with_the_tables_of_1964(self, arms, published):
        assert critical_value(arms, 0.05) == pytest.approx(published, abs=6e-3)

    def test_agrees_with_the_joint_normal_for_a_large_control(self):
        bound = critical_value(3, 0.05, control_share=0.7)
        joint = np.full((3, 3), 0.3) + 0.7 * np.eye(3)
        inside = stats.multivariate_normal.cdf(
            [bound] * 3, np.zeros(3), joint, abseps=1e-6, lower_limit=[-bound] * 3,
            rng=np.random.default_rng(2),
        )  # fmt: skip
        assert inside == pytest.approx(0.95, abs=5e-5)

    def test_is_sharper_than_bonferroni(self):
        assert 0.05 / 4 < level_of_each(4, 0.05) < 0.05

    @pytest.mark.parametrize(("arms", "alpha", "share"), [(0, 0.05, 0.5), (2, 0, 0.5), (2, 0.1, 1)])
    def test_refuses_what_is_no_comparison(self, arms, alpha, share):
        with pytest.raises(InvalidRequest, match="no comparison"):
            critical_value(arms, alpha, control_share=share)
