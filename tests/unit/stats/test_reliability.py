"""Whether predicted probabilities hold: by simulation, and against scikit-learn's figures."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy import stats
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from flyball.errors import InvalidRequest
from flyball.stats.probability import fit_calibration
from flyball.stats.reliability import Reliability, reliability, wilson


def cells(
    n_users: int, each: int, rng: np.random.Generator, spread: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Scores, probabilities, outcomes, users; with ``spread`` some users hit more often."""
    scores = rng.normal(size=(n_users, each))
    chances = 1 / (1 + np.exp(3 - scores))
    eager = 1 + spread * rng.choice([-1.0, 1.0], size=(n_users, 1))
    hits = rng.random(chances.shape) < chances * eager
    users = np.repeat(np.arange(n_users), each)
    return scores.ravel(), chances.ravel(), hits.ravel(), users


def alarm_rate_is(level: float, p_values: list[float | None]) -> bool:
    """Whether as many p-values lie below a level as should: a binomial test."""
    assert None not in p_values
    below = sum(p is not None and p < level for p in p_values)
    return stats.binomtest(below, len(p_values), level).pvalue > 1e-3


class TestTheTest:
    """Of whether probabilities hold."""

    def test_raises_as_many_false_alarms_as_it_says(self) -> None:
        rng = np.random.default_rng(1)
        found = []
        for _ in range(300):
            _, chances, hits, _ = cells(1, 4_000, rng)
            found.append(reliability(chances, hits).p_value)
        assert alarm_rate_is(0.05, found)
        assert alarm_rate_is(0.2, found)

    def test_raises_no_more_of_them_where_some_users_hit_more_than_others(self) -> None:
        rng = np.random.default_rng(2)
        found, naive = [], []
        for _ in range(300):
            _, chances, hits, users = cells(60, 70, rng, spread=0.9)
            found.append(reliability(chances, hits, units=users).p_value)
            naive.append(reliability(chances, hits).p_value)
        assert alarm_rate_is(0.05, found)
        assert not alarm_rate_is(0.05, naive)  # the users matter

    def test_allows_for_the_chance_error_of_a_learnt_map(self) -> None:
        """Rather too few false alarms than too many."""
        rng = np.random.default_rng(3)
        found, strict = [], []
        for _ in range(200):
            scores, _, hits, users = cells(120, 100, rng)
            learning = users < 60
            chances = fit_calibration(scores[learning], hits[learning]).apply(scores[~learning])
            judged = (chances, hits[~learning])
            found.append(reliability(*judged, units=users[~learning], fitted_on=60).p_value)
            strict.append(reliability(*judged, units=users[~learning]).p_value)
        alarms = sum(p is not None and p < 0.05 for p in found)
        assert stats.binomtest(alarms, len(found), 0.05, alternative="greater").pvalue > 1e-3
        assert sum(p is not None and p < 0.05 for p in strict) > 2 * alarms

    @pytest.mark.parametrize("wrong", [0.7, 1.4])
    def test_finds_probabilities_that_are_too_high_or_too_low(self, wrong: float) -> None:
        _, chances, hits, users = cells(200, 100, np.random.default_rng(4))
        assert reliability(chances * wrong, hits, units=users).holds is False

    @pytest.mark.parametrize(("wrong", "holds"), [(0.95, True), (0.85, None)])
    def test_does_not_call_wrong_what_is_only_inexact(self, wrong: float, holds: bool) -> None:
        """However many players make it certain."""
        _, chances, hits, users = cells(4000, 100, np.random.default_rng(4))
        found = reliability(chances * wrong, hits, units=users)
        assert found.p_value is not None
        assert found.p_value < 0.01
        assert found.misplaced == pytest.approx(1 - wrong, abs=0.03)
        assert found.holds is holds

    def test_finds_errors_that_cancel_out_on_the_whole(self) -> None:
        """Too bold above and too shy below: the sum is right, the bins are not."""
        _, chances, hits, users = cells(400, 100, np.random.default_rng(5))
        bold = chances**1.5
        bold *= chances.sum() / bold.sum()
        assert reliability(np.minimum(bold, 1.0), hits, units=users).holds is False

    @pytest.mark.parametrize(("n_users", "each"), [(1, 100), (1, 5_000), (3, 4_000)])
    def test_says_nothing_of_a_handful_of_hits_or_users(self, n_users: int, each: int) -> None:
        _, chances, hits, users = cells(n_users, each, np.random.default_rng(6))
        found = reliability(chances, hits, units=users)
        assert found.p_value is None
        assert found.holds is None


