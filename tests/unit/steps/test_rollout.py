"""What an operator may rely on when a version takes over, one look at the workers at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from rollout_world import World

from flyball.domain.deployment import Deployment, Phase
from flyball.domain.evidence import EvidenceKind
from flyball.domain.lifecycle import ModelVersion, State
from flyball.errors import DeploymentError, StaleWrite
from flyball.ports import Change
from flyball.steps.deploy import advance, begin
from flyball.steps.desk import Desk
from flyball.steps.monitor import monitor
from flyball.steps.rollback import restore, rollback
from flyball.testing.builders import NOON, a_version


class ReadsTheStateBeforeAnotherWriter:
    """Records where somebody else restores the version between our look and our write."""

    def __init__(self, other: Desk) -> None:
        self._other = other

    def __getattr__(self, name):
        return getattr(self._other.records, name)

    def commit(self, changes, entries=()):
        restore(self._other, "games")
        self._other.records.commit(changes, entries)


@pytest.fixture
def world() -> World:
    return World()


class TestADeployment:
    def test_takes_no_traffic_before_every_worker_has_loaded_it(self, world):
        version = world.staged("1.0.0")
        deployment = begin(world.desk, version, strategy="blue-green")
        assert world.route.champion is None
        assert advance(world.desk, deployment) == deployment
        assert world.state(version) is State.STAGING

    def test_serves_once_all_have_loaded_it_and_bakes_once_all_applied_the_switch(self, world):
        version = world.staged("1.0.0")
        deployment = begin(world.desk, version, strategy="blue-green")
        world.workers_follow()
        deployment = advance(world.desk, deployment)
        assert (deployment.phase, world.route.champion) == (Phase.SWITCHING, version.name)
        assert world.state(version) is State.PRODUCTION
        assert advance(world.desk, deployment) == deployment, "no worker acknowledged it yet"
        world.workers_follow()
        deployment = advance(world.desk, deployment)
        assert deployment.bake_until == NOON + timedelta(hours=1)
        assert world.state(version) is State.MONITORING

    def test_keeps_the_old_version_loaded_beside_it(self, world):
        old, _ = world.deploy("1.0.0")
        new, _ = world.deploy("1.0.1")
        assert (world.route.champion, world.route.standby) == (new.name, old.name)
        assert world.state(old) is State.PRODUCTION

    def test_leaves_the_champion_alone_when_a_worker_cannot_load_it(self, world):
        champion, _ = world.deploy("1.0.0")
        broken = world.staged("1.0.1")
        deployment = begin(world.desk, broken, strategy="blue-green")
        world.workers_follow(failing=broken.name)
        deployment = advance(world.desk, deployment)
        assert deployment.phase is Phase.FAILED
        assert "the artifact is damaged" in deployment.detail
        assert world.route.champion == champion.name
        assert world.state(broken) is State.DEVELOPMENT

    def test_gives_the_idle_slot_back_when_it_fails(self, world):
        world.deploy("1.0.0")
        world.deploy("1.0.1")
        before = world.route.slots
        broken = world.staged("1.0.2")
        deployment = begin(world.desk, broken, strategy="blue-green")
        world.workers_follow(failing=broken.name)
        advance(world.desk, deployment)
        assert world.route.slots == before

    def test_fails_when_no_worker_loads_it_in_time(self, world):
        version = world.staged("1.0.0")
        deployment = begin(world.desk, version, strategy="blue-green")
        world.clock.advance(minutes=3)
        deployment = advance(world.desk, deployment)
        assert deployment.phase is Phase.FAILED
        assert deployment.detail.startswith("not loaded within 120 s: waiting for ")

    def test_that_no_worker_loaded_in_time_may_be_tried_again(self, world):
        """Nobody found the version wanting: it keeps its state, and the next try may succeed."""
        version = world.staged("1.0.0")
        deployment = begin(world.desk, version, strategy="blue-green")
        world.clock.advance(minutes=3)
        advance(world.desk, deployment)
        assert world.state(version) is State.STAGING
        again = begin(world.desk, version, strategy="blue-green")
        world.workers_follow()
        assert advance(world.desk, again).phase is Phase.SWITCHING

    def test_begun_twice_is_one_deployment(self, world):
        version = world.staged("1.0.0")
        first = begin(world.desk, version, strategy="blue-green")
        assert begin(world.desk, version, strategy="blue-green") == first

    def test_of_another_version_has_to_wait(self, world):
        begin(world.desk, world.staged("1.0.0"), strategy="blue-green")
        with pytest.raises(DeploymentError, match="still loading"):
            begin(world.desk, world.staged("1.0.1"), strategy="blue-green")

    def test_needs_a_version_that_passed_validation(self, world):
        version = a_version("1.0.0", state=State.VALIDATION)
        world.records.commit([Change(value=version)])
        with pytest.raises(DeploymentError, match="flyball validate games"):
            begin(world.desk, version, strategy="blue-green")

    def test_moved_by_two_at_once_moves_once(self, world):
        deployment = begin(world.desk, world.staged("1.0.0"), strategy="blue-green")
        world.workers_follow()
        advance(world.desk, deployment)
        with pytest.raises(StaleWrite):
            advance(world.desk, deployment)
        assert len([r for r in world.records.ledger() if r.entry.action == "route"]) == 1

    def test_archives_a_version_that_no_slot_holds_any_more(self, world):
        oldest, _ = world.deploy("1.0.0")
        world.deploy("1.0.1")
        world.deploy("1.0.2")
        assert world.state(oldest) is State.ARCHIVED

    def test_leaves_a_ledger_that_verifies_and_names_who_served(self, world):
        world.deploy("1.0.0")
        world.deploy("1.0.1")
        assert world.records.verify_ledger() > 0
        routed = [r.entry.after for r in world.records.ledger() if r.entry.action == "route"]
        assert [name.split("-")[0] for name in routed] == ["1.0.0", "1.0.1"]


class TestARollback:
    def test_puts_the_earlier_version_back_by_one_row(self, world):
        old, _ = world.deploy("1.0.0")
        new, deployment = world.deploy("1.0.1")
        generation = world.route.generation
        rollback(world.desk, "games", reason="complaints", kind=EvidenceKind.DECISION)
        assert world.route.champion == old.name
        assert world.route.generation == generation + 1
        assert world.state(new) is State.ROLLBACK
        assert world.records.get(Deployment, deployment.id).phase is Phase.ROLLED_BACK

    def test_returns_the_version_to_staging_once_every_worker_left_it(self, world):
        world.deploy("1.0.0")
        new, _ = world.deploy("1.0.1")
        rollback(world.desk, "games", reason="complaints", kind=EvidenceKind.DECISION)
        assert restore(world.desk, "games") is False
        world.workers_follow()
        assert restore(world.desk, "games") is True
        assert world.state(new) is State.STAGING

    def test_is_not_disturbed_by_another_process_that_restores_it_too(self, world):
        world.deploy("1.0.0")
        new, _ = world.deploy("1.0.1")
        rollback(world.desk, "games", reason="complaints", kind=EvidenceKind.DECISION)
        world.workers_follow()
        late = replace(world.desk, records=ReadsTheStateBeforeAnotherWriter(world.desk))
        assert restore(late, "games") is False
        assert restore(world.desk, "games") is True
        assert world.state(new) is State.STAGING

    def test_cannot_go_back_to_a_version_that_was_rolled_back(self, world):
        world.deploy("1.0.0")
        world.deploy("1.0.1")
        rollback(world.desk, "games", reason="complaints", kind=EvidenceKind.DECISION)
        world.workers_follow()
        restore(world.desk, "games")
        with pytest.raises(DeploymentError, match="no earlier good version"):
            rollback(world.desk, "games", reason="again", kind=EvidenceKind.DECISION)

    def test_of_the_first_version_is_refused(self, world):
        world.deploy("1.0.0")
        with pytest.raises(DeploymentError, match="none is loaded"):
            rollback(world.desk, "games", reason="", kind=EvidenceKind.DECISION)

    def test_of_nothing_is_refused(self, world):
        with pytest.raises(DeploymentError, match="nothing to roll back"):
            rollback(world.desk, "games", reason="", kind=EvidenceKind.DECISION)

    def test_lets_the_version_be_deployed_again_later(self, world):
        world.deploy("1.0.0")
        new, _ = world.deploy("1.0.1")
        rollback(world.desk, "games", reason="complaints", kind=EvidenceKind.DECISION)
        world.workers_follow()
        restore(world.desk, "games")
        again = begin(world.desk, world.records.get(ModelVersion, new.id), strategy="blue-green")
        world.workers_follow()
        assert advance(world.desk, again).phase is Phase.SWITCHING
        assert world.route.champion == new.name


class TestABake:
    def test_ends_well_on_healthy_traffic_when_its_time_is_over(self, world):
        version, deployment = world.deploy("1.0.0")
        world.clock.advance(hours=1)
        world.has_served(version, requests=5_000, errors=0)
        assert monitor(world.desk, deployment, world.traffic).phase is Phase.DONE
        assert world.state(version) is State.PRODUCTION

    def test_goes_on_while_its_time_is_not_over(self, world):
        version, deployment = world.deploy("1.0.0")
        world.has_served(version, requests=5_000, errors=0)
        assert monitor(world.desk, deployment, world.traffic) == deployment

    def test_goes_on_past_its_time_while_evidence_is_thin(self, world):
        version, deployment = world.deploy("1.0.0")
        world.clock.advance(hours=2)
        world.has_served(version, requests=99, errors=0)
        assert monitor(world.desk, deployment, world.traffic) == deployment

    def test_is_rolled_back_at_once_when_too_many_answers_fail(self, world):
        old, _ = world.deploy("1.0.0")
        new, deployment = world.deploy("1.0.1")
        world.has_served(new, requests=5_000, errors=500)
        assert monitor(world.desk, deployment, world.traffic).phase is Phase.ROLLED_BACK
        assert world.route.champion == old.name

    def test_is_judged_by_its_latest_traffic_not_by_hours_of_good_answers(self, world):
        old, _ = world.deploy("1.0.0")
        new, deployment = world.deploy("1.0.1")
        world.has_served(new, requests=100_000, errors=0)
        world.clock.advance(minutes=30)
        world.has_served(new, requests=500, errors=100)
        assert monitor(world.desk, deployment, world.traffic).phase is Phase.ROLLED_BACK
        assert world.route.champion == old.name

    def test_with_little_traffic_is_judged_by_all_of_it_at_the_end(self, world):
        version, deployment = world.deploy("1.0.0")
        for _ in range(4):
            world.has_served(version, requests=50, errors=0)
            world.clock.advance(minutes=15)
            after = monitor(world.desk, deployment, world.traffic)
        assert after.phase is Phase.DONE

    def test_is_not_ended_by_a_share_of_failures_that_may_be_chance(self, world):
        """Two of a hundred fail every few minutes where one in two hundred does."""
        world.deploy("1.0.0")
        new, deployment = world.deploy("1.0.1")
        world.has_served(new, requests=100, errors=2)
        assert monitor(world.desk, deployment, world.traffic) == deployment

    def test_is_rolled_back_by_a_few_answers_when_all_of_them_fail(self, world):
        world.deploy("1.0.0")
        new, deployment = world.deploy("1.0.1")
        world.has_served(new, requests=4, errors=4)
        assert monitor(world.desk, deployment, world.traffic).phase is Phase.ROLLED_BACK

    def test_does_not_judge_a_version_by_anothers_errors(self, world):
        old, _ = world.deploy("1.0.0")
        _, deployment = world.deploy("1.0.1")
        world.has_served(old, requests=5_000, errors=5_000)
        assert monitor(world.desk, deployment, world.traffic) == deployment

    def test_keeps_serving_degraded_when_there_is_nothing_to_go_back_to(self, world):
        version, deployment = world.deploy("1.0.0")
        world.has_served(version, requests=5_000, errors=500)
        assert monitor(world.desk, deployment, world.traffic) == deployment
        assert world.route.champion == version.name
