"""What an operator decides, in Python: real records, no control process, no worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

import console_home as homes
from console_home import NEW, OLD, TRIED
from fake_worker import fake_worker
from flyball import Flyball
from flyball.domain.deployment import WAITS, Deployment, Phase
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.routing import Route
from flyball.domain.underway import Order
from flyball.errors import DeploymentError, IllegalTransition, NotFound, StaleWrite
from flyball.ports import Change
from flyball.settling import SETTLE_WITHIN_S


@pytest.fixture
def flyball(tmp_path):
    with homes.flyball(tmp_path / "home") as verbs:
        homes.furnish(verbs)
        yield verbs


@pytest.fixture
def beaten(flyball):
    """Another console on the same home, which is never the first to write."""
    with Beaten(config=flyball.settings, actor="operator:bob") as verbs:
        yield verbs


def newest(flyball) -> Deployment:
    return flyball.platform.records.find(Deployment, model="games", limit=1)[0]


def last_entry(flyball, action: str):
    return [row.entry for row in flyball.ledger("games") if row.entry.action == action][-1]


class TestADecision:
    """It is written by the process that is asked, so it holds while no control process runs."""

    def test_to_hold_names_who_and_why_and_the_status_says_so(self, flyball):
        homes.roll(flyball)
        done = flyball.hold("games", "1.2.0", reason="sale at noon")
        assert (done.order, done.by, done.reason) == (Order.HOLD, "operator:ada", "sale at noon")
        assert newest(flyball).held == "sale at noon"
        rollout = flyball.status("games").models[0].rollout
        assert rollout.keeps == "held by operator:ada: sale at noon"
        assert rollout.deadline is None

    def test_to_resume_lets_it_be_judged_again(self, flyball):
        homes.roll(flyball, held="sale at noon")
        flyball.resume("games", TRIED.name)
        rollout = flyball.status("games").models[0].rollout
        assert (rollout.keeps, rollout.step) == ("", 2)
        assert rollout.deadline is not None

    def test_to_approve_is_kept_with_who_did(self, flyball):
        homes.roll(flyball, held=WAITS)
        done = flyball.approve("games", "1.2.0", reason="lists look right")
        assert (done.deployment.approved_by, done.deployment.held) == ("operator:ada", "")

    def test_to_promote_gives_it_all_traffic_by_the_record(self, flyball):
        homes.roll(flyball)
        done = flyball.promote("games", "1.2.0", reason="fixes the outage")
        assert done.deployment.phase is Phase.SWITCHING
        assert done.deployment.promoted_by == "operator:ada"
        assert done.seconds is None
        assert flyball.platform.records.get(Route, "games").champion == TRIED.name

    def test_to_abort_gives_all_traffic_back_to_the_champion(self, flyball):
        homes.roll(flyball)
        done = flyball.abort("games", "1.2.0", reason="odd covers")
        route = flyball.platform.records.get(Route, "games")
        assert (route.champion, route.challenger_share) == (NEW.name, 0.0)
        assert done.deployment.phase is Phase.ROLLED_BACK
        assert done.version.state is State.ROLLBACK
        assert flyball.status("games").models[0].rollout is None

    def test_to_archive_lets_a_version_go_that_stands_by(self, flyball):
        done = flyball.archive("games", "1.0.0", reason="holds erased data")
        assert (done.version.state, done.deployment) == (State.ARCHIVED, None)
        assert flyball.platform.records.get(Route, "games").standby is None

    def test_without_a_reason_says_who_decided(self, flyball):
        homes.roll(flyball)
        assert flyball.hold("games", "1.2.0").reason == "decided by operator:ada"


class TestWithAWorker:
    """The command waits until the traffic is as decided, also without a control process."""

    def test_a_promotion_ends_with_the_bake(self, flyball):
        homes.roll(flyball)
        with fake_worker(flyball):
            done = flyball.promote("games", "1.2.0")
        assert done.deployment.phase is Phase.BAKING
        assert 0.0 <= done.seconds < SETTLE_WITHIN_S

    def test_an_abort_ends_with_the_version_back_in_staging(self, flyball):
        homes.roll(flyball)
        with fake_worker(flyball):
            done = flyball.abort("games", "1.2.0")
        assert done.version.state is State.STAGING
        assert 0.0 <= done.seconds < SETTLE_WITHIN_S


class TestADecisionThatCannotBe:
    """It says what there is instead, and changes nothing."""

    def test_about_a_rollout_that_is_over(self, flyball):
        with pytest.raises(DeploymentError, match=r"games/2 has all traffic.*flyball rollback"):
            flyball.hold("games", "1.1.0")

    def test_about_a_version_that_there_is_not(self, flyball):
        with pytest.raises(NotFound, match=r"no version 9\.9\.9"):
            flyball.abort("games", "9.9.9")

    def test_to_archive_what_serves(self, flyball):
        with pytest.raises(DeploymentError, match="serves"):
            flyball.archive("games", "1.1.0")
        assert flyball.platform.records.get(ModelVersion, NEW.id).state is State.MONITORING

    def test_to_archive_what_the_lifecycle_keeps(self, flyball):
        homes.roll(flyball)
        flyball.abort("games", "1.2.0")
        with pytest.raises(IllegalTransition, match="cannot move to archived"):
            flyball.archive("games", "1.2.0")


class TestRollingBack:
    def test_during_a_rollout_ends_that_and_leaves_the_champion(self, flyball):
        homes.roll(flyball)
        done = flyball.rollback("games", reason="complaints")
        assert (done.withdrawn, done.serving) == (TRIED.name, NEW.name)
        assert newest(flyball).phase is Phase.ROLLED_BACK

    def test_after_it_brings_the_version_before_back(self, flyball):
        done = flyball.rollback("games", reason="complaints")
        assert (done.withdrawn, done.serving) == (NEW.name, OLD.name)


class Quicker:
    """Records in which somebody else writes between an operator's look and their decision."""

    def __init__(self, records, acts):
        self._records, self._acts = records, list(acts)

    def commit(self, changes, entries=()):
        if self._acts:
            self._acts.pop(0)()
        self._records.commit(changes, entries)

    def __getattr__(self, name):
        return getattr(self._records, name)


