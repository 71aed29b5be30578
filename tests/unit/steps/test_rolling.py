"""What an operator may rely on while a version takes one share of the traffic after the other."""

from __future__ import annotations

from datetime import timedelta

import pytest
from rollout_world import BAD, GOOD, LITTLE, World, seen

from flyball.domain.deployment import Phase
from flyball.domain.judging import Standing
from flyball.domain.lifecycle import State
from flyball.domain.routing import SlotPhase
from flyball.domain.validation import Verdict
from flyball.errors import StaleWrite
from flyball.stats import latency
from flyball.steps.deploy import advance, begin
from flyball.steps.rollback import restore
from flyball.steps.rolling import roll
from flyball.testing.builders import a_window


@pytest.fixture
def world() -> World:
    world = World(interval="1m", warm_up="10s", deadline="6h")
    world.deploy("1.0.0")
    return world


def goes_well(world: World, deployment, found=GOOD):
    """A whole step with good traffic, and the workers follow what comes of it."""
    world.clock.advance(minutes=2)
    deployment = roll(world.desk, deployment, found)
    world.workers_follow()
    return roll(world.desk, deployment, LITTLE) if deployment.phase is Phase.ROLLING else deployment


class TestTheFirstShare:
    def test_is_given_once_every_worker_has_loaded_the_version(self, world):
        new = world.staged("1.0.1")
        deployment = begin(world.desk, new)
        assert deployment.strategy == "canary"
        assert advance(world.desk, deployment) == deployment
        assert world.route.challenger_share == 0.0
        world.workers_follow()
        deployment = advance(world.desk, deployment)
        assert (deployment.phase, deployment.share) == (Phase.ROLLING, 0.05)
        assert world.route.challenger_share == 0.05
        assert world.state(new) is State.PRODUCTION

    def test_freezes_the_champions_95th_percentile_for_the_whole_rollout(self, world):
        champion = world.route.champion
        counts = a_window(requests=0).latency
        slow = tuple({40: 900, 60: 100}.get(k, 0) for k in range(len(counts)))
        world.traffic.seen.append(
            a_window(version=champion, start=world.clock.now(), latency=slow, requests=1000)
        )
        _, deployment = world.roll_out("1.0.1")
        assert deployment.slow_above_s == pytest.approx(latency.BOUNDS[60], rel=0.1)
        assert world.route.slow_above_s == deployment.slow_above_s

    def test_without_traffic_before_it_the_service_level_tells_what_is_slow(self, world):
        _, deployment = world.roll_out("1.0.1")
        assert deployment.slow_above_s == 2.0

    def test_is_all_traffic_where_nothing_serves_yet(self):
        fresh = World()
        deployment = begin(fresh.desk, fresh.staged("1.0.0"))
        assert (deployment.strategy, deployment.steps) == ("blue-green", (1.0,))

    def test_is_all_traffic_where_an_operator_wants_that(self, world):
        deployment = begin(world.desk, world.staged("1.0.1"), strategy="blue-green")
        assert deployment.steps == (1.0,)

    def test_makes_the_version_one_that_is_monitored_once_all_workers_apply_it(self, world):
        new, _ = world.roll_out("1.0.1")
        assert world.state(new) is State.MONITORING


class TestAGoodVersion:
    def test_takes_every_share_and_then_all_traffic_and_bakes(self, world):
        new, deployment = world.roll_out("1.0.1")
        shares = []
        while deployment.phase is Phase.ROLLING:
            shares.append(world.route.challenger_share)
            deployment = goes_well(world, deployment)
        assert shares == [0.05, 0.25, 0.5]
        assert deployment.phase is Phase.SWITCHING
        deployment = advance(world.desk, deployment)
        assert deployment.phase is Phase.BAKING
        assert world.route.champion == new.name
        assert world.route.challenger_share == 0.0
        assert world.route.slow_above_s is None
        assert world.state(new) is State.MONITORING

    def test_stays_in_a_step_for_its_least_time(self, world):
        _, deployment = world.roll_out("1.0.1")
        world.clock.advance(seconds=69)
        assert roll(world.desk, deployment, GOOD).share == 0.05
        world.clock.advance(seconds=1)
        assert roll(world.desk, deployment, GOOD).share == 0.25

    def test_waits_until_every_worker_has_applied_a_share(self, world):
        _, deployment = world.roll_out("1.0.1")
        world.clock.advance(minutes=2)
        deployment = roll(world.desk, deployment, GOOD)
        world.clock.advance(minutes=20)
        assert roll(world.desk, deployment, GOOD) == deployment
        world.workers_follow()
        deployment = roll(world.desk, deployment, GOOD)
        assert deployment.shifts[-1].applied_at == world.clock.now()

    def test_waits_for_approval_where_that_is_wanted(self):
        world = World(approval="manual", steps=(0.5, 1.0))
        world.deploy("1.0.0")
        _, deployment = world.roll_out("1.0.1")
        deployment = goes_well(world, deployment, seen(share=0.5, slow=(500, 500)))
        assert deployment.waits
        assert world.actions()[-1] == "hold"
        assert roll(world.desk, deployment, GOOD) == deployment


