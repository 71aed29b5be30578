"""A rehearsed rollback leaves what it found, whatever happens meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from drill_world import URL, DrillWorld

from flyball.domain.deployment import Phase
from flyball.domain.evidence import EvidenceKind
from flyball.domain.lifecycle import State
from flyball.domain.routing import Slot
from flyball.errors import DeploymentError
from flyball.loop.upkeep import wanted
from flyball.ports import Change
from flyball.steps import rehearsal
from flyball.steps.decisions import archive, back
from flyball.steps.deploy import begin
from flyball.steps.drill import AT_MOST, Drill, rehearse
from flyball.steps.rollback import rollback
from flyball.testing.builders import a_deployment, a_version


@pytest.fixture
def world() -> DrillWorld:
    return DrillWorld()


def drilled(world: DrillWorld, within_s: float = 1.0) -> Drill:
    return rehearse(world.desk(), "games", within_s=within_s, asked=world.asked, wait=world.wait)


def reasons(world: DrillWorld) -> list[str]:
    return [row.entry.reason for row in world.records.ledger()]


class TestARehearsedRollback:
    def test_switches_there_and_back_and_says_how_long_each_took(self, world):
        done = drilled(world)
        assert (done.there.version, done.back.version) == (world.good.name, world.champion.name)
        assert done.there.seconds == pytest.approx(0.2, abs=0.03)
        assert done.back.seconds == pytest.approx(0.2, abs=0.03)
        assert done.there.confirmed == done.back.confirmed == ("host:1", "host:2")
        assert done.shortfalls == ()
        assert world.asked_of == [URL, URL], "several workers answer at one address"

    def test_leaves_the_route_and_every_version_as_it_found_them(self, world):
        before, states = world.route, world.states()
        drilled(world)
        assert replace(world.route, generation=before.generation) == before
        assert world.states() == states

    def test_is_told_in_the_ledger_with_what_served_and_the_figures(self, world):
        drilled(world)
        begun, ended, measured = [row.entry for row in world.records.ledger()]
        assert (begun.before, begun.after) == (world.champion.name, world.good.name)
        assert (ended.before, ended.after) == (world.champion.name, world.good.name)[::-1]
        assert {e.action for e in (begun, ended, measured)} == {"drill"}
        assert {e.actor for e in (begun, ended, measured)} == {"operator:ada"}
        assert measured.reason.startswith("measured: ")
        assert "0.2" in measured.reason
        assert "0 of" in measured.reason

    def test_counts_the_requests_that_failed_meanwhile(self, world):
        world.errors = 1
        done = drilled(world)
        assert 0 < done.failed < done.requests
        assert any("failed meanwhile" in said for said in done.shortfalls)
        assert reasons(world)[-1].startswith("fell short: ")

    def test_falls_short_where_a_switch_takes_longer_than_is_allowed(self, world):
        world.apply_after_s = 1.5
        assert drilled(world, within_s=2.0).shortfalls == ()
        done = drilled(world, within_s=1.0)
        assert len(done.shortfalls) == 2
        assert "1 s are allowed" in done.shortfalls[0]

    def test_comes_back_also_where_the_workers_never_follow(self, world):
        before = world.route
        world.apply_after_s = 1e9
        done = drilled(world)
        assert (done.there.seconds, done.back.seconds) == (None, None)
        assert len(done.shortfalls) == 2
        assert world.route.champion == before.champion

    def test_falls_short_where_a_worker_says_that_it_serves_something_else(self, world):
        world.lying = {"host:2"}
        done = drilled(world)
        assert done.there.contradicted == ("host:2",)
        assert "host:2 served something else" in done.shortfalls[0]

    def test_falls_short_where_no_health_page_can_be_had(self, world):
        desk = world.desk()
        done = rehearse(desk, "games", within_s=1.0, asked=lambda *_: {}, wait=world.wait)
        assert "no worker's health page confirmed" in done.shortfalls[0]

    def test_comes_back_where_it_is_interrupted(self, world):
        before = world.route

        def interrupted(_seconds: float) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            rehearse(world.desk(), "games", within_s=1.0, asked=world.asked, wait=interrupted)
        assert replace(world.route, generation=before.generation) == before


class TestIsRefused:
    """Nothing is switched, and the ledger says nothing."""

    def refused(self, world, words: str) -> None:
        before = world.route
        with pytest.raises(DeploymentError, match=words):
            drilled(world)
        assert (world.route, world.records.ledger()) == (before, [])

    @pytest.mark.parametrize("phase", [Phase.LOADING, Phase.ROLLING, Phase.SWITCHING])
    def test_while_a_rollout_is_under_way(self, world, phase):
        newer = a_deployment(version=a_version("1.2.0").name, ordinal=3, phase=phase)
        world.records.commit([Change(value=newer)])
        self.refused(world, rf"games/3 of .* is {phase}")

    @pytest.mark.parametrize("state", [State.ROLLBACK, State.STAGING, State.ARCHIVED])
    def test_where_the_version_beside_is_not_a_good_one(self, world, state):
        bad = replace(world.good, state=state)
        world.records.commit([Change(value=bad, replacing=world.good)])
        self.refused(world, f"is in {state}")

    def test_where_nothing_stands_by(self, world):
        route = world.route
        world.records.commit([Change(value=route.unloaded(), replacing=route)])
        world.wait(1)
        self.refused(world, "none is loaded")

    def test_where_nothing_serves(self, world):
        with pytest.raises(DeploymentError, match="no version serves yet"):
            rehearse(world.desk(), "adult", within_s=1.0, asked=world.asked, wait=world.wait)

    def test_where_no_worker_runs(self, world):
        world.target.running = []
        self.refused(world, "no worker is running")

    def test_where_a_worker_has_not_loaded_the_other_version(self, world):
        one, two = world.target.running
        world.target.running = [one, replace(two, slots={})]
        self.refused(world, r"not every worker is ready to switch: waiting for host:2")

    def test_where_a_worker_is_behind(self, world):
        one, two = world.target.running
        world.target.running = [one, replace(two, applied={"games": 3})]
        self.refused(world, r"waiting for host:2")

    def test_while_another_is_under_way(self, world):
        rehearsal.begin(world.desk(), "games", until=world.clock.now() + AT_MOST)
        with pytest.raises(DeploymentError, match="is being rehearsed until"):
            drilled(world)
        assert len(world.records.ledger()) == 1


class TestOneThatWasKilled:
    """Between its record and its end."""

    @pytest.fixture
    def killed(self, world):
        rehearsal.begin(world.desk(), "games", until=world.clock.now() + AT_MOST)
        assert world.route.champion == world.good.name
        return world

    def test_is_ended_by_the_controller_once_its_time_is_over_and_not_before(self, killed):
        rehearsal.end_overdue(killed.desk("controller"), "games")
        assert killed.route.champion == killed.good.name, "it may still be at it"
        killed.clock.advance(AT_MOST.total_seconds())
        for _ in range(2):
            rehearsal.end_overdue(killed.desk("controller"), "games")
        assert killed.route.live is Slot.GREEN
        assert killed.route.champion == killed.champion.name
        assert [r.startswith("cut off: ") for r in reasons(killed)] == [False, True]

    def test_is_ended_by_the_next_drill(self, killed):
        killed.clock.advance(AT_MOST.total_seconds())
        with pytest.raises(DeploymentError, match="waiting for"):
            drilled(killed)  # its workers have yet to come back
        killed.wait(1)
        assert drilled(killed).shortfalls == ()
        assert killed.route.champion == killed.champion.name

    def test_gives_way_at_once_to_something_real(self, killed):
        rehearsal.give_way(killed.desk(), "games")
        assert killed.route.champion == killed.champion.name
        assert killed.route.rehearsal_ends is None

    def test_and_nothing_gives_way_where_nothing_is_rehearsed(self, world):
        before = world.route
        rehearsal.give_way(world.desk(), "games")
        rehearsal.end_overdue(world.desk(), "games")
        assert (world.route, world.records.ledger()) == (before, [])


class TestSomethingReal:
    """It goes first, and finds things as they are outside of a rehearsal."""

    @pytest.fixture
    def rehearsed(self, world):
        rehearsal.begin(world.desk(), "games", until=world.clock.now() + AT_MOST)
        return world

    def test_a_rollback_withdraws_the_version_that_served_and_not_the_one_that_stood_in(
        self, rehearsed
    ):
        bench = rehearsed.desk("controller")
        route = rollback(bench, "games", reason="40 failed", kind=EvidenceKind.HEALTH)
        assert route == rehearsed.route
        assert (route.champion, route.rehearsal_ends) == (rehearsed.good.name, None)
        assert rehearsed.states() == {
            rehearsed.good.name: State.PRODUCTION,
            rehearsed.champion.name: State.ROLLBACK,
        }

    def test_a_rollback_by_hand_says_what_it_withdrew(self, rehearsed):
        done = back(rehearsed.desk(), "games", reason="complaints")
        assert done.withdrawn == rehearsed.champion.name
        assert done.route.champion == rehearsed.good.name

    def test_a_deployment_takes_the_idle_slot_and_leaves_the_champion_its_own(self, rehearsed):
        new = a_version("1.2.0", state=State.STAGING)
        rehearsed.records.commit([Change(value=new)])
        deployment = begin(rehearsed.desk(), new)
        route = rehearsed.route
        assert (route.champion, route.standby) == (rehearsed.champion.name, new.name)
        assert (deployment.replaces, deployment.displaced) == (
            rehearsed.champion.name,
            rehearsed.good.name,
        )

    def test_archiving_does_not_take_the_champion_for_the_one_that_stands_by(self, rehearsed):
        champion = rehearsed.champion.name
        with pytest.raises(DeploymentError, match="serves"):
            archive(rehearsed.desk(), "games", champion, reason="tidy")
        archive(rehearsed.desk(), "games", rehearsed.good.name, reason="tidy")
        assert (rehearsed.route.champion, rehearsed.route.standby) == (champion, None)

    def test_the_registry_hears_nothing_of_a_rehearsal(self, rehearsed):
        assert wanted(rehearsed.records, "games")[0] == rehearsed.champion.name


def test_one_that_somebody_else_ended_says_so_and_moves_nothing(world):
    """A rollback for real came between: the version before serves now, and goes on to."""

    def rolls_back(_seconds: float) -> None:
        rehearsal.give_way(world.desk("operator:bob"), "games")
        route = world.route
        world.records.commit([Change(value=route.switched(), replacing=route)])

    moves = [world.wait, rolls_back]

    def wait(seconds: float) -> None:
        (moves.pop() if len(moves) > 1 else moves[0])(seconds)

    with pytest.raises(DeploymentError, match="cut short"):
        rehearse(world.desk(), "games", within_s=1.0, asked=world.asked, wait=wait)
    assert world.route.champion == world.good.name
    assert world.route.rehearsal_ends is None


def test_a_rehearsal_never_outlasts_its_time_by_itself():
    """Waiting for the workers and asking them is over before anybody may end it."""
    from flyball.drills import ASK_WITHIN_S, ROUNDS
    from flyball.steps.drill import APPLY_WITHIN_S

    assert timedelta(seconds=APPLY_WITHIN_S + ROUNDS * ASK_WITHIN_S) < AT_MOST
