"""What an operator may rely on when a rollout is judged."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest

from flyball.domain.judging import Measure, Moments, Promises, Seen, Split, Worth
from flyball.domain.validation import Verdict
from flyball.errors import InvalidRequest
from flyball.stats import latency
from flyball.stats.sequential import parts
from flyball.stats.sequential.judge import judge


def split(share, champion, challenger):
    return Split(share=share, champion=champion, challenger=challenger)


def timed(n, median_s=0.02):
    values = median_s * np.exp(0.5 * np.random.default_rng(1).standard_normal(n))
    return tuple(latency.add(latency.empty(), values))


def seen(requests=3000, errors=0, step=3000, **splits):
    """A step of 5% with as many users as answers; all fine but for what is said."""
    users = round(requests / 0.05)
    given = {
        Measure.SEEN: (split(0.05, users - requests, requests),),
        Measure.SLOW: (split(0.05, round(users * 0.0475), round(users * 0.0025)),),
        Measure.CLICKED: (split(0.05, round(users * 0.0475), round(users * 0.0025)),),
        **{Measure(name): value for name, value in splits.items()},
    }
    return Seen(
        splits=given,
        requests=requests,
        errors=errors,
        failed_units=errors,
        step_requests=step,
        latency=timed(requests),
    )


def part(judgement, what):
    return next(each for each in judgement.parts if each.what == what)


PROMISES = Promises()


class TestNothingSeen:
    @pytest.mark.parametrize("last", [True, False])
    def test_is_no_pass(self, last):
        found = judge(Seen(), PROMISES, last=last)
        assert found.verdict is Verdict.INCONCLUSIVE
        assert not found.suspect
        assert "0 of the 100 answers" in found.reason

    def test_is_no_pass_even_where_nothing_need_be_shown(self):
        promises = replace(PROMISES, decisive=(), min_requests=0)
        assert judge(Seen(), promises).verdict is Verdict.INCONCLUSIVE

    def test_of_the_challenger_is_no_pass_though_the_champion_was_busy(self):
        busy = Seen(splits={Measure.FAILED: (split(0.05, 40, 0),)})
        assert judge(busy, PROMISES).verdict is Verdict.INCONCLUSIVE


class TestAGoodVersion:
    def test_passes_a_step_and_says_why(self):
        found = judge(seen(), PROMISES)
        assert found.verdict is Verdict.PASS
        assert found.reason.startswith("errors: at most 0.")
        assert "at most 1.26x as often, 1.5x tolerable" in found.reason

    def test_waits_for_the_requests_that_each_step_needs(self):
        found = judge(seen(step=99), PROMISES)
        assert found.verdict is Verdict.INCONCLUSIVE
        assert found.reason == "99 of the 100 answers that each step needs"

    def test_passes_by_comparison_where_both_versions_break_the_service_level(self):
        """3% of the champion's answers fail as well: the challenger is no worse."""
        alike = split(0.05, 5700, 300)
        found = judge(seen(10_000, 300, failed=(alike,)), PROMISES)
        assert part(found, "errors").verdict is Verdict.PASS
        assert part(found, "service level").verdict is Verdict.INCONCLUSIVE
        assert found.verdict is Verdict.PASS

    def test_is_not_rolled_back_in_an_outage_that_hits_both(self):
        found = judge(seen(2000, 1200, failed=(split(0.05, 7600, 400),)), PROMISES)
        assert found.verdict is not Verdict.FAIL
        assert "not shown to be its own doing" in part(found, "service level").detail

    def test_that_is_slightly_but_tolerably_worse_is_not_rolled_back(self):
        found = judge(seen(60_000, 480, failed=(split(0.5, 4000, 4400),)), PROMISES)
        assert part(found, "errors").figures["harm"] > parts.level("errors", PROMISES)
        assert part(found, "errors").verdict is Verdict.PASS
        assert found.verdict is Verdict.PASS