class TestABadVersion:
    @pytest.mark.parametrize("steps", [0, 1, 2])
    def test_loses_its_traffic_in_any_step(self, world, steps):
        champion = world.route.champion
        new, deployment = world.roll_out("1.0.1")
        for _ in range(steps):
            deployment = goes_well(world, deployment)
        bad = seen(2_000, failed=(20, 400), share=deployment.share)
        deployment = roll(world.desk, deployment, bad)
        assert deployment.phase is Phase.ROLLED_BACK
        assert (world.route.champion, world.route.challenger_share) == (champion, 0.0)
        assert world.state(new) is State.ROLLBACK
        world.workers_follow()
        assert restore(world.desk, "games")
        assert world.state(new) is State.STAGING

    def test_loses_it_without_waiting_for_the_least_time(self, world):
        _, deployment = world.roll_out("1.0.1")
        world.clock.advance(seconds=11)
        assert roll(world.desk, deployment, BAD).phase is Phase.ROLLED_BACK

    def test_loses_it_also_before_every_worker_has_applied_its_share(self, world):
        world.staged("1.0.1")
        deployment = begin(world.desk, world.staged("1.0.2"))
        world.workers_follow()
        deployment = advance(world.desk, deployment)
        assert deployment.shifts[-1].applied_at is None
        assert roll(world.desk, deployment, BAD).phase is Phase.ROLLED_BACK

    def test_leaves_loaded_what_could_be_gone_back_to_before(self, world):
        world.deploy("1.0.1")
        before = world.route.slots
        _, deployment = world.roll_out("1.0.2")
        roll(world.desk, deployment, BAD)
        assert world.route.slots == before

    def test_that_a_worker_can_no_longer_load_is_withdrawn(self, world):
        new, deployment = world.roll_out("1.0.1")
        world.workers_follow(failing=new.name)
        deployment = roll(world.desk, deployment, GOOD)
        assert deployment.phase is Phase.ROLLED_BACK
        assert "the artifact is damaged" in deployment.detail

    def test_tells_the_ledger_why_with_the_evidence(self, world):
        _, deployment = world.roll_out("1.0.1")
        roll(world.desk, deployment, BAD)
        [row] = [row for row in world.records.ledger() if row.entry.action == "withdraw"]
        standing = world.records.get(Standing, deployment.id)
        assert standing.judgement.verdict is Verdict.FAIL
        assert row.entry.reason == standing.judgement.reason
        assert row.entry.evidence is not None


class TestTooLittleToTell:
    def late(self, policy: str):
        world = World(undecided=policy, deadline="1h", steps=(0.05, 1.0))
        world.deploy("1.0.0")
        new, deployment = world.roll_out("1.0.1")
        world.clock.advance(minutes=59)
        assert roll(world.desk, deployment, LITTLE) == deployment
        world.clock.advance(minutes=2)
        return world, new, roll(world.desk, deployment, LITTLE)

    def test_is_held_at_the_deadline(self):
        world, _, deployment = self.late("hold")
        assert "undecided after 1 h at 5%" in deployment.held
        assert world.route.challenger_share == 0.05
        assert world.actions()[-2:] == ["undecided", "hold"]

    def test_is_rolled_back_at_the_deadline_where_that_is_the_policy(self):
        world, _, deployment = self.late("rollback")
        assert deployment.phase is Phase.ROLLED_BACK
        assert world.route.challenger_share == 0.0

    def test_goes_on_at_the_deadline_only_where_that_is_the_policy_and_says_so(self):
        world, new, deployment = self.late("promote")
        assert deployment.phase is Phase.SWITCHING
        assert world.route.champion == new.name
        [row] = [row for row in world.records.ledger() if row.entry.action == "undecided"]
        assert "undecided after 1 h" in row.entry.reason

    def test_waits_for_approval_at_the_deadline_all_the_same(self):
        world = World(undecided="promote", deadline="1h", steps=(0.05, 1.0), approval="manual")
        world.deploy("1.0.0")
        _, deployment = world.roll_out("1.0.1")
        world.clock.advance(hours=2)
        assert roll(world.desk, deployment, LITTLE).waits


class TestHowItStands:
    def test_is_stored_at_once_and_then_now_and_again(self, world):
        _, deployment = world.roll_out("1.0.1")
        roll(world.desk, deployment, LITTLE)
        first = world.records.get(Standing, deployment.id)
        world.clock.advance(seconds=1)
        roll(world.desk, deployment, LITTLE)
        assert world.records.get(Standing, deployment.id) == first
        world.clock.advance(seconds=1)
        roll(world.desk, deployment, LITTLE)
        assert world.records.get(Standing, deployment.id).at - first.at == timedelta(seconds=2)


class TestTwoWhoMoveIt:
    def test_cannot_both_do_so(self, world):
        _, deployment = world.roll_out("1.0.1")
        world.clock.advance(minutes=2)
        roll(world.desk, deployment, GOOD)
        with pytest.raises(StaleWrite):
            roll(world.desk, deployment, GOOD)
        assert world.route.challenger_share == 0.25


def test_a_worker_that_is_loading_again_does_not_end_a_rollout(world):
    """It was restarted: it answers for the champion until it has loaded the other one, too."""
    new, deployment = world.roll_out("1.0.1")
    world.workers_follow()
    worker = world.target.running[0]
    again = {
        slot: status if status.version != new.name else status.__class__(
            version=new.name, phase=SlotPhase.LOADING
        )
        for slot, status in worker.slots.items()
    }  # fmt: skip
    from dataclasses import replace

    world.target.running = [replace(worker, slots=again, applied={}), world.target.running[1]]
    assert roll(world.desk, deployment, LITTLE).phase is Phase.ROLLING
