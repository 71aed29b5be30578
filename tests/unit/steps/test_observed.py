"""What counts for a rollout, and what does not: each unit once, under the share of its time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count

import pytest

from flyball.domain.deployment import Deployment, Shift
from flyball.domain.judging import Measure, Moments, Seen
from flyball.domain.routing import TAGS, draw
from flyball.domain.traffic import EventType, Window
from flyball.steps import observed
from flyball.steps.observed import Observed
from flyball.testing.builders import NOON, a_deployment, a_window, an_event

OLD, NEW = "1.0.0-00000000-00000000", "1.0.1-00000000-00000000"
WARM_UP = timedelta(seconds=10)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def rollout(*shifts: tuple[float, float, float | None]) -> Deployment:
    """Shifts as (share, recorded at, applied at), seconds after noon."""
    taken = tuple(
        Shift(share=share, at=after(at), applied_at=None if done is None else after(done))
        for share, at, done in shifts
    )
    return a_deployment(version=NEW, replaces=OLD, ordinal=3, shifts=taken)


def window(version: str, at: float, worker: str = "w:1", **fields) -> Window:
    fields = {"requests": 10, "errors": 0} | fields
    return a_window(
        version=version, worker=worker, start=after(at), seconds=0.25, salt="games/3", **fields
    )


def failed(version: str, at: float, *tags: int, **fields) -> Window:
    return window(version, at, units={"failed": tags}, **fields)


def split(seen: Seen, measure: Measure = Measure.FAILED) -> list[tuple[float, int, int]]:
    return [(s.share, s.champion, s.challenger) for s in seen.splits[measure]]


@pytest.fixture
def at_five() -> Observed:
    """A rollout whose first share, 5%, was applied at noon: it counts from ten seconds on."""
    return Observed(rollout((0.05, -1.0, 0.0)), WARM_UP)


class TestAUnit:
    def test_counts_once_however_often_it_fails(self, at_five):
        at_five.add([failed(NEW, 20, 1, 2), failed(NEW, 21, 2, 3), failed(OLD, 21, 7)])
        assert split(at_five.seen()) == [(0.05, 1, 3)]
        assert at_five.seen().failed_units == 3

    def test_counts_once_on_several_workers(self, at_five):
        at_five.add([failed(NEW, 20, 1), failed(NEW, 20, 1, worker="w:2")])
        assert split(at_five.seen()) == [(0.05, 0, 1)]

    def test_counts_where_it_failed_first_when_its_version_changes(self):
        seen = Observed(rollout((0.05, -1, 0), (0.5, 100, 100)), WARM_UP)
        seen.add([failed(OLD, 20, 1)])
        seen.add([failed(NEW, 120, 1)])
        assert split(seen.seen()) == [(0.05, 1, 0)]

    def test_may_fail_be_slow_and_be_seen_each_once(self, at_five):
        at_five.add([window(NEW, 20, units={"failed": (1,), "slow": (1,), "seen": (1,)})])
        for measure in (Measure.FAILED, Measure.SLOW, Measure.SEEN):
            assert split(at_five.seen(), measure) == [(0.05, 0, 1)]


class TestTime:
    def test_of_the_warm_up_counts_for_failures_alone(self, at_five):
        at_five.add(
            [
                window(NEW, at, units={"failed": (k,), "slow": (k,)})
                for k, at in enumerate((9.75, 10.0))
            ]
        )
        found = at_five.seen()
        assert split(found) == [(0.05, 0, 2)]
        assert split(found, Measure.SLOW) == [(0.05, 0, 1)]
        assert (found.requests, found.step_requests, sum(found.latency)) == (20, 10, 10)

    def test_while_workers_apply_a_share_counts_for_failures_of_that_share(self):
        seen = Observed(rollout((0.05, -1, 0), (0.25, 60, 61), (0.5, 120, None)), WARM_UP)
        times = (-2, 30, 59, 59.9, 60, 65, 71, 90, 119, 121, 150)
        units = [{"failed": (k,), "slow": (k,)} for k in range(len(times))]
        seen.add([window(NEW, at, units=unit) for at, unit in zip(times, units, strict=True)])
        assert split(seen.seen()) == [(0.05, 0, 2), (0.25, 0, 5), (0.5, 0, 2)]
        assert split(seen.seen(), Measure.SLOW) == [(0.05, 0, 2), (0.25, 0, 3)]

    def test_of_a_clock_that_was_set_back_counts_for_failures_of_the_last_share(self):
        """Or a version could fail its users for an hour before anybody saw it."""
        seen = Observed(rollout((0.05, -1, 0), (0.25, 60, 61)), WARM_UP)
        seen.add([window(NEW, -3600, units={"failed": (1,), "slow": (2,)})])
        assert split(seen.seen()) == [(0.25, 0, 1)]
        assert seen.seen().splits[Measure.SLOW] == ()

    def test_of_another_rollout_counts_for_nothing(self, at_five):
        stray = a_window(version=NEW, start=after(20), salt="games/2", units={"failed": (1,)})
        at_five.add([stray, failed("1.0.2-00000000-00000000", 20, 2)])
        assert at_five.seen() == Observed(rollout((0.05, -1, 0)), WARM_UP).seen()

    def test_late_counts_for_the_step_it_was_in(self):
        seen = Observed(rollout((0.05, -1, 0), (0.5, 100, 100)), WARM_UP)
        seen.add([failed(NEW, 130, 1)])
        seen.add([failed(NEW, 50, 2)])
        assert split(seen.seen()) == [(0.05, 0, 1), (0.5, 0, 1)]

    def test_the_order_of_arrival_of_windows_changes_nothing(self):
        windows = [failed(NEW, 20 + k, k) for k in range(20)] + [
            failed(OLD, 20 + k, 100 + k) for k in range(20)
        ]
        forward, backward = (Observed(rollout((0.05, -1, 0)), WARM_UP) for _ in range(2))
        forward.add(windows)
        for one in reversed(windows):
            backward.add([one])
        assert forward.seen() == backward.seen()


class TestABusySecond:
    def test_counts_of_both_versions_the_same_part_of_all_units(self, at_five):
        """The champion's list is cut at 500; the challenger's 700 must not count beside it."""
        at_five.add(
            [
                window(OLD, 20, units={"failed": (100, 400)}, units_below={"failed": 500}),
                window(NEW, 20, units={"failed": (300, 700)}),
            ]
        )
        assert split(at_five.seen()) == [(0.05, 2, 1)]

    def test_remembers_a_bounded_number_of_units(self, at_five, monkeypatch):
        monkeypatch.setattr(observed, "MOST_UNITS", 50)
        tags = sorted(draw(str(k), "x").tag for k in range(4000))
        for k in range(0, 4000, 20):
            at_five.add([failed(NEW, 20 + k / 80, *tags[k : k + 20])])
        assert all(len(known) <= 50 for known in at_five._known.values())
        assert at_five._below[Measure.FAILED] < TAGS
        assert split(at_five.seen())[0][2] >= 50


class TestTheChallengersOwnAnswers:
    def test_add_up_over_steps_and_the_current_step_is_told_apart(self):
        seen = Observed(rollout((0.05, -1, 0), (0.5, 100, 100)), WARM_UP)
        seen.add([window(NEW, 20, requests=7, errors=2), window(NEW, 130, requests=5, errors=1)])
        seen.add([window(OLD, 130, requests=500, errors=50)])
        found = seen.seen()
        assert (found.requests, found.errors, found.step_requests) == (12, 3, 5)
        assert sum(found.latency) == 12


def drawn(share: float, challenger: bool) -> Iterator[str]:
    """Users whom the rollout drew for one side at this share, and at 5%."""
    for number in count():
        bucket = draw(f"user-{number}", "games/3").bucket
        if (bucket < min(share, 0.05)) if challenger else (bucket >= share):
            yield f"user-{number}"


class TestEngagement:
    def event(self, number: int, user: str, kind: EventType = EventType.CLICK, **fields):
        return an_event(event_id=f"e{number}", type=kind, user_id=user, **fields)

    def test_counts_a_user_once_under_the_share_at_the_time_of_the_answer(self):
        ada, bob = next(drawn(0.05, challenger=False)), next(drawn(0.5, challenger=True))
        seen = Observed(rollout((0.05, -1, 0), (0.5, 100, 100)), WARM_UP)
        seen.add_events(
            [
                (self.event(1, ada), OLD, after(20)),
                (self.event(2, ada), OLD, after(21)),
                (self.event(3, bob), NEW, after(130)),
            ]
        )
        assert split(seen.seen(), Measure.CLICKED) == [(0.05, 1, 0), (0.5, 0, 1)]

    def test_of_an_answer_that_another_version_stood_in_for_counts_for_the_one_drawn(self, at_five):
        at_five.add_events([(self.event(1, next(drawn(0.05, challenger=True))), OLD, after(20))])
        assert split(at_five.seen(), Measure.CLICKED) == [(0.05, 0, 1)]

    def test_adds_up_what_each_user_spent(self, at_five):
        buy, ada = EventType.PURCHASE, next(drawn(0.05, challenger=True))
        bob = next(drawn(0.05, challenger=False))
        at_five.add_events(
            [
                (self.event(1, ada, buy, value=3.0), NEW, after(20)),
                (self.event(2, ada, buy, value=4.0), NEW, after(25)),
                (self.event(3, bob, buy, value=2.0), OLD, after(25)),
            ]
        )
        [worth] = at_five.seen().worth
        assert worth.challenger == Moments(count=1, total=7.0, squares=49.0)
        assert worth.champion == Moments(count=1, total=2.0, squares=4.0)

    def test_of_the_warm_up_or_another_version_counts_for_nothing(self, at_five):
        at_five.add_events(
            [
                (self.event(1, "ada"), NEW, after(5)),
                (self.event(2, "bob"), "9.9.9-00000000-00000000", after(50)),
            ]
        )
        assert split(at_five.seen(), Measure.CLICKED) == []


def test_nothing_passes_a_step_before_its_share_is_applied():
    early = Observed(rollout((0.05, -1, None)), WARM_UP)
    early.add([window(NEW, 20, requests=500)])
    assert early.seen().step_requests == 0