class TestTheFigures:
    """Of one set of cells."""

    _, chances, hits, users = cells(50, 200, np.random.default_rng(7))

    def test_brier_score_is_that_of_scikit_learn(self) -> None:
        weights = np.random.default_rng(0).random(len(self.hits)) + 0.5
        found = reliability(self.chances, self.hits, weights=weights)
        theirs = brier_score_loss(self.hits, self.chances, sample_weight=weights)
        assert found.brier == pytest.approx(theirs, rel=1e-12)

    def test_bins_are_those_of_scikit_learn_where_edges_are_given(self) -> None:
        found = reliability(self.chances, self.hits, edges=np.linspace(0, 1, 11))
        observed, predicted = calibration_curve(self.hits, self.chances, n_bins=10)
        assert [each.observed for each in found.bins] == pytest.approx(observed.tolist())
        assert [each.predicted for each in found.bins] == pytest.approx(predicted.tolist())

    def test_calibration_error_is_small_for_true_probabilities(self) -> None:
        found = reliability(self.chances, self.hits, units=self.users)
        assert found.ece < 0.01
        assert found.holds is True

    def test_calibration_error_is_that_of_the_bins(self) -> None:
        found = reliability(self.chances * 0.5, self.hits)
        gaps = [abs(each.predicted - each.observed) * each.cells for each in found.bins]
        assert found.ece == pytest.approx(sum(gaps) / found.cells)
        assert found.ece > 0.02

    def test_skill_is_nought_for_the_base_rate_and_one_for_certainty(self) -> None:
        base = np.full(len(self.hits), self.hits.mean())
        assert reliability(base, self.hits).skill == pytest.approx(0.0)
        assert reliability(self.hits.astype(float), self.hits).skill == 1.0

    def test_bins_are_predicted_equally_many_hits(self) -> None:
        found = reliability(self.chances, self.hits)
        mass = [each.predicted * each.cells for each in found.bins]
        assert len(mass) == 10
        assert max(mass) / min(mass) < 1.1

    def test_intervals_are_wider_where_users_differ(self) -> None:
        _, chances, hits, users = cells(60, 200, np.random.default_rng(8), spread=0.9)
        apart = reliability(chances, hits).bins
        together = reliability(chances, hits, units=users).bins
        wider = [b.high - b.low > a.high - a.low for a, b in zip(apart, together, strict=True)]
        assert sum(wider) > len(wider) / 2

    def test_intervals_hold_the_share_and_never_leave_zero_and_one(self) -> None:
        for share, trials in [(0.0, 1.0), (0.0, 50.0), (0.3, 20.0), (1.0, 7.0)]:
            low, high = wilson(share, trials)
            theirs = stats.binomtest(round(share * trials), round(trials)).proportion_ci(
                method="wilson"
            )
            assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)

    def test_go_through_json_unchanged(self) -> None:
        found = reliability(self.chances, self.hits, units=self.users)
        assert Reliability.from_plain(json.loads(json.dumps(found.to_plain()))) == found

    def test_are_finite_where_nothing_or_all_came_true(self) -> None:
        for happened in (np.zeros(50, bool), np.ones(50, bool)):
            found = reliability(np.full(50, 0.4), happened)
            assert found.skill == 0.0
            json.dumps(found.to_plain(), allow_nan=False)

    @pytest.mark.parametrize(
        ("chances", "more"),
        [
            ([0.1, 1.2], {}),
            ([-0.1, 0.2], {}),
            ([0.1, math.nan], {}),
            ([0.1, 0.2], {"units": [1]}),
            ([0.1, 0.2], {"fitted_on": 0}),
            ([], {}),
        ],
    )
    def test_refuse_what_is_no_probability(self, chances: list[float], more: dict) -> None:
        with pytest.raises(InvalidRequest):
            reliability(chances, [True, False][: len(chances)], **more)
