"""One-second windows: each count is stored once, and a database that is away costs nothing."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from flyball.domain.traffic import Window
from flyball.errors import StorageUnavailable
from flyball.stats import latency
from flyball.telemetry.windows import WindowRecorder
from flyball.testing.builders import NOON
from flyball.testing.fakes import ManualClock


class Store:
    """Keeps windows, by the key that makes storing them twice harmless."""

    def __init__(self) -> None:
        self.away = False
        self.windows: dict[tuple[object, ...], Window] = {}
        self.stored = threading.Event()

    def add_windows(self, windows: Sequence[Window]) -> None:
        if self.away:
            raise StorageUnavailable("the database is away")
        for each in windows:
            self.windows.setdefault((each.worker, each.start, each.model, each.version), each)
        self.stored.set()

    @property
    def requests(self) -> int:
        return sum(window.requests for window in self.windows.values())


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def recorder(store: Store, clock: ManualClock) -> WindowRecorder:
    return WindowRecorder(store, "host:1", clock, period_s=0.01)


def test_a_second_is_stored_when_it_is_over(recorder, store, clock):
    recorder.count("games", "v1", 0.004, 200)
    recorder.flush()
    assert store.windows == {}
    clock.advance(1)
    recorder.flush()
    (window,) = store.windows.values()
    assert (window.worker, window.model, window.version) == ("host:1", "games", "v1")
    assert (window.start, window.seconds, window.requests) == (NOON, 1.0, 1)


def test_windows_start_on_whole_seconds(recorder, store, clock):
    clock.advance(0.7)
    recorder.count("games", "v1", 0.004, 200)
    clock.advance(1)
    recorder.flush()
    assert [window.start for window in store.windows.values()] == [NOON]


def test_answers_counted_together_are_as_many_as_if_one_by_one(recorder, store, clock):
    one_by_one, beside = Store(), ManualClock(NOON)
    other = WindowRecorder(one_by_one, "host:1", beside, period_s=0.01)
    for status, answers in ((200, 7), (500, 2), (404, 1)):
        recorder.count("games", "v1", 0.004, status, answers=answers)
        for _ in range(answers):
            other.count("games", "v1", 0.004, status)
    for each, time in ((recorder, clock), (other, beside)):
        time.advance(1)
        each.flush()
    (window,) = store.windows.values()
    assert (window.requests, window.errors) == (10, 2)
    assert window == next(iter(one_by_one.windows.values()))


def test_errors_are_answers_of_500_and_above(recorder, store, clock):
    for status in (200, 404, 499, 500, 503):
        recorder.count("games", "v1", 0.004, status)
    clock.advance(1)
    recorder.flush()
    (window,) = store.windows.values()
    assert (window.requests, window.errors) == (5, 2)


def test_latencies_are_counted_in_the_shared_buckets(recorder, store, clock):
    for seconds in (0.004, 0.004, 1.5):
        recorder.count("games", "v1", seconds, 200)
    clock.advance(1)
    recorder.flush()
    (window,) = store.windows.values()
    assert sum(window.latency) == 3
    assert window.latency[latency.bucket(0.004)] == 2
    assert window.latency[latency.bucket(1.5)] == 1


def test_versions_and_models_are_kept_apart(recorder, store, clock):
    recorder.count("games", "v1", 0.004, 200)
    recorder.count("games", "v2", 0.004, 200)
    recorder.count("adult", "v1", 0.004, 200)
    recorder.feedback("games", "v2", "click")
    clock.advance(1)
    recorder.flush()
    found = {(w.model, w.version): w.feedback for w in store.windows.values()}
    assert found == {("games", "v1"): {}, ("games", "v2"): {"click": 1}, ("adult", "v1"): {}}


def test_nothing_is_lost_while_the_database_is_away(recorder, store, clock):
    store.away = True
    with capture_logs() as lines:
        for _ in range(100):
            recorder.count("games", "v1", 0.004, 200)
            clock.advance(1)
            recorder.flush()
    assert len(lines) == 1, "one line says it, not one a second"
    store.away = False
    recorder.flush()
    assert store.requests == 100
    assert recorder.dropped == 0


def test_only_ten_minutes_are_kept_and_the_rest_is_counted(recorder, store, clock):
    store.away = True
    for _ in range(700):
        recorder.count("games", "v1", 0.004, 200)
        clock.advance(1)
        recorder.flush()
    store.away = False
    recorder.flush()
    assert store.requests + recorder.dropped == 700
    assert store.requests == 600
    assert min(w.start for w in store.windows.values()) == NOON + timedelta(seconds=100)


def test_stopping_stores_the_current_second_too(recorder, store):
    recorder.start()
    recorder.count("games", "v1", 0.004, 200)
    recorder.stop()
    assert store.requests == 1


def test_the_thread_stores_by_itself(recorder, store, clock):
    recorder.count("games", "v1", 0.004, 200)
    clock.advance(1)
    recorder.start()
    try:
        assert store.stored.wait(10)
        assert store.requests == 1
    finally:
        recorder.stop()
