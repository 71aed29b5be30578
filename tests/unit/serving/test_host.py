"""What an application's routes get from the worker."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from flyball.domain.privacy import Pseudonyms
from flyball.domain.routing import empty_route
from flyball.domain.traffic import Answers, Event, Shown, Window
from flyball.errors import EnvironmentFailed, NotFound, StorageUnavailable
from flyball.serving.host import ModelHost
from flyball.serving.journal import Journal
from flyball.serving.overlay import Overlay
from flyball.serving.slots import Loaded, Slots
from flyball.telemetry.metrics import Metrics
from flyball.telemetry.served import ServedRecorder
from flyball.telemetry.windows import WindowRecorder
from flyball.testing.builders import NOON, a_version, an_event
from flyball.testing.fakes import ManualClock, MemoryRecords

ANSWERS = Answers(b"a key of the tests")
AT_MS = int(NOON.timestamp() * 1000)


def an_answer(*, days_before: float = 0, key: Answers = ANSWERS) -> str:
    """The id of an answer that was given so long before the events of the tests."""
    return key.new(a_version().name, AT_MS - int(days_before * 86_400_000), "0123456789")


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


class Lists:
    def __init__(self) -> None:
        self.shown: list[Shown] = []

    def append(self, lists: Sequence[Shown]) -> None:
        self.shown += lists


class World:
    def __init__(self) -> None:
        self.store, self.lists = Store(), Lists()
        self.recorder = ServedRecorder(self.lists, lambda _: None)
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
            answers=ANSWERS,
            lists=self.recorder,
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
    assert "prediction_latency_seconds_count 2.0" in world.metrics.exposition()[0].decode()
    assert [(w.requests, w.errors) for w in world.store.windows] == [(2, 1)]


def test_new_events_are_counted_joined_and_seen_at_once(world):
    answer = an_answer()
    first = an_event("1", item_id="a", recommendation_id=answer)
    second = an_event("2", item_id="b", recommendation_id=answer)
    assert world.accept(first, second) == [True, True]
    assert world.accept(second) == [False]
    assert world.host.overlay("player-1") == {"purchase": {"a", "b"}}
    labels = {"model": "games", "type": "purchase"}
    assert world.count("flyball_events_total", **labels, result="new") == 2
    assert world.count("flyball_events_total", **labels, result="duplicate") == 1
    world.windows.flush(everything=True)
    assert [(w.version, w.feedback) for w in world.store.windows] == [
        (a_version().name, {"purchase": 2})
    ]


@pytest.mark.parametrize(
    ("answer", "join"),
    [
        ("", "unattributed"),
        ("whatever", "orphan"),
        (f"0a1b.{a_version().name}", "orphan"),
        (an_answer(key=Answers(b"another key")), "orphan"),
        (an_answer(days_before=-1), "orphan"),
        (an_answer(days_before=8), "late"),
    ],
)
def test_events_of_no_answer_of_ours_in_time_are_kept_but_count_for_no_version(world, answer, join):
    assert world.accept(an_event("1", recommendation_id=answer)) == [True]
    world.windows.flush(everything=True)
    assert world.store.windows == []
    labels = {"model": "games", "type": "purchase"}
    assert world.count("flyball_feedback_total", **labels, join=join) == 1
    assert world.count("flyball_feedback_total", **labels, join="joined") is None


def test_events_that_count_for_an_answer_are_counted_so(world):
    world.accept(*(an_event(str(n), recommendation_id=an_answer()) for n in range(3)))
    world.accept(an_event("0", recommendation_id=an_answer()))  # a duplicate counts once
    labels = {"model": "games", "type": "purchase", "join": "joined"}
    assert world.count("flyball_feedback_total", **labels) == 3


def test_a_list_is_noted_with_who_answered_and_how_likely_that_was(world):
    route = empty_route("games").loading("v1", salt="s").switched().loading("v2", salt="t")
    world.slots.follow(replace(route, challenger_share=0.25))
    for version in ("v1", "v2"):
        world.slots.put(Loaded(version=version, servable=Nothing(), answered=1))
    snapshot = world.slots.snapshot
    for choice, user in ((snapshot.champion, "ada"), (snapshot.challenger, None)):
        world.host.shown(choice, "id", AT_MS, user, ["a", "b"], k=2, filtered=True, trace="7f")
    world.recorder.flush()
    who = [(s.version, s.variant, s.share, s.user_id) for s in world.lists.shown]
    assert who == [("v1", "champion", 0.75, "ada"), ("v2", "challenger", 0.25, "")]
    first = world.lists.shown[0]
    assert (first.model, first.recommendation_id, first.shown_at) == ("games", "id", AT_MS)
    assert (first.item_ids, first.propensities, first.k) == (["a", "b"], (1.0, 1.0), 2)
    assert (first.filtered, first.fallback, first.trace_id) == (True, "", "7f")


def test_a_version_that_answers_alone_has_every_user(world):
    serve(world.slots)
    assert world.host.choose("u").share == 1.0


def test_a_candidate_under_test_notes_nothing():
    slots = Slots("games")
    serve(slots)
    host = ModelHost(slots, Metrics())
    host.shown(host.choose("u"), "id", AT_MS, "u", ["a"], k=1)
    assert host.answers.read(host.answers.new("v1", AT_MS, "0123456789")) is not None


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
