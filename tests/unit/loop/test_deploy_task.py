"""A deployment that a kill cut off is taken up, however much later."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from flyball.domain.deployment import Deployment, Phase
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.routing import Route, SlotPhase, SlotStatus, WorkerStatus, alive
from flyball.errors import DeploymentError
from flyball.loop import tasks
from flyball.ports import Change
from flyball.settings import ModelSettings
from flyball.steps.deploy import begin
from flyball.testing.builders import NOON, a_deployment, a_version
from flyball.testing.fakes import FakeTarget, ManualClock, MemoryRecords


class Registry:
    """The part of ``Tracker`` that a deployment tells."""

    def __init__(self) -> None:
        self.aliases: dict[str, str | None] = {}

    def alias(self, model: str, alias: str, version: str | None) -> None:
        self.aliases[alias] = version


class Parts:
    """Records, a registry, a clock, and workers that load what the route says."""

    def __init__(self) -> None:
        self.records, self.clock, self.tracker = MemoryRecords(), ManualClock(), Registry()
        self.target = FakeTarget(temporary=a_worker("temporary"))
        self.events = None  # no rollout by steps here, which would look at traffic
        self.version = a_version(state=State.STAGING)
        self.records.commit([Change(value=self.version)])

    def model(self, name: str) -> ModelSettings:
        return ModelSettings()

    def a_second_passes(self) -> None:
        """Workers that live do their work; dead ones are missed after a while."""
        now = self.clock.advance(seconds=1)
        route = self.records.get(Route, "games")
        slots = {
            f"games/{slot}": SlotStatus(version=name, phase=SlotPhase.READY)
            for slot, name in route.slots.items()
        }
        self.target.running = [
            worker
            if worker.worker == "killed"
            else replace(worker, seen_at=now, slots=slots, applied={"games": route.generation})
            for worker in self.target.running
            if worker.worker != "killed" or alive(worker, now)
        ]

    def deploy(self) -> tasks.Plain:
        return tasks.deploy(
            self, self.version.id, actor="test", again=False, wait=self.a_second_passes
        )

    def begun(self) -> Deployment:
        desk = tasks.desk(self, "games", "test")
        return begin(desk, self.version, strategy="blue-green")


def a_worker(name: str) -> WorkerStatus:
    return WorkerStatus(worker=name, url="", started_at=NOON, seen_at=NOON)


@pytest.fixture
def parts() -> Parts:
    return Parts()


class TestADeploymentThatWasCutOff:
    def test_finds_another_worker_once_the_killed_one_is_missed(self, parts):
        """A worker that was just killed looks alive for some seconds."""
        parts.begun()
        parts.target.running = [a_worker("killed")]
        assert parts.deploy()["phase"] == Phase.BAKING
        assert parts.tracker.aliases["champion"] == parts.version.name

    def test_is_not_blamed_for_the_time_when_nobody_was_at_work(self, parts):
        parts.begun()
        parts.clock.advance(hours=10)
        assert parts.deploy()["phase"] == Phase.BAKING

    def test_still_has_to_load_within_its_time(self, parts):
        parts.begun()
        parts.clock.advance(hours=10)
        parts.target.running = [a_worker("hanging")]

        def nothing_happens() -> None:
            parts.clock.advance(minutes=1)

        began = parts.clock.now()
        with pytest.raises(DeploymentError, match="not loaded within"):
            tasks.deploy(parts, parts.version.id, actor="t", again=False, wait=nothing_happens)
        assert parts.clock.now() - began <= ModelSettings().rollout.load_timeout + timedelta(
            minutes=1
        )
        state = parts.records.get(ModelVersion, parts.version.id).state
        assert state is State.STAGING, "nobody found fault with it"

    def test_tells_the_registry_also_where_only_that_was_missing(self, parts):
        parts.deploy()
        parts.tracker.aliases.clear()  # killed between the record and the registry
        assert not parts.deploy()["new"]
        assert parts.tracker.aliases == {"champion": parts.version.name, "challenger": None}


def test_a_version_that_failed_its_smoke_test_cannot_be_deployed_again(parts):
    """Its number stays burnt; the message says how to get another."""
    failed = replace(parts.version, state=State.DEVELOPMENT)
    parts.records.commit(
        [
            Change(value=failed, replacing=parts.version),
            Change(value=a_deployment(version=failed.name, phase=Phase.FAILED)),
        ]
    )
    with pytest.raises(DeploymentError, match="flyball train games"):
        tasks.deploy(parts, failed.id, actor="t", again=True, wait=parts.a_second_passes)
