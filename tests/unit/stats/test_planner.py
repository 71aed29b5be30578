"""The planner: what it promises of the judge, held against the judge itself."""

from __future__ import annotations

import math

import numpy as np
import pytest

from flyball.domain.judging import Measure, Promises, Seen, Split
from flyball.domain.validation import Verdict
from flyball.stats import latency
from flyball.stats.sequential.crowd import Crowd
from flyball.stats.sequential.judge import judge
from flyball.stats.sequential.plan import Pace, outlook
from flyball.stats.sequential.simulated import Step, Traffic, Worse

SHARE, RATE = 0.25, 20.0
PACE = Pace(warm_up_s=10.0, interval_s=60.0, deadline_s=6 * 3600.0)


def traffic(rate: float = RATE, *, errors: float = 0.01) -> Traffic:
    """Users who ask once, of whom one in twenty clicks; answers in 20 ms, log-normal."""
    times = np.random.default_rng(1).lognormal(math.log(0.02), 0.5, 50_000)
    return Traffic(
        asking=Crowd(fresh=rate),
        clicking=Crowd(fresh=rate * 0.05),
        buying=Crowd(fresh=rate * 0.005),
        error_share=errors,
        latency=tuple(latency.add(latency.empty(), times)),
    )


def judged(known: Traffic, worse: Worse, *, rollouts: int) -> tuple[list[float], list[float]]:
    """When the real judge finds and passes rollouts that are drawn request by request.

    Independent of the planner's engine: answers are drawn one by one, and the judge gets its
    counts as it would get them from the workers.
    """
    rng, looks = np.random.default_rng(8), np.geomspace(0.5, 3 * 3600.0, 70)
    ends = [_ends(Drawn(known, worse, looks, rng), looks) for _ in range(rollouts)]
    return [found for found, _ in ends], [passed for _, passed in ends]


def _ends(drawn: Drawn, looks: np.ndarray) -> tuple[float, float]:
    for number, look in enumerate(looks):
        verdict = judge(drawn.seen(number), Promises()).verdict
        if verdict is Verdict.FAIL:
            return float(look), math.inf
        if verdict is Verdict.PASS and look >= PACE.interval_s:
            return math.inf, float(look)
    return math.inf, math.inf


class Drawn:
    """One rollout, drawn request by request, as it stands at each look."""

    def __init__(
        self, known: Traffic, worse: Worse, looks: np.ndarray, rng: np.random.Generator
    ) -> None:
        many = rng.poisson(known.asking.per_second * looks[-1])
        at = np.sort(rng.uniform(0.0, looks[-1], many))
        own = rng.random(many) < SHARE
        took = rng.lognormal(math.log(0.02), 0.5, many) * np.where(own, worse.slower, 1.0)
        happened = {
            Measure.SEEN: np.ones(many, dtype=bool),
            Measure.FAILED: rng.random(many) < known.error_share * np.where(own, worse.errors, 1.0),
            Measure.SLOW: took > known.p95_s,
            Measure.CLICKED: rng.random(many) < 0.05 * np.where(own, worse.clicks, 1.0),
        }
        self._ends = np.searchsorted(at, looks)
        self._hit = {
            measure: tuple(np.concatenate([[0], np.cumsum(which & mine)]) for mine in (~own, own))
            for measure, which in happened.items()
        }
        self._bucket = np.where(own, np.searchsorted(latency.BOUNDS, took), latency.BUCKETS)

    def seen(self, look: int) -> Seen:
        """What the judge gets."""
        end = self._ends[look]
        splits = {
            measure: (Split(share=SHARE, champion=int(theirs[end]), challenger=int(mine[end])),)
            for measure, (theirs, mine) in self._hit.items()
        }
        asked = splits[Measure.SEEN][0].challenger
        errors = splits[Measure.FAILED][0].challenger
        counts = np.bincount(self._bucket[:end], minlength=latency.BUCKETS + 1)
        return Seen(
            splits=splits,
            requests=asked,
            errors=errors,
            failed_units=errors,
            latency=tuple(counts[: latency.BUCKETS].tolist()),
            step_requests=asked,
        )


