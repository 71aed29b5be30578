"""What an application's routes get from the worker."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from flyball.domain.privacy import Pseudonyms
from flyball.domain.routing import empty_route
from flyball.domain.traffic import Event, Window
from flyball.errors import EnvironmentFailed, NotFound, StorageUnavailable
from flyball.serving.host import ModelHost
from flyball.serving.journal import Journal
from flyball.serving.overlay import Overlay
from flyball.serving.slots import Loaded, Slots
from flyball.telemetry.metrics import Metrics
from flyball.telemetry.windows import WindowRecorder
from flyball.testing.builders import NOON, a_version, an_event
from flyball.testing.fakes import ManualClock, MemoryRecords


class Nothing:
    def smoke(self) -> int:
        return 1


class Store:
    def __init__(self) -> None:
        self.windows: list[Window] = []
        self.ids: set[str] = set()
        self.failing = False

    def append(self, events: Sequence[Event]) -> list[bool]:
        if self.failing:
            raise StorageUnavailable("the disk is full")
        new = [event.event_id not in self.ids for event in events]
        self.ids |= {event.event_id for event in events}
        return new

    def add_windows(self, windows: Sequence[Window]) -> None:
        self.windows += windows


class World:
    def __init__(self) -> None:
        self.store = Store()
        self.slots = Slots("games")
        self.metrics = Metrics()
        self.windows = WindowRecorder(self.store, "host:1", ManualClock(NOON))
        self.journal = Journal(self.store)
        self.host = ModelHost(
            self.slots,
            self.metrics,
            windows=self.windows,
            journal=self.journal,
            overlay=Overlay(self.store, MemoryRecords()),
        )

    def accept(self, *events: Event) -> list[bool]:
        async def sent() -> list[bool]:
            return await self.host.accept(list(events))

        return asyncio.run(sent())

    def count(self, name: str, **labels: str) -> float | None:
        return self.metrics._registry.get_sample_value(name, labels)


@pytest.fixture
def world():
    world = World()
    world.journal.start()
    yield world
    world.journal.stop()


def serve(slots: Slots, version: str = "v1") -> None:
    slots.follow(empty_route("games").loading(version, salt="s").switched())
    slots.put(Loaded(version=version, servable=Nothing(), answered=1))


def test_no_version_is_a_503_and_says_what_to_do(world):
    with pytest.raises(NotFound, match="flyball run games") as caught:
        world.host.choose("u")
    assert caught.value.status == 503


def test_an_answer_is_counted_in_metrics_and_windows(world):
    serve(world.slots)
    choice = world.host.choose("u")
    world.host.served(choice, "recommendations", 0.004, 200)
    world.host.served(choice, "recommendations", 0.004, 500)
    world.windows.flush(everything=True)
    labels = {"model": "games", "model_version": "v1", "endpoint": "recommendations"}
    assert world.count("model_inference_requests_total", **labels, status="200") == 1
    assert world.count("model_inference_requests_total", **labels, status="500") == 1
    assert world.count("model_inference_duration_seconds_count", **labels) == 2
    assert world.count("prediction_latency_seconds_count") == 2
    assert [(w.requests, w.errors) for w in world.store.windows] == [(2, 1)]


def test_new_events_are_counted_joined_and_seen_at_once(world):
    assert world.accept(an_event("1", item_id="a"), an_event("2", item_id="b")) == [True, True]
    assert world.accept(an_event("2", item_id="b")) == [False]
    assert world.host.overlay("player-1") == {"purchase": {"a", "b"}}
    labels = {"model": "games", "type": "purchase"}
    assert world.count("flyball_events_total", **labels, result="new") == 2
    assert world.count("flyball_events_total", **labels, result="duplicate") == 1
    world.windows.flush(everything=True)
    assert [(w.version, w.feedback) for w in world.store.windows] == [
        (a_version().name, {"purchase": 2})
    ]


def test_events_of_no_known_answer_are_kept_but_joined_to_nothing(world):
    assert world.accept(an_event("1", recommendation_id="whatever")) == [True]
    world.windows.flush(everything=True)
    assert world.store.windows == []


def test_refused_events_change_nothing(world):
    world.store.failing = True
    with pytest.raises(StorageUnavailable):
        world.accept(an_event("1"))
    assert world.host.overlay("player-1") == {}
    labels = {"model": "games", "type": "purchase", "result": "refused"}
    assert world.count("flyball_events_total", **labels) == 1


def test_a_candidate_under_test_accepts_no_events():
    host = ModelHost(Slots("games"), Metrics())
    with pytest.raises(EnvironmentFailed, match="accepts no events") as caught:
        asyncio.run(host.accept([an_event("1")]))
    assert caught.value.status == 503
    assert host.overlay("player-1") == {}


def test_users_are_known_by_pseudonyms_where_the_data_knows_them_so():
    pseudonyms = Pseudonyms(b"a key of the tests")
    hidden = ModelHost(Slots("games"), Metrics(), pseudonyms=pseudonyms)
    plain = ModelHost(Slots("adult"), Metrics())
    assert hidden.pseudonym("player-1") == pseudonyms.of("player-1") != "player-1"
    assert plain.pseudonym("player-1") == "player-1"
