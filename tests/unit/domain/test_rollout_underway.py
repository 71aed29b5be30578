"""How a rollout stands: its step, what keeps it there, what may be decided about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from flyball.domain.deployment import FINAL, WAITS, Phase, Shift
from flyball.domain.underway import Order
from flyball.testing.builders import NOON
from rollout_records import BEGAN, STEPS, a_rollout, stands


class TestTheStep:
    def test_is_counted_by_the_share_that_was_taken(self):
        found = stands()
        assert (found.step, found.share, found.since) == (2, 0.25, BEGAN)

    def test_that_was_resumed_is_still_the_same_step_and_has_its_whole_time_again(self):
        resumed = BEGAN + timedelta(hours=5)
        one = a_rollout()
        again = Shift(share=0.25, at=resumed, applied_at=resumed)
        found = stands(replace(one, shifts=(*one.shifts, again)))
        assert (found.step, found.since) == (2, resumed)
        assert found.deadline == resumed + timedelta(hours=6)

    def test_that_no_worker_has_applied_yet_began_when_it_was_recorded(self):
        recorded = BEGAN + timedelta(hours=1)
        one = a_rollout(shifts=(Shift(share=0.05, at=recorded),))
        assert stands(one).since == recorded

    @pytest.mark.parametrize(
        ("phase", "step", "share"),
        [
            (Phase.LOADING, 0, 0.0),
            (Phase.SWITCHING, len(STEPS), 1.0),
            (Phase.BAKING, len(STEPS), 1.0),
            (Phase.ROLLED_BACK, 0, 0.0),
        ],
    )
    def test_before_and_after_the_steps(self, phase, step, share):
        found = stands(a_rollout(phase=phase))
        assert (found.step, found.share, found.deadline) == (step, share, None)


class TestWhatKeepsIt:
    def test_is_nothing_while_it_is_judged(self):
        found = stands()
        assert (found.keeps, found.deadline) == ("", BEGAN + timedelta(hours=6))

    def test_is_who_holds_it_and_why_and_no_deadline_runs(self):
        found = stands(a_rollout(held="sale at noon"), held_by="operator:ada")
        assert found.keeps == "held by operator:ada: sale at noon"
        assert found.deadline is None

    def test_is_said_without_a_name_where_nobody_knows_it(self):
        assert stands(a_rollout(held="sale at noon")).keeps == "held: sale at noon"

    def test_is_the_approval_it_waits_for(self):
        assert "approve full traffic" in stands(a_rollout(held=WAITS), held_by="controller").keeps


class TestWhatMayBeDecided:
    @pytest.mark.parametrize(
        ("held", "orders"),
        [
            ("", (Order.HOLD, Order.PROMOTE, Order.ABORT)),
            ("sale at noon", (Order.RESUME, Order.PROMOTE, Order.ABORT)),
            (WAITS, (Order.APPROVE, Order.ABORT)),
        ],
    )
    def test_fits_how_it_stands(self, held, orders):
        assert stands(a_rollout(held=held)).orders == orders

    def test_while_it_loads_is_only_to_end_it(self):
        assert stands(a_rollout(phase=Phase.LOADING, shifts=())).orders == (Order.ABORT,)

    @pytest.mark.parametrize("phase", [*sorted(FINAL), Phase.SWITCHING, Phase.BAKING])
    def test_is_nothing_once_it_has_all_traffic_or_has_ended(self, phase):
        assert stands(a_rollout(phase=phase)).orders == ()


@pytest.mark.parametrize("phase", list(Phase))
def test_a_rollout_is_under_way_until_it_bakes_or_has_ended(phase):
    found = stands(a_rollout(phase=phase, started_at=NOON))
    assert found.under_way is (phase not in FINAL | {Phase.BAKING})