class TestABadVersion:
    def test_fails_after_three_users_in_a_row_that_meet_errors(self):
        found = judge(seen(40, 3, step=40, failed=(split(0.05, 0, 3),)), PROMISES)
        assert found.verdict is Verdict.FAIL
        said = part(found, "errors").detail
        assert "3 of 3 users who met an error were the challenger's, 0.2 due by the split" in said

    def test_breaks_the_service_level_by_its_own_doing(self):
        found = judge(seen(2000, 400, failed=(split(0.05, 20, 150),)), PROMISES)
        assert found.verdict is Verdict.FAIL
        assert found.reason.startswith("service level: 400 of its 2000 answers failed (20.00%")

    def test_that_breaks_the_service_level_is_not_saved_by_the_tolerance(self):
        """1.25 times the champion's share, shown to be less than 1.5; but 2% of answers fail."""
        found = judge(seen(300_000, 6500, failed=(split(0.5, 5200, 6500),)), PROMISES)
        assert part(found, "errors").verdict is Verdict.PASS
        assert found.verdict is Verdict.FAIL
        assert found.reason.startswith("service level")

    def test_is_found_by_slow_answers(self):
        found = judge(seen(slow=(split(0.05, 950, 120),)), PROMISES)
        assert found.verdict is Verdict.FAIL
        assert "waited longer than the champion's frozen p95" in found.reason

    @pytest.mark.parametrize("measure", ["clicked", "purchased"])
    def test_is_found_by_lost_clicks_and_purchases(self, measure):
        found = judge(seen(**{measure: (split(0.5, 1000, 700),)}), PROMISES)
        assert found.verdict is Verdict.FAIL
        assert "0.7x as often" in found.reason

    def test_is_found_by_lost_value(self):
        less = Worth(
            share=0.5,
            champion=Moments(count=5000, total=5000.0, squares=20_000.0),
            challenger=Moments(count=5000, total=3500.0, squares=14_000.0),
        )
        found = judge(replace(seen(), worth=(less,)), PROMISES)
        assert found.verdict is Verdict.FAIL
        assert "a user is worth 0.7 with the challenger, 1 with the champion" in found.reason

    def test_that_crashes_fails_whatever_the_numbers_say(self):
        stopped = "two workers were killed while it answered"
        found = judge(replace(Seen(), stopped=stopped), PROMISES)
        assert found.verdict is Verdict.FAIL
        assert found.reason == stopped

    def test_one_user_who_always_fails_is_one_user(self):
        found = judge(
            replace(seen(2000, 800, failed=(split(0.05, 3, 1),)), failed_units=1), PROMISES
        )
        assert found.verdict is not Verdict.FAIL

    def test_that_only_seems_worse_holds_the_step_though_the_service_level_holds(self):
        found = judge(seen(6000, 6, failed=(split(0.05, 23, 7),)), PROMISES)
        harm = part(found, "errors").figures["harm"]
        assert parts.SUSPICION <= harm < parts.level("errors", PROMISES)
        assert found.verdict is Verdict.INCONCLUSIVE
        assert found.reason.startswith("may be worse, wait: errors: 7 of 30 users")


class TestASplitThatIsNotAsDrawn:
    SKEWED = (split(0.05, 9667, 333),)

    def test_holds_and_says_where_to_look(self):
        found = judge(seen(seen=self.SKEWED), PROMISES)
        assert found.verdict is Verdict.INCONCLUSIVE
        assert found.suspect
        assert "look for answers that are lost" in found.reason

    def test_does_not_blame_the_version_for_what_the_skew_may_explain(self):
        double = (split(0.05, 9000, 1000),)
        found = judge(seen(seen=double, failed=(split(0.05, 450, 60),)), PROMISES)
        assert found.suspect
        assert found.verdict is Verdict.INCONCLUSIVE

    def test_does_not_hide_a_version_that_fails_for_everybody(self):
        found = judge(seen(900, 300, seen=self.SKEWED, failed=(split(0.05, 5, 90),)), PROMISES)
        assert found.suspect
        assert found.verdict is Verdict.FAIL


class TestWhatIsDecisive:
    def test_clicks_hold_a_step_where_they_are_and_do_not_where_they_are_not(self):
        few = seen(clicked=(split(0.05, 190, 10),))
        promises = replace(PROMISES, decisive=("errors", "latency", "clicks"))
        assert judge(few, PROMISES).verdict is Verdict.PASS
        found = judge(few, promises)
        assert found.verdict is Verdict.INCONCLUSIVE
        assert found.reason.startswith("not sure yet: clicks: 10 of 200 users")
        many = seen(clicked=(split(0.5, 10_000, 10_050),))
        assert judge(many, promises).verdict is Verdict.PASS

    def test_growth_is_wanted_before_full_traffic_only(self):
        promises = replace(PROMISES, superior="clicks")
        same = seen(clicked=(split(0.5, 5000, 5000),))
        more = seen(clicked=(split(0.5, 5000, 5600),))
        assert judge(same, promises).verdict is Verdict.PASS
        assert judge(same, promises, last=True).verdict is Verdict.INCONCLUSIVE
        assert "not shown to have grown" in judge(same, promises, last=True).reason
        assert judge(more, promises, last=True).verdict is Verdict.PASS

    def test_must_be_something_that_is_judged(self):
        with pytest.raises(InvalidRequest, match="'speed' is not judged"):
            judge(seen(), replace(PROMISES, decisive=("speed",)))
        with pytest.raises(InvalidRequest, match="'crash' is not judged"):
            judge(seen(), replace(PROMISES, superior="crash"))
        with pytest.raises(InvalidRequest, match="need not grow"):
            judge(seen(), replace(PROMISES, superior="errors"))

    @pytest.mark.parametrize("share", [0.0, 1.0, math.nan])
    def test_promises_no_share_of_false_alarms_that_is_none(self, share):
        with pytest.raises(InvalidRequest, match="false_alarm"):
            judge(seen(), replace(PROMISES, false_alarm=share))


class TestThePromise:
    def test_is_divided_over_all_tests_of_harm(self):
        assert sum(parts.HARM.values()) == pytest.approx(1.0)
        spent = sum(math.exp(-parts.level(what, PROMISES)) for what in parts.HARM)
        assert spent == pytest.approx(PROMISES.false_alarm)

    def test_judging_eight_models_four_times_a_second_costs_little(self):
        rollout = seen(failed=(split(0.05, 95, 5), split(0.25, 30, 9), split(0.5, 20, 22)))
        rollout = replace(
            rollout,
            worth=(
                Worth(
                    share=0.5,
                    champion=Moments(count=5000, total=5000.0, squares=20_000.0),
                    challenger=Moments(count=5000, total=4900.0, squares=20_000.0),
                ),
            ),
        )
        best = math.inf
        for _ in range(30):
            began = time.thread_time()
            judge(rollout, PROMISES)
            best = min(best, time.thread_time() - began)
        assert best < 0.004
