"""Windows while a rollout is watched: short, stored soon, and they tell whom they answered."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from flyball.domain.routing import Variant, Watch
from flyball.domain.traffic import Window, merged
from flyball.errors import StorageUnavailable
from flyball.ports import Choice
from flyball.telemetry.windows import HUNG_AFTER_S, WindowRecorder
from flyball.testing.builders import NOON
from flyball.testing.fakes import ManualClock

WATCH = Watch("games/7", 0.05)
QUARTER = timedelta(seconds=0.25)


class Store:
    """Keeps windows, by the key that makes storing them twice harmless."""

    def __init__(self) -> None:
        self.away = False
        self.by_key: dict[tuple[object, ...], Window] = {}
        self.stored = threading.Event()

    def add_windows(self, windows: Sequence[Window]) -> None:
        if self.away:
            raise StorageUnavailable("the database is away")
        for each in windows:
            self.by_key.setdefault((each.worker, each.start, each.model, each.version), each)
        self.stored.set()

    @property
    def windows(self) -> list[Window]:
        return sorted(self.by_key.values(), key=lambda w: (w.start, w.model, w.version))


class World:
    def __init__(self, **more: Any) -> None:
        self.store, self.clock, self.seconds = Store(), ManualClock(NOON), 0.0
        self.recorder = WindowRecorder(
            self.store, "host:1", self.clock, elapsed=lambda: self.seconds, **more
        )

    def count(
        self, *units: int, version: str = "v1", status: int = 200, watch: Any = WATCH
    ) -> None:
        self.recorder.count("games", version, 0.004, status, watch=watch, units=units)

    def pass_by(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.recorder.flush()


@pytest.fixture
def world() -> World:
    return World()


def test_a_quarter_of_a_second_is_stored_when_it_is_over(world):
    world.pass_by(0.3)
    world.count(7)
    world.pass_by(0.15)
    assert world.store.windows == []
    world.pass_by(0.05)
    (window,) = world.store.windows
    assert (window.start, window.seconds) == (NOON + QUARTER, 0.25)
    assert (window.units, window.units_below, window.salt) == ({"seen": (7,)}, {}, "games/7")


def test_nothing_is_said_of_anybody_where_no_rollout_is_watched(world):
    world.count(watch=None)
    world.pass_by(1)
    (window,) = world.store.windows
    assert (window.seconds, window.units, window.units_below, window.salt) == (1.0, {}, {}, "")


def test_units_are_kept_by_version_with_what_happened_to_them(world):
    world.count(7)
    world.count(9, status=500)
    world.count(7)
    world.count(8, version="v2")
    world.pass_by(0.25)
    first, second = world.store.windows
    assert first.units == {"seen": (7, 9), "failed": (9,)}
    assert (first.requests, first.errors) == (3, 1)
    assert second.units == {"seen": (8,)}


def test_a_stand_in_is_counted_without_a_unit(world):
    world.count()
    world.pass_by(0.25)
    (window,) = world.store.windows
    assert (window.requests, window.seconds, window.units) == (1, 0.25, {})


@pytest.mark.parametrize("offset", [0.0, 0.1, 0.25, 0.6, 0.9])
def test_no_count_is_lost_as_a_rollout_begins_and_ends(world, offset):
    """Windows of one version that began at the same time would hide one another."""
    world.pass_by(offset)
    for step in range(200):
        watched = 30 <= step < 90 or 150 <= step < 151
        world.count(*([step] if watched else []), watch=WATCH if watched else None)
        world.recorder.feedback("games", "v1", "click")
        world.pass_by(0.05)
    world.recorder.flush(everything=True)
    windows = world.store.windows
    assert sum(window.requests for window in windows) == 200
    assert sum(window.feedback.get("click", 0) for window in windows) == 200
    units = {unit for window in windows for unit in window.units.get("seen", ())}
    assert units == {*range(30, 90), 150}
    assert (windows[0].seconds, windows[-1].seconds) == (1.0, 1.0)


def test_windows_of_another_model_stay_as_long_as_they_are(world):
    world.count(7)
    world.recorder.count("adult", "v1", 0.004, 200)
    world.pass_by(0.25)
    assert [window.model for window in world.store.windows] == ["games"]
    world.pass_by(0.75)
    assert [w.seconds for w in world.store.windows if w.model == "adult"] == [1.0]


def test_windows_wait_while_the_database_is_away(world):
    world.store.away = True
    with capture_logs():
        for unit in range(40):
            world.count(unit)
            world.pass_by(0.25)
    world.store.away = False
    world.pass_by(0.25)
    assert [window.units["seen"] for window in world.store.windows] == [(u,) for u in range(40)]


def test_windows_of_all_lengths_are_merged_by_their_counts(world):
    world.count(1)
    world.pass_by(0.25)
    world.count(2, status=500)
    world.pass_by(3.0)
    world.count(watch=None)
    world.pass_by(1.0)
    whole = merged(world.store.windows)
    assert whole is not None
    assert (whole.requests, whole.errors) == (3, 1)
    assert (whole.start, whole.seconds) == (NOON, 4.0)


def test_a_clock_that_was_set_back_keeps_nothing_waiting(world):
    world.count(7)
    world.clock.advance(-3600)
    world.recorder.flush()
    assert [window.units["seen"] for window in world.store.windows] == [(7,)]


def test_the_thread_wakes_for_the_first_watched_answer():
    """It sleeps for an hour here, where nothing is watched."""
    world = World(period_s=3600.0)
    world.recorder.start()
    try:
        world.count(7)
        world.clock.advance(0.25)
        assert world.store.stored.wait(10)
        assert world.store.windows[0].units == {"seen": (7,)}
    finally:
        world.recorder.stop()


class TestAVersionThatDoesNotComeBack:
    """Its thread cannot count: the recorder's does."""

    def choice(self, *units: int) -> Choice:
        return Choice(
            servable=None, version="v2", variant=Variant.CHALLENGER, watch=WATCH, units=units
        )

    def test_fails_those_who_wait_once(self, world):
        world.recorder.working("games", self.choice(4, 5))
        with capture_logs() as lines:
            for _ in range(9):
                world.seconds += HUNG_AFTER_S / 2
                world.pass_by(0.25)
        (window,) = world.store.windows
        assert (window.version, window.requests, window.errors) == ("v2", 2, 2)
        assert window.units == {"seen": (4, 5), "failed": (4, 5), "slow": (4, 5)}
        assert [line["version"] for line in lines] == ["v2"]

    def test_is_not_one_that_came_back_in_time(self, world):
        world.recorder.working("games", self.choice(4))
        world.seconds += HUNG_AFTER_S / 2
        world.recorder.working("games", None)
        world.seconds += HUNG_AFTER_S
        world.pass_by(0.25)
        assert world.store.windows == []

    def test_is_told_from_many_that_take_long_together(self, world):
        with capture_logs():
            for unit in range(10):
                world.recorder.working("games", self.choice(unit))
                world.seconds += HUNG_AFTER_S * 0.9
                world.pass_by(0.25)
        assert world.store.windows == []

    def test_fails_the_next_ones_too(self, world):
        with capture_logs():
            for unit in (4, 5):
                world.recorder.working("games", self.choice(unit))
                world.seconds += HUNG_AFTER_S + 1
                world.pass_by(0.25)
                world.pass_by(0.25)
        assert [window.units["failed"] for window in world.store.windows] == [(4,), (5,)]
