"""Four answers, and how often they are wrong. ``benchmarks.experiments`` counts in thousands."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from flyball.errors import InvalidRequest
from flyball.stats.experiments.group_sequential import critical_values
from flyball.stats.experiments.verdicts import Answer, Design, Look, decide, decide_all

QUARTERS = (0.25, 0.5, 0.75, 1.0)


def seen(z: float, fraction: float = 1.0, error: float = 1.0) -> Look:
    return Look(fraction=fraction, difference=z * error, error=error)


def walked(z: list[float]) -> list[Look]:
    """Looks at quarters of the horizon with information in proportion, and these z."""
    return [
        seen(value, fraction, 1.0 / math.sqrt(fraction))
        for value, fraction in zip(z, QUARTERS, strict=False)
    ]


def drifting(drift: float, runs: int, rng: np.random.Generator) -> list[list[Look]]:
    """Whole tests of a difference that is truly ``drift``; the error at the end is 1."""
    steps = rng.normal(drift * 0.25, 0.5, (runs, 4))
    z = np.cumsum(steps, axis=1) / np.sqrt(QUARTERS)
    return [walked(list(map(float, row))) for row in z]


class TestAnAnswer:
    def test_is_b_where_it_is_better_and_a_where_that_is(self):
        design = Design(minimal_effect=0.1)
        assert decide(walked([5.0]), design).answer is Answer.B_BETTER
        assert decide(walked([-5.0]), design).answer is Answer.A_BETTER

    def test_is_not_yet_while_looks_are_to_come(self):
        found = decide(walked([2.0, 2.0]), Design(minimal_effect=0.1))
        assert (found.answer, found.look, found.final) == (Answer.NOT_YET, 2, False)

    def test_is_cannot_tell_at_the_horizon(self):
        found = decide(walked([0.1, 0.5, 1.0, 1.5]), Design(minimal_effect=0.1))
        assert (found.answer, found.final) == (Answer.CANNOT_TELL, True)
        assert found.estimate.low < 0 < found.estimate.high

    def test_is_no_difference_where_what_matters_is_ruled_out(self):
        found = decide(walked([0.0, 0.0, 0.1]), Design(minimal_effect=4.0))
        assert found.answer is Answer.SAME
        assert -4.0 < found.estimate.low < found.estimate.high < 4.0

    def test_does_not_change_with_what_comes_later(self):
        design = Design(minimal_effect=0.1)
        early = decide(walked([1.0, 4.0]), design)
        assert decide(walked([1.0, 4.0, -6.0, -9.0]), design) == early
        assert early.look == 2

    def test_says_where_a_better_version_is_better_by_little(self):
        small = [Look(fraction=1.0, difference=0.05, error=0.01)]
        found = decide(small, Design(minimal_effect=0.1, looks=(1.0,)))
        assert (found.answer, found.smaller) == (Answer.B_BETTER, True)

    def test_passes_over_looks_that_add_nothing(self):
        looks = [seen(1.0, 0.25, 0.5), seen(1.0, 0.5, 0.6), seen(3.0, 1.0, 0.3)]
        found = decide(looks, Design(minimal_effect=0.1))
        without = critical_values([0.5**-2, 0.3**-2], [0.25, 1.0])
        assert (found.look, found.bounds) == (2, without)
        assert found.answer is Answer.B_BETTER

    def test_is_given_at_the_horizon_also_where_that_adds_nothing(self):
        found = decide([seen(1.0, 0.5), seen(9.9, 1.0)], Design(minimal_effect=0.1))
        assert (found.answer, found.look) == (Answer.CANNOT_TELL, 1)
        bound = found.bounds[-1]
        assert found.estimate.low == pytest.approx(1.0 - bound)


class TestHowOftenItIsWrong:
    def test_calls_no_more_than_promised_of_equal_versions_different(self):
        design, runs = Design(minimal_effect=0.01), 350
        tests = drifting(0.0, runs, np.random.default_rng(21))
        wrong = sum(
            decide(looks, design).answer in (Answer.A_BETTER, Answer.B_BETTER) for looks in tests
        )
        assert wrong <= stats.binom.ppf(1 - 1e-4, runs, 0.05)
        assert wrong >= stats.binom.ppf(1e-4, runs, 0.05)  # and wastes nothing of it

    def test_misses_no_more_than_promised_that_matter(self):
        """A difference of just what matters is called none in at most 5%."""
        design, runs = Design(minimal_effect=2.5), 120
        tests = drifting(2.5, runs, np.random.default_rng(22))
        wrong = sum(decide(looks, design).answer is Answer.SAME for looks in tests)
        assert wrong <= stats.binom.ppf(1 - 1e-4, runs, 0.05)

    def test_finds_what_its_power_promises(self):
        design, runs = Design(minimal_effect=0.01), 120
        tests = drifting(3.0, runs, np.random.default_rng(23))
        found = sum(decide(looks, design).answer is Answer.B_BETTER for looks in tests)
        low, high = stats.binom.ppf([1e-4, 1 - 1e-4], runs, 0.846)
        assert low <= found <= high


class TestSeveralVersions:
    def test_share_the_promised_error(self):
        """Of three versions equal to the control at most 5% of tests call one different."""
        rng, runs, design = np.random.default_rng(31), 90, Design(minimal_effect=0.01)
        wrong = 0
        for _ in range(runs):
            score = np.cumsum(rng.normal(0.0, 0.5, (4, 4)), axis=1) / np.sqrt(QUARTERS)
            arms = {
                str(arm): walked(list((score[arm] - score[0]) / math.sqrt(2.0)))
                for arm in (1, 2, 3)
            }
            found = decide_all(arms, design)
            wrong += any(f.answer in (Answer.A_BETTER, Answer.B_BETTER) for f in found.values())
        assert wrong <= stats.binom.ppf(1 - 1e-4, runs, 0.05)

    def test_judged_once_share_it_sharply(self):
        design = Design(minimal_effect=0.1, looks=(1.0,))
        arms = {"1": [seen(2.36)], "2": [seen(0.0)], "3": [seen(0.1)]}
        assert decide_all(arms, design)["1"].answer is Answer.B_BETTER  # 2.39 by Bonferroni
        assert decide_all(arms, design)["2"].answer is Answer.CANNOT_TELL

    def test_are_easier_to_show_once_others_are(self):
        """Holm: after two of three are shown, the third has the whole error to itself."""
        design = Design(minimal_effect=0.1)
        arms = {
            "x": walked([5.0, 5.0, 5.0, 5.0]),
            "y": walked([1.0, 2.0, 2.5, -3.5]),
            "z": walked([0.0, 1.0, 1.5, 2.1]),
        }
        found = decide_all(arms, design)
        answers = {name: (f.answer, f.by_holm) for name, f in found.items()}
        assert answers == {
            "x": (Answer.B_BETTER, False),
            "y": (Answer.A_BETTER, False),
            "z": (Answer.B_BETTER, True),
        }
        alone = decide_all({"z": arms["z"], "v": walked([0.0] * 4), "w": walked([0.0] * 4)}, design)
        assert alone["z"].answer is Answer.CANNOT_TELL

    def test_of_which_there_is_one_are_judged_as_one(self):
        looks, design = walked([1.0, 2.5, 2.5]), Design(minimal_effect=0.1)
        assert decide_all({"x": looks}, design) == {"x": decide(looks, design)}


class TestADesign:
    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"looks": ()}, "must rise"),
            ({"looks": (0.5,)}, "exactly 1"),
            ({"looks": (0.5, 0.5, 1.0)}, "must rise"),
            ({"minimal_effect": 0.0}, "above 0"),
            ({"minimal_effect": math.nan}, "above 0"),
            ({"alpha": 0.5}, r"\(0, 0.5\)"),
        ],
    )
    def test_that_makes_no_sense_is_refused(self, fields, reason):
        with pytest.raises(InvalidRequest, match=reason):
            Design(**({"minimal_effect": 1.0} | fields))

    @pytest.mark.parametrize("error", [0.0, math.nan, math.inf])
    def test_cannot_judge_a_difference_without_an_error(self, error):
        with pytest.raises(InvalidRequest, match="cannot be judged"):
            decide([Look(fraction=1.0, difference=1.0, error=error)], Design(minimal_effect=1.0))

    def test_cannot_judge_nothing(self):
        with pytest.raises(InvalidRequest, match="no look"):
            decide([], Design(minimal_effect=1.0))
