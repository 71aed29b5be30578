"""The follower: reads routes, loads, reports; and outlives a database that is away."""

from __future__ import annotations

import mmap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from flyball.domain.routing import Route, Slot, SlotPhase, SlotStatus, WorkerStatus, empty_route
from flyball.errors import ArtifactCorrupt, NotFound, StorageUnavailable
from flyball.ports import Change
from flyball.serving import follower as module
from flyball.serving.follower import Follower, resident_bytes
from flyball.serving.rulebook import Rulebook
from flyball.serving.slots import Loaded, Slots
from flyball.telemetry.metrics import Metrics
from flyball.testing.builders import NOON, a_worker
from flyball.testing.fakes import ManualClock, MemoryRecords


class Nothing:
    def smoke(self) -> int:
        return 3


class World:
    """A follower of the model ``games`` with records in memory, ticked by hand."""

    def __init__(self) -> None:
        self.records = MemoryRecords()
        self.slots = Slots("games")
        self.clock = ManualClock(NOON)
        self.failure: Exception | None = None
        self.loads: list[str] = []
        self.loaded = threading.Event()
        self.follower = Follower(
            records=self.records,
            load=self.load,
            slots={"games": self.slots},
            rulebook=Rulebook({}),
            status=WorkerStatus(worker="host:1", url="http://h", started_at=NOON, seen_at=NOON),
            clock=self.clock,
            metrics=Metrics(),
        )

    def load(self, _model: str, version: str) -> Loaded:
        self.loads.append(version)
        self.loaded.set()
        if self.failure is not None:
            raise self.failure
        return Loaded(version=version, servable=Nothing(), answered=3)

    def want(self, route: Route) -> Route:
        found = self.records.find(Route)
        self.records.commit([Change(value=route, replacing=found[0] if found else None)])
        return route

    def status(self) -> WorkerStatus:
        return self.records.get(WorkerStatus, "host:1")

    def tick_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            self.loaded.clear()  # else the loading thread is never waited for again
            self.follower.tick()
            if condition():
                return
            self.loaded.wait(0.005)
        raise AssertionError("the awaited condition did not come true")

    def answering(self) -> str | None:
        return self.slots.snapshot and self.slots.snapshot.champion.version


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.records.broken = False
    world.follower.stop()


def live(version: str = "v1") -> Route:
    return empty_route("games").loading(version, salt="s").switched()


def test_a_route_is_loaded_applied_and_acknowledged(world):
    world.want(live())
    world.tick_until(lambda: world.answering() == "v1")
    world.follower.tick()
    status = world.status()
    assert status.applied == {"games": 2}
    assert status.slot("games", Slot.GREEN).phase is SlotPhase.READY
    assert status.rss_bytes > 1_000_000


def test_a_change_is_reported_at_once_and_else_each_second(world, monkeypatch):
    world.want(live())
    world.tick_until(lambda: world.answering() == "v1")
    world.follower.tick()
    seen = world.status().seen_at
    world.clock.advance(0.1)
    world.follower.tick()
    assert world.status().seen_at == seen, "nothing changed, and no second has passed"
    world.want(live().loading("v2", salt="s"))
    world.follower.tick()
    assert world.status().seen_at > seen
    monkeypatch.setattr(module, "HEARTBEAT_S", 0.0)
    world.clock.advance(5)
    world.follower.tick()
    assert world.status().seen_at == world.clock.now()


def test_a_damaged_version_is_reported_with_its_reason_and_not_tried_again(world):
    world.want(live())
    world.tick_until(lambda: world.answering() == "v1")
    world.failure = ArtifactCorrupt("weights.npy was changed")
    route = world.want(live().loading("v2", salt="s"))
    slot = route.live.other

    def failed() -> bool:
        found = world.status().slot("games", slot)
        return found is not None and found.phase is SlotPhase.FAILED

    world.tick_until(failed)
    assert world.status().slot("games", slot).detail == "weights.npy was changed"
    for _ in range(20):
        world.follower.tick()
    assert world.loads == ["v1", "v2"]
    assert world.answering() == "v1"
    world.failure = None
    world.want(replace(route, generation=route.generation + 1))
    world.tick_until(lambda: world.status().slot("games", slot).phase is SlotPhase.READY)


def test_a_load_that_failed_because_storage_was_away_is_tried_again(world, monkeypatch):
    monkeypatch.setattr(module, "RETRY_S", 0.0)
    world.failure = StorageUnavailable("the bucket does not answer")
    world.want(live())
    world.tick_until(lambda: len(world.loads) >= 3)
    assert world.status().slot("games", Slot.GREEN).phase is SlotPhase.LOADING
    world.failure = None
    world.tick_until(lambda: world.answering() == "v1")