@pytest.mark.parametrize(
    "worse", [Worse(errors=5.0), Worse(errors=20.0), Worse(slower=1.3), Worse(clicks=0.7)]
)
def test_a_worse_version_is_found_about_when_the_planner_says(worse):
    known = traffic()
    found, passed = (np.array(times) for times in judged(known, worse, rollouts=24))
    step = Step(known, Promises(), SHARE, interval_s=PACE.interval_s, seed=1, rollouts=400)
    fates = step.fates(worse)
    planned = np.where(fates.found <= fates.passed, fates.found, math.inf)
    assert np.mean(np.isfinite(found)) == pytest.approx(np.mean(np.isfinite(planned)), abs=0.25)
    if np.mean(np.isfinite(planned)) > 0.7:
        assert np.median(found) == pytest.approx(np.median(planned), rel=0.6)
    assert np.mean(passed < found) == pytest.approx(np.mean(fates.passed < fates.found), abs=0.25)


def test_a_good_version_passes_about_when_the_planner_says():
    known = traffic(errors=0.002)
    found, passed = judged(known, Worse(), rollouts=16)
    step = Step(known, Promises(), SHARE, interval_s=PACE.interval_s, seed=1, rollouts=400)
    assert found == [math.inf] * 16
    assert np.median(passed) == pytest.approx(np.median(step.fates(Worse()).passed), rel=0.5)


@pytest.fixture(scope="module")
def steps():
    return outlook(traffic(), Promises(), (0.05, 0.25, 0.5), pace=PACE, seed=3, rollouts=100)


class TestAnOutlook:
    def test_worse_versions_are_found_sooner(self, steps):
        for step in steps:
            by = {(harm.what, harm.size): harm for harm in step.harms}
            broken, gross = by["errors", "50% of answers"], by["errors", "20x"]
            assert broken.found == 1.0
            assert broken.seconds < gross.seconds < (by["errors", "2x"].seconds or 1e9)

    def test_larger_shares_find_smaller_changes(self, steps):
        for what in ("errors", "latency", "clicks"):
            sizes = [step.finds[what] for step in steps]
            assert sizes == sorted(sizes, reverse=True)

    def test_nothing_passes_before_its_warm_up_and_interval(self, steps):
        for step in steps:
            assert step.within_deadline
            assert step.healthy_s >= PACE.warm_up_s + PACE.interval_s

    def test_is_the_same_for_the_same_seed(self, steps):
        again = outlook(traffic(), Promises(), (0.05,), pace=PACE, seed=3, rollouts=100)
        assert again[0] == steps[0]

    def test_users_who_never_click_cannot_click_less(self):
        idle = Traffic(
            asking=Crowd(fresh=5.0), clicking=Crowd(), buying=Crowd(),
            error_share=0.01, latency=traffic().latency,
        )  # fmt: skip
        (step,) = outlook(idle, Promises(), (0.25,), pace=PACE, seed=3, rollouts=50)
        assert step.finds["clicks"] is None
        assert all(harm.found < 0.1 for harm in step.harms if harm.what == "clicks")


class TestTooLittleTraffic:
    def test_says_that_a_step_cannot_be_decided_and_which_share_could(self):
        """300 answers in six hours: 15 of them at 5%."""
        known = traffic(300 / PACE.deadline_s)
        small, large = outlook(known, Promises(), (0.05, 0.5), pace=PACE, seed=3, rollouts=100)
        assert not small.within_deadline
        assert small.healthy_s is None or small.healthy_s > PACE.deadline_s
        assert small.healthy < 0.5
        assert small.share_needed is None or small.share_needed > 0.05
        assert large.requests_per_second == pytest.approx(10 * small.requests_per_second)

    def test_names_no_share_where_none_would_do(self):
        known = traffic(5 / PACE.deadline_s)
        (step,) = outlook(known, Promises(), (0.05,), pace=PACE, seed=3, rollouts=50)
        assert step.share_needed is None
        assert all(harm.seconds is None for harm in step.harms if harm.what != "errors")
