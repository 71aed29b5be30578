"""Looks are taken as registered, and answered with what had been seen by then."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from ab_world import DAY, Shop

from flyball.domain.ab_test import Metric, Per
from flyball.domain.routing import Variant
from flyball.domain.traffic import EventType
from flyball.stats.experiments.verdicts import Answer
from flyball.steps.ab_test import start, status
from flyball.steps.decisions import abort, resume
from flyball.testing.builders import an_event


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


class TestLooks:
    def test_are_taken_when_they_are_due_and_not_before(self, shop):
        shop.roll_out()
        test = start(shop.desk, "games", DAY, shop.sources)
        shop.happens(test, hours=1, users=900)
        shop.world.clock.advance(hours=11.9)
        early = status(shop.desk, test, shop.sources)
        assert (early.looks, early.answer) == ((), Answer.NOT_YET)
        assert early.next_look_at == test.began_at + timedelta(hours=12)
        shop.world.clock.advance(hours=0.2)
        later = status(shop.desk, test, shop.sources)
        assert [look.number for look in later.looks] == [1]
        assert later.next_look_at == test.ends_at
        assert shop.recorded() == ["ab start", "ab look"]

    def test_are_the_same_whenever_somebody_asks(self, shop, tmp_path):
        """What comes after a look was due is not in it."""
        shop.roll_out()
        test = start(shop.desk, "games", DAY, shop.sources)
        shop.happens(test, hours=1, users=900)
        shop.happens(test, hours=13, users=900, b=1.0)
        shop.world.clock.advance(hours=20)
        [late] = status(shop.desk, test, shop.sources).looks
        assert (late.users_a + late.users_b, late.at) == (900, test.due_at(1))
        assert late.b < 0.3

    def test_are_taken_once(self, shop):
        shop.roll_out()
        test = start(shop.desk, "games", DAY, shop.sources)
        shop.happens(test, hours=1, users=900)
        shop.world.clock.advance(hours=13)
        first = status(shop.desk, test, shop.sources)
        shop.feedback.events.clear()
        assert status(shop.desk, test, shop.sources) == first
        assert shop.recorded() == ["ab start", "ab look"]

    def test_say_so_where_there_is_too_little(self, shop):
        shop.roll_out()
        test = start(shop.desk, "games", DAY, shop.sources)
        shop.happens(test, hours=1, users=120)
        shop.world.clock.advance(hours=25)
        told = status(shop.desk, test, shop.sources)
        assert told.answer is Answer.CANNOT_TELL
        assert "100 of each version are needed" in told.reason
        assert len(told.looks) == 2

    def test_trust_nothing_where_the_split_is_not_as_drawn(self, shop):
        shop.roll_out()
        test = start(shop.desk, "games", DAY, shop.sources)
        shop.happens(test, hours=1, users=900, a=0.1, only=Variant.CHAMPION)
        shop.happens(test, hours=1, users=500, b=0.9, only=Variant.CHALLENGER)
        shop.world.clock.advance(hours=25)
        told = status(shop.desk, test, shop.sources)
        assert told.answer is Answer.CANNOT_TELL
        assert "lose or draw users unequally" in told.reason

    def test_know_users_by_what_they_did_before_the_rollout(self, shop):
        """Clicks of before tell who clicks; they make the difference less uncertain."""
        keen = set(range(0, 900, 3))
        for user in keen:
            shop.feedback.events.append(
                an_event(f"old{user}", type=EventType.CLICK, user_id=f"user-{user}",
                         recommendation_id="", received_at=shop.now - timedelta(hours=1))
            )  # fmt: skip
        shop.roll_out()
        test = start(shop.desk, "games", replace(DAY, per=Per.USER), shop.sources)
        shop.rng = Keen(keen)
        shop.happens(test, hours=1, users=900, lists=1, a=0.5, b=0.5)
        shop.world.clock.advance(hours=13)
        [seen] = status(shop.desk, test, shop.sources).looks
        assert seen.reduction > 0.9


class Keen:
    """A click exactly by every third user."""

    def __init__(self, keen: set[int]) -> None:
        self._keen, self._next = keen, -1

    def random(self) -> float:
        self._next += 1
        return 0.0 if self._next in self._keen else 1.0


class TestAnswers:
    def test_a_better_version_is_found_at_the_first_look_that_shows_it(self, shop):
        shop.roll_out()
        test = start(shop.desk, "games", DAY, shop.sources)
        shop.happens(test, hours=1, users=900, a=0.2, b=0.6)
        shop.world.clock.advance(hours=13)
        told = status(shop.desk, test, shop.sources)
        assert told.answer is Answer.B_BETTER
        assert (len(told.looks), told.next_look_at) == (1, None)
        assert told.finding is not None
        assert told.finding.estimate.low < 0.4 < told.finding.estimate.high
        assert "B - A = +0." in told.reason
        assert shop.recorded() == ["ab start", "ab look", "ab end"]

    def test_it_stays_so_whatever_comes_later(self, shop):
        shop.roll_out()
        test = start(shop.desk, "games", DAY, shop.sources)
        shop.happens(test, hours=1, users=900, a=0.2, b=0.6)
        shop.world.clock.advance(hours=13)
        first = status(shop.desk, test, shop.sources)
        shop.happens(test, hours=14, users=900, a=1.0, b=0.0)
        shop.world.clock.advance(hours=20)
        assert status(shop.desk, test, shop.sources) == first

    def test_a_worse_one_too(self, shop):
        shop.roll_out()
        wanted = replace(DAY, metric=Metric.VALUE, per=Per.USER, effect=0.5)
        test = start(shop.desk, "games", wanted, shop.sources)
        shop.happens(test, hours=1, users=900, a=0.7, b=0.2, kind=EventType.PURCHASE)
        shop.world.clock.advance(hours=13)
        told = status(shop.desk, test, shop.sources)
        assert told.answer is Answer.A_BETTER
        assert told.looks[0].a == pytest.approx(14.0, rel=0.1)  # two lists, 70%, 10 USD

    def test_equal_ones_have_no_difference_that_matters_or_none_can_be_told(self, shop):
        shop.roll_out()
        test = start(shop.desk, "games", replace(DAY, effect=0.15), shop.sources)
        shop.happens(test, hours=1, users=2_000)
        shop.world.clock.advance(hours=25)
        assert status(shop.desk, test, shop.sources).answer is Answer.SAME

    def test_it_cannot_tell_where_the_horizon_ends_without_an_answer(self, shop):
        shop.roll_out()
        test = start(shop.desk, "games", replace(DAY, effect=0.001), shop.sources)
        shop.happens(test, hours=1, users=900)
        shop.world.clock.advance(hours=25)
        told = status(shop.desk, test, shop.sources)
        assert told.answer is Answer.CANNOT_TELL
        assert told.finding is not None
        assert told.finding.estimate.low < 0 < told.finding.estimate.high

    def test_it_cannot_tell_where_the_rollout_ended_before(self, shop):
        shop.roll_out()
        test = start(shop.desk, "games", DAY, shop.sources)
        shop.happens(test, hours=1, users=900, a=0.2, b=0.9)
        shop.world.clock.advance(hours=3)
        abort(shop.desk, "games", test.b, reason="odd covers")
        shop.world.clock.advance(hours=20)
        told = status(shop.desk, test, shop.sources)
        assert (told.answer, told.looks, told.next_look_at) == (Answer.CANNOT_TELL, (), None)
        assert "the split ended" in told.reason

    def test_a_rollout_that_is_resumed_at_its_share_goes_on_in_the_test(self, shop):
        shop.roll_out()
        test = start(shop.desk, "games", DAY, shop.sources)
        resume(shop.desk, "games", test.b, reason="?")
        shop.happens(test, hours=1, users=900)
        shop.world.clock.advance(hours=13)
        assert len(status(shop.desk, test, shop.sources).looks) == 1