def test_what_serves_goes_on_while_the_database_is_away(world):
    world.want(live())
    world.tick_until(lambda: world.answering() == "v1")
    world.records.broken = True
    world.follower.tick()
    assert world.answering() == "v1"
    assert world.follower.database
    world.records.broken = False
    world.want(live().loading("v2", salt="s").switched())
    world.tick_until(lambda: world.answering() == "v2")
    assert world.follower.database == ""


def test_it_is_not_routed_before_it_has_read_the_routes(world):
    world.records.broken = True
    world.follower.tick()
    assert not world.follower.routed
    world.records.broken = False
    world.follower.tick()
    assert world.follower.routed


def test_a_status_left_by_a_process_of_the_same_name_is_taken_over(world):
    world.records.commit([Change(value=a_worker("host:1"))])
    world.follower.tick()
    assert world.status().url == "http://h"


def test_a_status_that_somebody_removed_is_written_again(world, monkeypatch):
    world.follower.tick()
    world.records.discard(WorkerStatus, "host:1")
    monkeypatch.setattr(module, "HEARTBEAT_S", 0.0)
    world.clock.advance(1)
    world.follower.tick()
    assert world.status().seen_at == world.clock.now()


def test_stopping_takes_the_status_back(world):
    world.follower.start()
    reported = threading.Event()
    world.follower.when_reported(reported.set)
    assert reported.wait(10)
    assert world.status().worker == "host:1"
    world.follower.stop()
    with pytest.raises(NotFound):
        world.status()


def test_routes_of_models_that_it_does_not_serve_are_left_alone(world):
    other = replace(live(), model="adult")
    world.records.commit([Change(value=other)])
    world.follower.tick()
    assert world.loads == []
    assert world.status().applied == {}


def test_resident_memory_is_measured():
    before = resident_bytes()
    with mmap.mmap(-1, 50_000_000) as ballast:  # never from memory that the process has already
        for page in range(0, len(ballast), mmap.PAGESIZE):
            ballast[page] = 1
        assert resident_bytes() - before > 30_000_000


class TestWhileARolloutIsWatched:
    """A version that is withdrawn must answer nobody soon after."""

    def rolling(self, world: World) -> Route:
        loading = world.want(live().loading("v2", salt="games/2"))
        world.tick_until(lambda: world.slots.applied == loading.generation)
        world.tick_until(lambda: all(s.phase is SlotPhase.READY for s in self.held(world)))
        rolling = world.want(loading.shared(0.5, slow_above_s=0.05))
        world.tick_until(lambda: world.slots.applied == rolling.generation)
        return rolling

    def held(self, world: World) -> list[SlotStatus]:
        return list(world.slots.statuses().values())

    def test_a_withdrawal_is_followed_and_reported_between_two_looks(self, world, monkeypatch):
        monkeypatch.setattr(module, "POLL_S", 3600.0)
        rolling = self.rolling(world)
        world.follower.start()
        withdrawn = world.want(rolling.unloaded())
        deadline = time.monotonic() + 30
        while world.status().applied.get("games") != withdrawn.generation:
            assert time.monotonic() < deadline, "the withdrawal was not followed"
            world.loaded.wait(0.005)
        assert {world.slots.snapshot.choose(f"user-{n}").version for n in range(20)} == {"v1"}

    def test_only_a_change_of_a_model_that_it_serves_is_a_reason_to_look(self, world):
        rolling = self.rolling(world)
        assert not world.follower.moved()
        world.records.commit([Change(value=replace(rolling, model="adult"))])
        assert not world.follower.moved()
        world.records.commit([Change(value=rolling.unloaded(), replacing=rolling)])
        assert world.follower.moved()

    def test_a_database_that_is_away_is_none_either(self, world):
        self.rolling(world)
        world.records.broken = True
        assert not world.follower.moved()

    def test_else_nothing_is_read_between_two_looks(self, world, monkeypatch):
        monkeypatch.setattr(module, "POLL_S", 0.15)
        world.want(live())
        world.tick_until(lambda: world.answering() == "v1")
        looks = []
        monkeypatch.setattr(world.follower, "moved", lambda: looks.append(1))
        world.follower._rest()
        assert looks == []
        self.rolling(world)
        world.follower._wake.clear()
        monkeypatch.setattr(module, "POLL_S", 60.0)
        monkeypatch.setattr(world.follower, "moved", lambda: looks.append(1) or True)
        world.follower._rest()
        assert looks == [1]
