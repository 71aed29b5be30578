"""Scores become probabilities, and the order of scores stays."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from flyball.errors import InvalidRequest
from flyball.stats.probability import KNOTS, Calibration, fit_calibration


def drawn(n: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, outcomes and the true probabilities that these were drawn with."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=n).astype(np.float32)
    true = 1 / (1 + np.exp(4 - 2 * scores.astype(float)))
    return scores, rng.random(n) < true, true


class TestAFittedMap:
    """Learnt from scores with known outcomes."""

    def test_finds_the_probabilities_that_outcomes_were_drawn_with(self) -> None:
        scores, hits, true = drawn(200_000)
        found = fit_calibration(scores, hits).apply(scores)
        assert np.abs(found - true).mean() < 0.003
        assert found.mean() == pytest.approx(hits.mean(), rel=0.01)

    def test_is_near_the_isotonic_regression_of_scikit_learn(self) -> None:
        """It is that regression with its steps turned to slopes."""
        scores, hits, _ = drawn(50_000)
        weights = np.random.default_rng(0).integers(1, 4, len(scores)).astype(float)
        theirs = IsotonicRegression(out_of_bounds="clip").fit(scores, hits, weights)
        ours = fit_calibration(scores, hits, weights)
        assert (
            np.average(np.abs(ours.apply(scores) - theirs.predict(scores)), weights=weights) < 0.004
        )

    def test_a_weight_counts_as_so_many_cells(self) -> None:
        scores, hits, _ = drawn(3_000)
        weights = np.random.default_rng(0).integers(1, 4, len(scores))
        once = fit_calibration(scores, hits, weights)
        spelt_out = fit_calibration(np.repeat(scores, weights), np.repeat(hits, weights))
        np.testing.assert_allclose(once.scores, spelt_out.scores, rtol=1e-6)
        np.testing.assert_allclose(once.probabilities, spelt_out.probabilities, rtol=1e-6)

    def test_ranks_as_the_scores_rank(self) -> None:
        scores, hits, _ = drawn(30_000)
        found = fit_calibration(scores, hits)
        inside = np.unique(scores[(scores > found.scores[0]) & (scores < found.scores[-1])])
        assert (np.diff(found.apply(inside)) > 0).all()

    def test_is_small_and_within_zero_and_one(self) -> None:
        scores, hits, _ = drawn(200_000)
        found = fit_calibration(scores, hits)
        assert 10 <= len(found.scores) <= KNOTS
        assert found.probabilities[0] > 0
        assert found.probabilities[-1] < 1

    def test_claims_no_certainty_where_all_top_scores_are_hits(self) -> None:
        scores = np.arange(100.0)
        top = fit_calibration(scores, scores >= 50).apply(99.0)
        assert 0.9 < top < 1.0

    def test_of_falling_probabilities_says_the_base_rate_of_all(self) -> None:
        """Scores that speak against what they should speak for say nothing."""
        scores = np.arange(1000.0)
        found = fit_calibration(scores, scores < 200)
        assert found.apply([0.0, 500.0, 999.0]) == pytest.approx(0.2, abs=0.001)

    def test_of_equal_scores_says_the_base_rate(self) -> None:
        found = fit_calibration(np.zeros(100), np.arange(100) < 30)
        assert found.apply([-1.0, 0.0, 1.0]) == pytest.approx(0.3, abs=0.01)

    def test_of_one_hit_is_one_number(self) -> None:
        found = fit_calibration(np.arange(10.0), np.arange(10) == 9)
        assert len(found.scores) == 1
        assert 0 < found.apply(9.0) < 0.2

    @pytest.mark.parametrize(
        ("scores", "hits", "weights"),
        [
            ([], [], None),
            ([1.0, 2.0], [True], None),
            ([1.0, math.nan], [True, False], None),
            ([1.0, math.inf], [True, False], None),
            ([1.0, 2.0], [False, False], None),
            ([1.0, 2.0], [2, 0], None),
            ([1.0, 2.0], [True, False], [1.0, 0.0]),
            ([1.0, 2.0], [True, False], [1.0, math.nan]),
        ],
    )
    def test_refuses_what_teaches_nothing(
        self, scores: list[float], hits: list[bool], weights: list[float] | None
    ) -> None:
        with pytest.raises(InvalidRequest):
            fit_calibration(scores, hits, weights)


class TestABoundOnTheProbability:
    """Costs one comparison of scores."""

    found = Calibration(np.array([-1.0, 0.0, 2.0]), np.array([0.01, 0.2, 0.9]))

    @pytest.mark.parametrize(
        "bound", [0.010001, 0.05, 0.2, 0.3, 0.77, 0.899999, float(np.float32(0.9))]
    )
    def test_lets_through_exactly_the_scores_that_have_it(self, bound: float) -> None:
        least = np.float32(self.found.inverse(bound))
        below = np.nextafter(least, np.float32(-np.inf))
        assert self.found.apply(least) >= bound
        assert self.found.apply(below) < bound

    @given(seed=st.integers(0, 10_000), at_score=st.booleans())
    @settings(max_examples=200, deadline=None)
    def test_is_the_same_of_any_map(self, seed: int, at_score: bool) -> None:
        rng = np.random.default_rng(seed)
        m = int(rng.integers(1, 65))
        scores = np.unique(rng.normal(scale=10.0 ** rng.integers(-6, 6), size=m).astype(np.float32))
        chances = np.unique(rng.beta(0.2, 2, size=4 * m).astype(np.float32))
        chances = chances[(chances > 0) & (chances < 1)]
        m = min(len(scores), len(chances))
        found = Calibration(scores[:m], chances[:m])
        asked = rng.normal(scale=np.abs(scores).max(), size=300).astype(np.float32)
        bound = float(found.apply(asked)[0]) if at_score else float(rng.choice(chances))
        passing = asked.astype(float) >= found.inverse(bound)
        assert (passing == (found.apply(asked) >= bound)).all()

    def test_below_all_probabilities_lets_all_through(self) -> None:
        assert self.found.inverse(0.0) == -math.inf
        assert self.found.inverse(0.005) == -math.inf

    def test_above_all_probabilities_lets_none_through(self) -> None:
        assert self.found.inverse(0.95) == math.inf
        assert self.found.inverse(1.0) == math.inf

    def test_beyond_its_ends_the_map_is_constant(self) -> None:
        np.testing.assert_allclose(
            self.found.apply([-9.0, -np.inf, 9.0]), [0.01, 0.01, 0.9], rtol=1e-6
        )


class TestShiftedOdds:
    """What a boost does to a score."""

    found = Calibration(np.array([-1.0, 0.0, 2.0]), np.array([0.01, 0.2, 0.9]))

    @pytest.mark.parametrize("factor", [0.5, 1.0, 2.0, 3.0])
    def test_are_multiplied(self, factor: float) -> None:
        scores = np.array([-0.5, 0.0, 0.4])
        before, after = (
            self.found.apply(scores),
            self.found.apply(self.found.shifted(scores, factor)),
        )
        np.testing.assert_allclose(after / (1 - after), factor * before / (1 - before), rtol=1e-6)

    def test_by_one_are_the_same_scores_everywhere(self) -> None:
        scores = np.array([-50.0, -1.0, -0.3, 0.0, 1.1, 2.0, 70.0])
        np.testing.assert_allclose(self.found.shifted(scores, 1.0), scores, rtol=1e-9, atol=1e-9)

    def test_rise_with_the_score_and_with_the_factor_beyond_the_ends_too(self) -> None:
        scores = np.linspace(-3, 4, 50)
        factors = np.geomspace(1e-6, 1e6, 40)
        table = np.stack([self.found.shifted(scores, factor) for factor in factors])
        assert (np.diff(table, axis=0) > 0).all()
        assert (np.diff(table, axis=1) > 0).all()

    def test_of_a_map_of_one_number_still_move(self) -> None:
        flat = Calibration(np.array([0.0]), np.array([0.1]))
        assert flat.shifted([0.0, 1.0], 2.0) == pytest.approx([math.log(2), 1 + math.log(2)])


@pytest.mark.parametrize(
    ("scores", "chances"),
    [
        ([], []),
        ([0.0], [0.1, 0.2]),
        ([0.0, 0.0], [0.1, 0.2]),
        ([0.0, 1.0], [0.2, 0.2]),
        ([0.0, 1.0], [0.0, 0.2]),
        ([0.0, 1.0], [0.2, 1.0]),
        ([0.0, math.inf], [0.1, 0.2]),
        ([0.0, 1.0], [0.1, math.nan]),
    ],
)
def test_a_map_that_does_not_rise_within_zero_and_one_is_refused(
    scores: list[float], chances: list[float]
) -> None:
    with pytest.raises(InvalidRequest):
        Calibration(np.array(scores), np.array(chances))
