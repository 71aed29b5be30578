"""What happens by itself, tick after tick."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from flyball.domain.deployment import Deployment, Phase
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.routing import Route, SlotPhase, SlotStatus, WorkerStatus
from flyball.errors import StorageUnavailable
from flyball.loop.controller import Aliases, Controller, Housekeeping, tick
from flyball.loop.tasks import desk
from flyball.ports import Change
from flyball.settings import Settings
from flyball.steps.deploy import begin
from flyball.testing.builders import a_version, a_window, a_worker
from flyball.testing.fakes import FakeTarget, ManualClock, MemoryRecords


@dataclass
class Traffic:
    """Windows, kept in a list."""

    seen: list = field(default_factory=list)

    def windows(self, model, *, since, version=None):
        return [w for w in self.seen if w.start >= since and version in (None, w.version)]

    def forget_windows(self, *, before):
        kept = [w for w in self.seen if w.start >= before]
        gone = len(self.seen) - len(kept)
        self.seen = kept
        return gone


@dataclass
class Registry:
    """Keeps the aliases it was told; can be away."""

    told: list = field(default_factory=list)
    away: bool = False

    def alias(self, model, alias, version):
        if self.away:
            raise StorageUnavailable("the registry is away")
        self.told.append((model, alias, version))


class Installation:
    """The parts a controller uses."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.clock, self.records, self.events = ManualClock(), MemoryRecords(), Traffic()
        self.tracker = Registry()
        self.target = FakeTarget(running=[a_worker(slots={}, applied={})])

    def model(self, name):
        return self.settings.model(name)

    def deploying(self, number: str = "1.0.0") -> ModelVersion:
        version = a_version(number, state=State.STAGING)
        self.records.commit([Change(value=version)])
        begin(desk(self, "games", "test"), version, strategy="blue-green")
        return version

    def workers_follow(self) -> None:
        route = self.records.get(Route, "games")
        slots = {
            f"games/{slot}": SlotStatus(version=version, phase=SlotPhase.READY)
            for slot, version in route.slots.items()
        }
        self.target.running = [
            replace(worker, slots=slots, applied={"games": route.generation})
            for worker in self.target.running
        ]

    def deployment(self) -> Deployment:
        return self.records.find(Deployment, limit=1)[0]


@pytest.fixture
def parts() -> Installation:
    return Installation()


class TestATick:
    def test_carries_a_rollout_on_that_nobody_else_follows(self, parts):
        version = parts.deploying()
        for _ in range(2):
            parts.workers_follow()
            tick(parts)
        assert parts.deployment().phase is Phase.BAKING
        assert parts.records.get(Route, "games").champion == version.name

    def test_ends_a_bake_whose_time_is_over(self, parts):
        version = parts.deploying()
        for _ in range(2):
            parts.workers_follow()
            tick(parts)
        parts.clock.advance(hours=25)
        parts.events.seen.append(
            a_window(version=version.name, start=parts.clock.now(), requests=500, errors=0)
        )
        tick(parts)
        assert parts.deployment().phase is Phase.DONE

    def test_changes_nothing_where_nothing_is_to_do(self, parts):
        tick(parts)
        assert parts.records.ledger() == []

    def test_forgets_workers_that_were_killed(self, parts):
        parts.records.commit([Change(value=a_worker())])
        tick(parts)
        assert len(parts.records.find(WorkerStatus)) == 1
        parts.clock.advance(minutes=2)
        tick(parts)
        assert parts.records.find(WorkerStatus) == []


class TestTheRegistrysAlias:
    def test_follows_the_route_once_a_change(self, parts):
        version = parts.deploying()
        aliases = Aliases(parts)
        aliases.follow()
        assert parts.tracker.told == [], "it does not serve yet"
        parts.workers_follow()
        tick(parts)
        aliases.follow()
        aliases.follow()
        assert parts.tracker.told == [("games", "champion", version.name)]

    def test_is_told_again_after_the_registry_was_away(self, parts):
        version = parts.deploying()
        parts.workers_follow()
        tick(parts)
        aliases = Aliases(parts)
        parts.tracker.away = True
        with pytest.raises(StorageUnavailable):
            aliases.follow()
        parts.tracker.away = False
        aliases.follow()
        assert parts.tracker.told == [("games", "champion", version.name)]


def test_windows_are_kept_for_the_set_time_and_no_longer(parts):
    house, now = Housekeeping(parts), parts.clock.now()
    old, young = (a_window(start=now - timedelta(days=days)) for days in (4, 2))
    parts.events.seen = [old, young]
    house.tidy()
    assert parts.events.seen == [young]
    parts.events.seen = [old]
    house.tidy()
    assert parts.events.seen == [old], "it looks once an hour"
    parts.clock.advance(hours=1)
    house.tidy()
    assert parts.events.seen == []


def test_a_controller_goes_on_after_the_database_was_away(parts):
    parts.deploying()
    parts.workers_follow()
    parts.records.broken = True
    controller = Controller(parts, every_s=0.01)
    controller.start()
    try:
        parts.records.broken = False
        switched = threading.Event()
        for _ in range(500):
            if parts.deployment().phase is not Phase.LOADING:
                switched.set()
                break
            switched.wait(0.01)
        assert switched.is_set()
    finally:
        controller.close()
