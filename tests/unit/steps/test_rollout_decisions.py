"""What an operator may decide about a rollout, and what is refused with a way on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from rollout_world import BAD, GOOD, LITTLE, World, seen

from flyball.domain.deployment import Phase
from flyball.domain.lifecycle import State
from flyball.errors import DeploymentError, IllegalTransition, StaleWrite
from flyball.steps import decisions
from flyball.steps.deploy import begin
from flyball.steps.rolling import roll


@pytest.fixture
def world() -> World:
    world = World(interval="1m", warm_up="10s", deadline="6h")
    world.deploy("1.0.0")
    return world


class TestHold:
    def test_keeps_a_good_version_in_its_step(self, world):
        new, _ = world.roll_out("1.0.1")
        deployment = decisions.hold(world.desk, "games", new.name, reason="a sale begins")
        world.clock.advance(days=2)
        assert roll(world.desk, deployment, GOOD) == deployment
        assert (deployment.held, world.actions()[-1]) == ("a sale begins", "hold")

    def test_does_not_protect_a_bad_one(self, world):
        new, _ = world.roll_out("1.0.1")
        deployment = decisions.hold(world.desk, "games", new.name, reason="a sale begins")
        assert roll(world.desk, deployment, BAD).phase is Phase.ROLLED_BACK

    def test_twice_is_refused(self, world):
        new, _ = world.roll_out("1.0.1")
        decisions.hold(world.desk, "games", new.name, reason="a sale begins")
        with pytest.raises(DeploymentError, match="is held already: a sale begins"):
            decisions.hold(world.desk, "games", new.name, reason="another")

    def test_is_refused_before_there_is_traffic(self, world):
        new = world.staged("1.0.1")
        begin(world.desk, new)
        with pytest.raises(DeploymentError, match="no traffic yet"):
            decisions.hold(world.desk, "games", new.name, reason="wait")

    def test_names_what_there_is_where_no_rollout_is_under_way(self, world):
        version = world.route.champion
        with pytest.raises(DeploymentError, match=r"games/1 has all traffic .* `flyball rollback"):
            decisions.hold(world.desk, "games", version, reason="wait")


class TestResume:
    def test_lets_it_go_on_where_it_was(self, world):
        new, _ = world.roll_out("1.0.1")
        decisions.hold(world.desk, "games", new.name, reason="a sale begins")
        deployment = decisions.resume(world.desk, "games", new.name, reason="the sale is over")
        world.clock.advance(minutes=2)
        assert roll(world.desk, deployment, GOOD).share == 0.25

    def test_gives_the_step_its_whole_time_again(self, world):
        new, deployment = world.roll_out("1.0.1")
        world.clock.advance(hours=7)
        assert roll(world.desk, deployment, LITTLE).held
        deployment = decisions.resume(world.desk, "games", new.name, reason="wait longer")
        world.clock.advance(hours=5)
        assert not roll(world.desk, deployment, LITTLE).held
        world.clock.advance(hours=2)
        assert roll(world.desk, deployment, LITTLE).held

    def test_is_refused_where_nothing_holds_it(self, world):
        new, _ = world.roll_out("1.0.1")
        with pytest.raises(DeploymentError, match="is not held"):
            decisions.resume(world.desk, "games", new.name, reason="go on")

    def test_does_not_stand_for_an_approval(self):
        world = World(approval="manual", steps=(0.5, 1.0))
        world.deploy("1.0.0")
        new, deployment = world.roll_out("1.0.1")
        world.clock.advance(minutes=2)
        assert roll(world.desk, deployment, seen(share=0.5, slow=(500, 500))).waits
        with pytest.raises(DeploymentError, match="flyball approve games"):
            decisions.resume(world.desk, "games", new.name, reason="go on")


class TestAbort:
    def test_gives_the_champion_all_traffic(self, world):
        champion = world.route.champion
        new, _ = world.roll_out("1.0.1")
        deployment = decisions.abort(world.desk, "games", new.name, reason="wrong prices")
        assert deployment.phase is Phase.ROLLED_BACK
        assert (world.route.champion, world.route.challenger_share) == (champion, 0.0)
        assert world.state(new) is State.ROLLBACK

    def test_before_there_is_traffic_says_nothing_against_the_version(self, world):
        new = world.staged("1.0.1")
        begin(world.desk, new)
        assert decisions.abort(world.desk, "games", new.name, reason="later").phase is Phase.FAILED
        assert world.state(new) is State.STAGING


class TestPromote:
    def test_takes_all_traffic_at_once_and_says_who_did_it(self, world):
        new, _ = world.roll_out("1.0.1")
        deployment = decisions.promote(world.desk, "games", new.name, reason="an urgent fix")
        assert (deployment.phase, deployment.promoted_by) == (Phase.SWITCHING, "test")
        assert world.route.champion == new.name
        assert "promote" in world.actions()

    def test_also_what_is_held(self, world):
        new, _ = world.roll_out("1.0.1")
        decisions.hold(world.desk, "games", new.name, reason="look")
        deployment = decisions.promote(world.desk, "games", new.name, reason="it is fine")
        assert (deployment.phase, deployment.held) == (Phase.SWITCHING, "")


class TestApprove:
    def test_lets_a_version_that_waits_take_all_traffic(self):
        world = World(approval="manual", steps=(0.5, 1.0))
        world.deploy("1.0.0")
        new, deployment = world.roll_out("1.0.1")
        good = seen(share=0.5, slow=(500, 500))
        world.clock.advance(minutes=2)
        assert roll(world.desk, deployment, good).waits
        deployment = decisions.approve(world.desk, "games", new.name, reason="seen it")
        assert deployment.approved_by == "test"
        assert roll(world.desk, deployment, good).phase is Phase.SWITCHING

    def test_may_be_said_before_it_is_asked_for(self):
        world = World(approval="manual", steps=(0.5, 1.0))
        world.deploy("1.0.0")
        new, _ = world.roll_out("1.0.1")
        deployment = decisions.approve(world.desk, "games", new.name, reason="seen it")
        assert world.route.challenger_share == 0.5, "it still has to show that it is good"
        world.clock.advance(minutes=2)
        good = seen(share=0.5, slow=(500, 500))
        assert roll(world.desk, deployment, good).phase is Phase.SWITCHING

    def test_twice_says_who_did_before(self, world):
        new, _ = world.roll_out("1.0.1")
        decisions.approve(world.desk, "games", new.name, reason="seen it")
        with pytest.raises(DeploymentError, match="test has approved"):
            decisions.approve(world.desk, "games", new.name, reason="me too")


class TestArchive:
    def test_lets_go_of_the_version_that_stands_by(self, world):
        old = world.route.champion
        world.deploy("1.0.1")
        archived = decisions.archive(world.desk, "games", old, reason="its licence ended")
        assert archived.state is State.ARCHIVED
        assert world.route.standby is None

    def test_of_what_serves_is_refused(self, world):
        with pytest.raises(DeploymentError, match=r"1\.0\.0-\S+ serves;"):
            decisions.archive(world.desk, "games", world.route.champion, reason="old")

    def test_of_part_of_a_rollout_is_refused(self, world):
        new, _ = world.roll_out("1.0.1")
        with pytest.raises(DeploymentError, match="flyball abort games"):
            decisions.archive(world.desk, "games", new.name, reason="old")

    def test_of_a_version_that_never_served_is_no_move_of_the_lifecycle(self, world):
        staged = world.staged("1.0.1")
        with pytest.raises(IllegalTransition):
            decisions.archive(world.desk, "games", staged.name, reason="old")


class TestBack:
    def test_withdraws_the_rollout_under_way_and_leaves_the_champion(self, world):
        champion = world.route.champion
        new, _ = world.roll_out("1.0.1")
        done = decisions.back(world.desk, "games", reason="complaints")
        assert (done.withdrawn, done.route.champion) == (new.name, champion)

    def test_restores_the_version_before_where_none_is_under_way(self, world):
        old = world.route.champion
        new, _ = world.deploy("1.0.1")
        done = decisions.back(world.desk, "games", reason="complaints")
        assert (done.withdrawn, done.route.champion) == (new.name, old)


class _Meanwhile:
    """Records in which somebody else decides between our look and our write."""

    def __init__(self, records, decide) -> None:
        self._records, self._decide = records, decide

    def __getattr__(self, name):
        return getattr(self._records, name)

    def commit(self, changes, entries=()):
        decide, self._decide = self._decide, lambda: None
        decide()
        self._records.commit(changes, entries)


@pytest.mark.parametrize("verb", ["hold", "abort", "promote", "approve"])
def test_of_two_who_decide_at_once_the_second_is_told(world, verb):
    from dataclasses import replace

    new, _ = world.roll_out("1.0.1")
    other = lambda: decisions.promote(world.desk, "games", new.name, reason="first")  # noqa: E731
    second = replace(world.desk, records=_Meanwhile(world.records, other))
    with pytest.raises(StaleWrite):
        getattr(decisions, verb)(second, "games", new.name, reason="second")
    assert world.route.champion == new.name


def test_the_clock_going_back_holds_nothing_up_for_good(world):
    _, deployment = world.roll_out("1.0.1")
    world.clock.time -= timedelta(hours=1)
    assert roll(world.desk, deployment, GOOD).share == 0.05
    world.clock.advance(hours=1, minutes=2)
    assert roll(world.desk, deployment, GOOD).share == 0.25
