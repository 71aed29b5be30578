"""Events that were acknowledged while the database was away come into it, and nobody comes back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from flyball.domain.data import Forgotten
from flyball.domain.traffic import Event
from flyball.errors import InvalidRequest, StorageUnavailable
from flyball.ports import Change
from flyball.serving.backlog import Backlog
from flyball.storage.spool import Spool
from flyball.telemetry.metrics import Metrics
from flyball.testing.builders import NOON, an_event
from flyball.testing.events import numbered
from flyball.testing.fakes import MemoryRecords


class Store:
    """Events in memory; away, or unable to store some, as it is told."""

    def __init__(self) -> None:
        self.events: dict[str, Event] = {}
        self.away = False
        self.meanwhile: Callable[[], None] = lambda: None

    def append(self, events: Sequence[Event]) -> list[bool]:
        if self.away:
            raise StorageUnavailable("the database is away")
        if any("\0" in event.user_id for event in events):
            raise InvalidRequest("a NUL character cannot be stored")
        self.meanwhile()
        return [self.events.setdefault(event.event_id, event) is event for event in events]

    def forget(self, model: str, user_id: str) -> int:
        theirs = [id for id, e in self.events.items() if (e.model, e.user_id) == (model, user_id)]
        for id in theirs:
            del self.events[id]
        return len(theirs)


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store, self.records, self.metrics = Store(), MemoryRecords(), Metrics()
        self.stored: list[tuple[str, bool]] = []
        self.backlog = self.another()

    def another(self) -> Backlog:
        """As another process would have it."""
        return Backlog(Spool(self.folder), self.store, self.records, self.metrics, self.told)

    def told(self, events: Sequence[Event], new: Sequence[bool]) -> None:
        ids = (event.event_id for event in events)
        self.stored += zip(ids, new, strict=True)

    def forget(self, user: str, at=NOON) -> None:
        wish = Forgotten(model="games", pseudonym=user, at=at)
        self.records.commit([Change(value=wish)])
        self.store.forget("games", user)

    def moved(self) -> dict[str, float]:
        samples = self.metrics._registry.collect()
        return {
            sample.labels["result"]: sample.value
            for metric in samples
            for sample in metric.samples
            if sample.name == "flyball_spool_moved_total"
        }

    def gauge(self) -> float | None:
        return self.metrics._registry.get_sample_value("flyball_spool_waiting_events")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "spool")


class TestABacklog:
    def test_is_moved_in_order_once_the_database_is_back(self, world):
        world.store.away = True
        world.backlog.keep(numbered(2))
        world.backlog.keep([an_event("later")])
        world.backlog.work()
        assert (world.backlog.away, world.backlog.waiting, world.gauge()) == (True, 3, 3)
        world.store.away = False
        world.backlog.work()
        assert (world.backlog.away, world.backlog.waiting, world.gauge()) == (False, 0, 0)
        assert list(world.store.events) == ["event-0", "event-1", "later"]
        assert world.moved() == {"new": 3}

    def test_drops_what_the_database_has_and_tells_what_was_new(self, world):
        world.store.append([an_event("event-0")])
        world.backlog.keep(numbered(2))
        world.backlog.keep([an_event("event-1")])
        world.backlog.work()
        assert world.stored == [("event-0", False), ("event-1", True), ("event-1", False)]
        assert world.moved() == {"new": 1, "duplicate": 2}

    def test_of_a_dead_process_is_moved_by_another(self, world):
        dead = world.another()
        dead.keep(numbered(3))
        dead.stop()
        world.backlog.work()
        assert world.moved() == {"new": 3}

    def test_says_once_that_it_waits(self, world):
        world.store.away = True
        with capture_logs() as lines:
            for _ in range(3):
                world.backlog.keep(numbered(1))
                world.backlog.work()
        assert len([line for line in lines if line["log_level"] == "warning"]) == 2

    def test_waits_too_while_it_is_not_known_who_was_forgotten(self, world):
        world.backlog.keep(numbered(1))
        world.records.broken = True
        world.backlog.work()
        assert world.store.events == {}
        world.records.broken = False
        world.backlog.work()
        assert list(world.store.events) == ["event-0"]

    def test_is_not_held_up_by_an_event_that_cannot_be_stored(self, world):
        bad = an_event("bad", user_id="\0")
        world.backlog.keep([*numbered(3), bad, an_event("after")])
        with capture_logs() as lines:
            world.backlog.work()
        assert list(world.store.events) == ["event-0", "event-1", "event-2", "after"]
        assert world.moved() == {"new": 4, "unreadable": 1}
        assert [line["log_level"] for line in lines if "dropped" in line["event"]] == ["error"]

    def test_is_moved_by_a_thread_of_its_own(self, world):
        world.store.away = True
        world.backlog.start()
        world.backlog.keep(numbered(2))
        world.store.away = False
        patience = threading.Event()
        for _ in range(400):
            if not world.backlog.waiting or patience.wait(0.05):
                break
        world.backlog.stop()
        assert list(world.store.events) == ["event-0", "event-1"]


class TestSomebodyWhoWasForgotten:
    def test_does_not_come_back_with_what_waited(self, world):
        late = NOON + timedelta(microseconds=1)
        world.backlog.keep(
            [
                an_event("1", user_id="ann", received_at=NOON),
                an_event("2", user_id="bob", received_at=NOON),
                an_event("3", user_id="ann", received_at=late),
                an_event("4", user_id="ann", received_at=NOON, model="adult"),
            ]
        )
        world.forget("ann")
        world.backlog.work()
        assert list(world.store.events) == ["2", "3", "4"]
        assert world.moved() == {"new": 3, "forgotten": 1}

    def test_does_not_come_back_with_what_was_on_its_way(self, world):
        """They are forgotten after it was looked who was, and before their events arrive."""
        world.backlog.keep([an_event("1", user_id="ann"), an_event("2", user_id="bob")])
        world.store.meanwhile = lambda: world.forget("ann")
        world.backlog.work()
        assert list(world.store.events) == ["2"]
