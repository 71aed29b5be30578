"""What happens by itself, tick after tick."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from flyball.domain.deployment import Deployment, Phase
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.routing import Route, SlotPhase, SlotStatus, WorkerStatus
from flyball.errors import NotFound, StorageUnavailable
from flyball.loop.controller import Controller, tick
from flyball.loop.tasks import desk
from flyball.loop.upkeep import Aliases, Housekeeping, wanted
from flyball.loop.watching import Rollouts
from flyball.ports import Change
from flyball.settings import ModelSettings, Settings
from flyball.steps.deploy import begin
from flyball.testing.builders import a_deployment, a_version, a_window, a_worker
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
    knows: bool = True

    def alias(self, model, alias, version):
        if self.away:
            raise StorageUnavailable("the registry is away")
        if not self.knows:
            raise NotFound(f"{version} is not registered")
        self.told.append((model, alias, version))


class Installation:
    """The parts a controller uses."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.clock, self.records, self.events = ManualClock(), MemoryRecords(), Traffic()
        self.tracker, self.notifiers = Registry(), ()
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
            tick(parts, Rollouts(parts))
        assert parts.deployment().phase is Phase.BAKING
        assert parts.records.get(Route, "games").champion == version.name

    def test_ends_a_bake_whose_time_is_over(self, parts):
        version = parts.deploying()
        for _ in range(2):
            parts.workers_follow()
            tick(parts, Rollouts(parts))
        parts.clock.advance(hours=25)
        parts.events.seen.append(
            a_window(version=version.name, start=parts.clock.now(), requests=500, errors=0)
        )
        tick(parts, Rollouts(parts))
        assert parts.deployment().phase is Phase.DONE

    def test_watches_a_bake_while_a_newer_version_loads_and_after_it_failed(self, parts):
        champion = parts.deploying()
        for _ in range(2):
            parts.workers_follow()
            tick(parts, Rollouts(parts))
        parts.deploying("1.0.1")
        parts.clock.advance(hours=25)
        tick(parts, Rollouts(parts))
        assert parts.deployment().phase is Phase.FAILED, "nobody loaded it"
        parts.events.seen.append(
            a_window(version=champion.name, start=parts.clock.now(), requests=500, errors=0)
        )
        tick(parts, Rollouts(parts))
        assert parts.records.find(Deployment)[0].phase is Phase.DONE

    def test_of_one_model_is_not_stopped_by_trouble_with_another(self, parts):
        parts.settings = Settings(models={"adult": ModelSettings(), "games": ModelSettings()})
        parts.records.commit([Change(value=a_deployment(model="adult"))])  # of no known version
        version = parts.deploying()
        parts.workers_follow()
        troubles = tick(parts, Rollouts(parts))
        assert list(troubles) == ["rollout of adult"]
        assert parts.records.get(Route, "games").champion == version.name

    def test_changes_nothing_where_nothing_is_to_do(self, parts):
        assert tick(parts, Rollouts(parts)) == {}
        assert parts.records.ledger() == []

    def test_forgets_workers_that_were_killed(self, parts):
        parts.records.commit([Change(value=a_worker())])
        tick(parts, Rollouts(parts))
        assert len(parts.records.find(WorkerStatus)) == 1
        parts.clock.advance(minutes=2)
        tick(parts, Rollouts(parts))
        assert parts.records.find(WorkerStatus) == []


class TestTheRegistrysAliases:
    def test_follow_the_records_once_a_change(self, parts):
        aliases = Aliases(parts)
        aliases.follow()
        assert parts.tracker.told == [], "nothing was registered yet"
        version = parts.deploying()
        aliases.follow()
        assert parts.tracker.told == [("games", "challenger", version.name)]
        parts.workers_follow()
        tick(parts, Rollouts(parts))
        aliases.follow()
        aliases.follow()
        assert parts.tracker.told[1:] == [
            ("games", "champion", version.name),
            ("games", "challenger", None),
        ]

    def test_are_told_again_after_the_registry_was_away(self, parts):
        version = parts.deploying()
        parts.workers_follow()
        tick(parts, Rollouts(parts))
        aliases = Aliases(parts)
        parts.tracker.away = True
        assert "away" in str(aliases.follow()["aliases of games"])
        assert parts.tracker.told == []
        parts.tracker.away = False
        aliases.follow()
        assert ("games", "champion", version.name) in parts.tracker.told

    def test_wait_in_silence_for_a_candidate_that_is_registered_in_a_moment(self, parts):
        """Training records a version just before it registers it."""
        candidate = a_version(state=State.VALIDATION)
        parts.records.commit([Change(value=candidate)])
        aliases = Aliases(parts)
        parts.tracker.knows = False
        assert aliases.follow() == {}
        parts.tracker.knows = True
        aliases.follow()
        assert parts.tracker.told == [("games", "challenger", candidate.name)]

    def test_never_call_a_withdrawn_or_rejected_version_the_challenger(self, parts):
        parts.records.commit(
            [
                Change(value=a_version("1.0.0", state=State.DEVELOPMENT)),
                Change(value=a_version("1.0.1", state=State.STAGING)),
                Change(
                    value=a_deployment(version=a_version("1.0.1").name, phase=Phase.ROLLED_BACK)
                ),
            ]
        )
        assert wanted(parts.records, "games") == (None, None)


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