class Beaten(Flyball):
    """Verbs whose commits each come after one of ``acts``, done by somebody else."""

    acts: tuple[Callable[[], object], ...] = ()

    def _desk(self, model):
        bench = super()._desk(model)
        return replace(bench, records=Quicker(bench.records, self.acts))


class TestTwoWhoDecideAtOnce:
    """Exactly one succeeds; the other is told who was quicker, and what they did."""

    def test_the_second_is_told_who_what_and_why(self, flyball, beaten):
        homes.roll(flyball)
        beaten.acts = (lambda: flyball.abort("games", "1.2.0", reason="odd covers"),)
        with pytest.raises(StaleWrite, match=r"operator:ada was quicker.*odd covers.*status"):
            beaten.promote("games", "1.2.0")
        assert newest(flyball).phase is Phase.ROLLED_BACK
        assert flyball.platform.records.get(Route, "games").champion == NEW.name

    def test_the_controllers_own_progress_stands_in_nobodys_way(self, flyball, beaten):
        one = homes.roll(flyball)
        moved, records = replace(one, slow_above_s=0.06), flyball.platform.records
        beaten.acts = (lambda: records.commit([Change(value=moved, replacing=one)]),)
        done = beaten.hold("games", "1.2.0", reason="sale at noon")
        assert (done.deployment.held, done.deployment.slow_above_s) == ("sale at noon", 0.06)

    def test_a_rollback_never_goes_on_to_another_version(self, flyball, beaten):
        """The controller withdrew the bad version first; the champion must stay."""
        homes.roll(flyball)
        flyball.actor = "controller"
        beaten.acts = (lambda: flyball.abort("games", "1.2.0", reason="too many errors"),)
        with pytest.raises(StaleWrite, match=r"controller was quicker.*too many errors"):
            beaten.rollback("games", reason="complaints")
        assert flyball.platform.records.get(Route, "games").champion == NEW.name
        assert last_entry(flyball, "withdraw").reason == "too many errors"


def test_a_rollout_is_followed_until_it_has_ended(flyball):
    one = homes.roll(flyball)
    looks = []
    for found in flyball.follow(one.id, every_s=0.0):
        looks.append((found.deployment.phase, found.share))
        if len(looks) == 2:
            flyball.abort("games", "1.2.0")
    assert looks == [(Phase.ROLLING, 0.25), (Phase.ROLLING, 0.25), (Phase.ROLLED_BACK, 0.0)]
