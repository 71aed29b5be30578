"""How alike two results are, what is named as the cause, and how far metrics may be apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flyball.domain.training import Trial
from flyball.steps.causes import Aspect, Cause, Made, causes
from flyball.steps.reproduction import (
    ArrayPair,
    FilePair,
    Outcome,
    compared,
    judged,
)
from flyball.steps.searched_again import search_cause

MADE = Made(
    files={"0001-points-aa.parquet": "1" * 32},
    architecture="toy@1/curve@1",
    code="c" * 64,
    environment="e" * 64,
    seeds={"split": 7, "search": 7},
    threads=2,
    packages=("numpy==2.4.0", "scipy==1.17.0"),
    platform={"python": "CPython 3.11.2", "blas": "openblas 0.3.30 Haswell"},
)
OTHER = {
    Aspect.DATA: {"files": {"0001-points-aa.parquet": "2" * 32}},
    Aspect.CODE: {"code": "d" * 64},
    Aspect.LOCK: {"environment": "f" * 64, "packages": ("numpy==2.4.1", "scipy==1.17.0")},
    Aspect.SEED: {"seeds": {"split": 8, "search": 8}},
    Aspect.THREADS: {"threads": 1},
    Aspect.PLATFORM: {"platform": {**MADE.platform, "blas": "openblas 0.3.30 SkylakeX"}},
}


class TestTheCause:
    def test_is_none_where_nothing_changed(self):
        assert causes(MADE, MADE) == ()

    @pytest.mark.parametrize("aspect", OTHER)
    def test_is_what_changed(self, aspect):
        [cause] = causes(MADE, replace(MADE, **OTHER[aspect]))
        assert cause.aspect is aspect

    @pytest.mark.parametrize("first", range(len(OTHER)))
    def test_that_is_named_first_is_data_then_code_lock_seed_threads_platform(self, first):
        later = list(OTHER)[first:]
        changed = {key: value for aspect in later for key, value in OTHER[aspect].items()}
        assert [cause.aspect for cause in causes(MADE, replace(MADE, **changed))] == later

    def test_in_the_lock_is_told_by_package_and_version(self):
        now = replace(MADE, environment="f", packages=("numpy==2.4.1", "polars==1.40"))
        [cause] = causes(MADE, now)
        assert cause.detail == (
            "the packages differ: numpy 2.4.0 is 2.4.1 now, polars 1.40 is new, "
            "scipy 1.17.0 is gone"
        )

    def test_in_the_lock_of_an_old_version_says_that_packages_were_not_recorded(self):
        [cause] = causes(replace(MADE, packages=()), replace(MADE, environment="f"))
        assert "was not recorded" in cause.detail

    def test_in_the_platform_is_not_guessed_where_it_was_not_recorded(self):
        assert causes(replace(MADE, platform={}), MADE) == ()

    def test_in_the_code_names_the_family_whose_version_was_raised(self):
        [cause] = causes(MADE, replace(MADE, architecture="toy@1/curve@2", code="d"))
        assert cause.detail == "toy@1/curve@1 is toy@1/curve@2 by now"

    def test_counts_what_it_does_not_name(self):
        many = tuple(f"package{n}==1" for n in range(9))
        [cause] = causes(replace(MADE, packages=many), replace(MADE, environment="f"))
        assert cause.detail.endswith(" and 8 more")


class TestMetrics:
    @pytest.mark.parametrize(
        ("again", "equal"), [(0.5, True), (0.5025, True), (0.4976, True), (0.5026, False)]
    )
    def test_that_are_means_may_differ_by_a_quarter_of_their_standard_error(self, again, equal):
        [pair] = compared({"ndcg@10": 0.5}, {"ndcg@10": again}, {"ndcg@10": 0.01})
        assert pair.equal is equal
        assert pair.tolerance == 0.0025

    @pytest.mark.parametrize(("again", "equal"), [(0.8, True), (0.8007, True), (0.801, False)])
    def test_of_all_together_may_differ_by_a_thousandth(self, again, equal):
        [pair] = compared({"coverage@10": 0.8}, {"coverage@10": again}, {})
        assert pair.equal is equal

    def test_that_are_not_measured_any_more_are_not_equal(self):
        [pair] = compared({"mrr": 0.3}, {"map": 0.3}, {"map": 0.1})
        assert (pair.name, pair.again, pair.equal) == ("mrr", None, False)

    def test_with_a_standard_error_of_nothing_must_be_exactly_equal(self):
        [same] = compared({"mrr": 0.3}, {"mrr": 0.3}, {"mrr": 0.0})
        [other] = compared({"mrr": 0.3}, {"mrr": 0.3 + 1e-12}, {"mrr": 0.0})
        assert (same.equal, other.equal) == (True, False)


def _judged(*, differences=(), again=0.5, found=()):
    return judged(
        differences=differences,
        metrics=compared({"ndcg@10": 0.5}, {"ndcg@10": again}, {"ndcg@10": 0.01}),
        found=found,
        files=9,
        manifest="manifest.json",
    )


MANIFEST = FilePair(path="manifest.json", recorded=900, again=900, differing=12)
WEIGHTS = FilePair(
    path="model/weights.npy",
    recorded=128,
    again=128,
    differing=3,
    arrays=(ArrayPair(values=16, differing=2, largest=0.25),),
)
CODE = Cause(aspect=Aspect.CODE, detail="the fingerprint of the code is d instead of c")


class TestTheOutcome:
    def test_is_bitwise_equal_where_no_file_differs(self):
        assert _judged() == (Outcome.BITWISE, "all 9 files are the same, byte for byte")

    def test_is_equal_in_metrics_where_only_the_manifest_differs(self):
        outcome, why = _judged(differences=(MANIFEST,), found=(CODE,))
        assert outcome is Outcome.METRICS
        assert "the model's files are the same, byte for byte" in why
        assert "code: the fingerprint" in why

    def test_is_equal_in_metrics_within_the_tolerance(self):
        outcome, why = _judged(differences=(WEIGHTS, MANIFEST), again=0.501, found=(CODE,))
        assert outcome is Outcome.METRICS
        assert "within its tolerance" in why
        assert "model/weights.npy: 2 of 16 values differ, by at most 0.25" in why

    def test_is_different_with_the_first_cause(self):
        outcome, why = _judged(differences=(WEIGHTS, MANIFEST), again=0.6, found=(CODE,))
        assert outcome is Outcome.DIFFERENT
        assert "ndcg@10 is 0.6 instead of 0.5" in why
        assert "code: the fingerprint" in why

    def test_says_that_a_fit_does_not_repeat_itself_where_nothing_else_changed(self):
        outcome, why = _judged(differences=(WEIGHTS,), again=0.6)
        assert outcome is Outcome.DIFFERENT
        assert "the fit does not repeat itself" in why

    def test_is_never_bitwise_where_metrics_agree_and_bytes_do_not(self):
        assert _judged(differences=(WEIGHTS,))[0] is Outcome.METRICS


TRIAL = Trial(number=0, family="curve", hyperparameters={"degree": 2}, value=0.5, seconds=1.0)
AGAIN = {"family": "curve", "hyperparameters": {"degree": 2}, "value": 0.5}


class TestASearchDoneAgain:
    def test_that_tried_the_same_with_the_same_values_has_no_cause(self):
        assert search_cause([TRIAL], [AGAIN], clocked=False) is None

    @pytest.mark.parametrize(
        ("again", "said"),
        [
            ([], "trial 0 (curve) was not tried again"),
            ([AGAIN, AGAIN], "trial 1 was not in the first search"),
            ([{**AGAIN, "family": "mean"}], "trial 0 was mean instead of curve"),
            ([{**AGAIN, "hyperparameters": {}}], "trial 0 (curve) had other hyperparameters"),
            ([{**AGAIN, "value": 0.6}], "trial 0 (curve) came to 0.6 instead of 0.5"),
            ([{**AGAIN, "value": None}], "trial 0 (curve) came to None instead of 0.5"),
        ],
    )
    def test_names_the_first_trial_that_differs(self, again, said):
        cause = search_cause([TRIAL], again, clocked=False)
        assert cause == Cause(aspect=Aspect.SEARCH, detail=said)

    def test_says_where_the_clock_may_have_decided(self):
        cause = search_cause([TRIAL], [], clocked=True)
        assert cause is not None
        assert "cut by its time limit" in cause.detail
