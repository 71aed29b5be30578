"""What the controller sees of a rollout: all of it, once, also after a restart."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from flyball.domain.deployment import Deployment, Phase
from flyball.domain.judging import Measure, Standing
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.routing import Route, SlotPhase, SlotStatus, WorkerStatus
from flyball.domain.traffic import Answers, EventType
from flyball.loop.casualties import CRASHES, MISSED
from flyball.loop.controller import tick
from flyball.loop.tasks import desk
from flyball.loop.watching import Rollouts
from flyball.ports import Change
from flyball.settings import ModelSettings, Rollout, Settings
from flyball.steps.deploy import begin
from flyball.storage.database import open_database
from flyball.storage.traffic import SqlEvents
from flyball.testing.builders import a_version, a_window, a_worker, an_event
from flyball.testing.fakes import FakeTarget, ManualClock, MemoryRecords

OLD, NEW = "1.0.0", "1.0.1"


class Installation:
    """The parts of a controller, with events in a real database."""

    def __init__(self, home) -> None:
        rollout = Rollout(interval="1m", warm_up="1s")
        self.settings = Settings(models={"games": ModelSettings(rollout=rollout)})
        self.clock, self.records = ManualClock(), MemoryRecords()
        self.events = SqlEvents(open_database(f"sqlite:///{home}/x.db"))
        self.target = FakeTarget(running=[a_worker("w:1", slots={}, applied={})])
        self.rollouts = Rollouts(self)

    def model(self, name):
        return self.settings.model(name)

    def answers(self, model):
        return Answers(b"a key")

    def tick(self) -> Deployment:
        """One tick, after which the workers have followed."""
        troubles = tick(self, self.rollouts)
        assert troubles == {}, troubles
        route = self.records.get(Route, "games")
        slots = {
            f"games/{slot}": SlotStatus(version=version, phase=SlotPhase.READY)
            for slot, version in route.slots.items()
        }
        now = self.clock.now()
        self.target.running = [
            replace(worker, slots=slots, applied={"games": route.generation}, seen_at=now)
            for worker in self.target.running
        ]
        return self.records.find(Deployment, model="games")[-1]

    def staged(self, number: str) -> ModelVersion:
        version = a_version(number, state=State.STAGING)
        self.records.commit([Change(value=version)])
        return version

    def rolling(self) -> Deployment:
        """A second version with its first share, applied by every worker and past its warm-up."""
        begin(desk(self, "games", "test"), self.staged(OLD))
        while self.tick().phase is not Phase.BAKING:
            pass
        begin(desk(self, "games", "test"), self.staged(NEW))
        while not (deployment := self.tick()).shifts or not deployment.shifts[-1].applied_at:
            pass
        self.clock.advance(seconds=2)
        return deployment

    def served(self, deployment: Deployment, *failed: int, champion=False, **fields) -> None:
        """A window of one version, with the tags of those whom it failed."""
        version = deployment.replaces if champion else deployment.version
        self.events.add_windows(
            [
                a_window(
                    version=version,
                    worker="w:1",
                    start=self.clock.now(),
                    seconds=0.25,
                    salt=deployment.id,
                    units={"failed": failed},
                    **fields,
                )
            ]
        )
        self.clock.advance(seconds=0.25)

    def failed(self) -> tuple[int, int]:
        """Units that failed so far, as the controller counts them: champion's, challenger's."""
        deployment = self.records.find(Deployment, model="games")[-1]
        splits = self.records.get(Standing, deployment.id).seen.splits[Measure.FAILED]
        return sum(s.champion for s in splits), sum(s.challenger for s in splits)


@pytest.fixture
def parts(tmp_path) -> Installation:
    return Installation(tmp_path)


def test_what_came_since_the_last_look_is_added(parts):
    deployment = parts.rolling()
    parts.served(deployment, 1, champion=True)
    parts.tick()
    parts.served(deployment, 2, champion=True)
    parts.clock.advance(seconds=5)
    parts.tick()
    assert parts.failed() == (2, 0)


def test_a_controller_that_begins_later_sees_what_the_one_before_saw(parts):
    deployment = parts.rolling()
    parts.served(deployment, 1, 2, champion=True)
    parts.tick()
    parts.rollouts = Rollouts(parts)
    parts.served(deployment, 3, champion=True)
    parts.clock.advance(seconds=5)
    parts.tick()
    assert parts.failed() == (3, 0)


def test_a_version_that_fails_its_users_is_withdrawn_in_the_same_look(parts):
    deployment = parts.rolling()
    parts.served(deployment, *range(10), requests=20, errors=10)
    deployment = parts.tick()
    assert deployment.phase is Phase.ROLLED_BACK
    assert parts.records.get(Route, "games").challenger_share == 0.0
    assert parts.rollouts.models() == []


def test_a_click_counts_for_the_answer_that_led_to_it(parts):
    deployment = parts.rolling()
    at = int(parts.clock.now().timestamp() * 1000)
    answers = parts.answers("games")
    ours = answers.new(deployment.version, at, "0123456789")
    forged = ours[:-40] + "0" * 12 + ours[-28:]
    soon = parts.clock.now() + timedelta(seconds=5)
    for number, answer in enumerate((ours, ours, forged, "")):
        event = an_event(
            f"e{number}",
            type=EventType.CLICK,
            user_id="ada",
            recommendation_id=answer,
            value=None,
            received_at=soon,
        )
        parts.events.append([event])
    parts.clock.advance(seconds=5)
    parts.tick()
    splits = parts.records.get(Standing, deployment.id).seen.splits[Measure.CLICKED]
    assert sum(s.champion + s.challenger for s in splits) == 1


class TestLostWorkers:
    def seen(self, parts: Installation, number: int, own_bytes: int = 0) -> None:
        """A worker reports."""
        name = f"other:{number}"
        known = [w for w in parts.records.find(WorkerStatus) if w.worker == name]
        status = a_worker(name, seen_at=parts.clock.now(), own_bytes=own_bytes)
        parts.records.commit([Change(value=status, replacing=known[0] if known else None)])

    def looks(self, parts: Installation, count: int = MISSED) -> Deployment:
        """So many looks, one after the other."""
        return [parts.tick() for _ in range(count)][-1]

    def rolling(self, parts: Installation) -> None:
        """A rollout that is watched, and some time later."""
        parts.rolling()
        parts.clock.advance(seconds=1)

    def test_that_crash_stop_a_rollout_where_they_are_many(self, parts):
        self.rolling(parts)
        for number in range(CRASHES):
            self.seen(parts, number)
        parts.clock.advance(seconds=10)
        deployment = self.looks(parts)
        assert deployment.phase is Phase.ROLLED_BACK
        assert "workers crashed" in deployment.detail

    def test_that_crash_do_not_where_it_is_one(self, parts):
        self.rolling(parts)
        self.seen(parts, 1)
        parts.clock.advance(seconds=10)
        assert self.looks(parts).phase is Phase.ROLLING

    def test_before_this_controller_began_are_not_held_against_it(self, parts):
        """All was killed together: the machine went down, and nobody knows why."""
        parts.rolling()
        for number in range(CRASHES):
            self.seen(parts, number)
        parts.clock.advance(seconds=10)
        parts.rollouts = Rollouts(parts)
        assert self.looks(parts).phase is Phase.ROLLING

    def test_only_seem_to_be_lost_when_somebody_sets_the_clock(self, parts):
        """All are missed at once, and report again one after the other."""
        self.rolling(parts)
        for number in range(2 * CRASHES):
            self.seen(parts, number)
        parts.clock.advance(hours=1)
        self.looks(parts, MISSED // 2)
        for number in range(2 * CRASHES):
            self.seen(parts, number)
        assert self.looks(parts).phase is Phase.ROLLING

    def test_whose_memory_runs_away_stop_a_rollout(self, parts):
        limit = parts.settings.server.worker_memory
        self.rolling(parts)
        for share in (0.1, 0.5, 0.9):
            self.seen(parts, 1, round(share * limit))
            self.seen(parts, 2, round(share * limit))
            assert parts.tick().phase is Phase.ROLLING
        self.seen(parts, 1, round(1.1 * limit))
        assert parts.tick().phase is Phase.ROLLING
        self.seen(parts, 2, round(1.1 * limit))
        deployment = parts.tick()
        assert deployment.phase is Phase.ROLLED_BACK
        assert "memory of 2 workers" in deployment.detail

    def test_that_were_nearly_too_large_before_are_no_fault_of_the_version(self, parts):
        limit = parts.settings.server.worker_memory
        self.rolling(parts)
        for share in (0.9, 1.1, 1.3):
            self.seen(parts, 1, round(share * limit))
            assert parts.tick().phase is Phase.ROLLING
