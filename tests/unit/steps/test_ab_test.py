"""A/B tests: registered once, in a rollout that is held meanwhile, and ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from ab_world import DAY, Shop

from flyball.domain.deployment import Deployment, Phase
from flyball.domain.judging import Seen
from flyball.errors import ArtifactCorrupt, DeploymentError, InvalidRequest, NotFound, StaleWrite
from flyball.stats.experiments.verdicts import Answer
from flyball.steps.ab_ledger import tests as registered
from flyball.steps.ab_test import found, start, stop
from flyball.steps.rolling import roll


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


class TestStarting:
    def test_registers_what_is_asked_and_holds_the_rollout_at_its_share(self, shop):
        deployment = shop.roll_out()
        test = start(shop.desk, "games", DAY, shop.sources)
        assert (test.id, test.deployment, test.share) == ("games/ab1", deployment.id, 0.25)
        assert (test.a, test.b) == (deployment.replaces, deployment.version)
        held = shop.world.records.get(Deployment, deployment.id)
        assert held.held == f"A/B test games/ab1 until {test.ends_at:%Y-%m-%d %H:%M} UTC"
        assert registered(shop.desk, "games") == [test]
        [row] = [r for r in shop.world.records.ledger() if r.entry.action == "ab start"]
        assert row.entry.evidence is not None
        assert row.entry.evidence.digest == test.digest

    def test_draws_users_as_the_route_does(self, shop):
        shop.roll_out()
        test = start(shop.desk, "games", DAY, shop.sources)
        users = [f"user {n}" for n in range(2_000)]
        assert [test.arm(u) for u in users] == [shop.world.route.variant(u) for u in users]

    def test_harm_that_is_shown_withdraws_the_version_all_the_same(self, shop):
        shop.roll_out()
        start(shop.desk, "games", DAY, shop.sources)
        deployment = shop.world.records.find(Deployment, model="games", limit=1)[0]
        assert roll(shop.desk, deployment, Seen(stopped="crashed")).phase is Phase.ROLLED_BACK

    def test_fixes_a_relative_effect_by_what_the_champion_had_before(self, shop):
        shop.roll_out()
        shop.world.clock.advance(hours=10)
        before = replace(
            start(shop.desk, "games", DAY, shop.sources), began_at=shop.now - timedelta(hours=5)
        )
        shop.happens(before, hours=0, users=300, a=1.0, b=0.0)
        stop(shop.desk, found(shop.desk, "games"), shop.sources, reason="again")
        relative = replace(DAY, effect=0.1, relative=True)
        test = start(shop.desk, "games", relative, shop.sources)
        assert test.minimal_effect == pytest.approx(0.1)

    @pytest.mark.parametrize(
        ("wanted", "reason"),
        [
            (replace(DAY, looks=(0.5,)), "exactly 1"),
            (replace(DAY, effect=0.0), "above 0"),
            (replace(DAY, alpha=0.7), "an error of 0.7"),
            (replace(DAY, horizon=timedelta(0)), "make no test"),
            (replace(DAY, horizon=timedelta(days=15)), "kept for 14 days"),
            (replace(DAY, relative=True), "no clicks yet"),
        ],
    )
    def test_refuses_what_makes_no_test_and_leaves_everything_as_it_was(self, shop, wanted, reason):
        deployment = shop.roll_out()
        with pytest.raises(InvalidRequest, match=reason):
            start(shop.desk, "games", wanted, shop.sources)
        assert shop.world.records.get(Deployment, deployment.id) == deployment
        assert shop.recorded() == []

    def test_needs_a_rollout_with_a_share(self, shop):
        with pytest.raises(DeploymentError, match="flyball deploy games"):
            start(shop.desk, "games", DAY, shop.sources)

    def test_is_refused_while_another_is_under_way(self, shop):
        shop.roll_out()
        start(shop.desk, "games", DAY, shop.sources)
        with pytest.raises(DeploymentError, match="flyball ab stop games"):
            start(shop.desk, "games", DAY, shop.sources)

    def test_of_two_at_once_one_is_told_to_look_again(self, shop):
        """Somebody moved the rollout between reading and writing."""
        deployment = shop.roll_out()
        commit = shop.world.records.commit

        def first_another(changes, entries=()):
            commit([type(changes[0])(value=replace(deployment, held="x"), replacing=deployment)])
            commit(changes, entries)

        shop.world.records.commit = first_another
        with pytest.raises(StaleWrite):
            start(shop.desk, "games", DAY, shop.sources)


class TestStopping:
    def test_ends_it_with_what_was_seen_so_far(self, shop):
        shop.roll_out()
        test = start(shop.desk, "games", DAY, shop.sources)
        told = stop(shop.desk, test, shop.sources, reason="the sale began")
        assert (told.answer, told.reason) == (Answer.CANNOT_TELL, "the sale began")
        assert shop.world.records.find(Deployment, model="games", limit=1)[0].held
        again = start(shop.desk, "games", DAY, shop.sources)
        assert again.number == 2
        assert found(shop.desk, "games") == again
        assert found(shop.desk, "games", 1) == test

    def test_of_one_that_is_over_is_refused(self, shop):
        shop.roll_out()
        test = start(shop.desk, "games", DAY, shop.sources)
        stop(shop.desk, test, shop.sources, reason="x")
        with pytest.raises(DeploymentError, match="is over"):
            stop(shop.desk, test, shop.sources, reason="x")

    def test_of_none_is_not_found(self, shop):
        with pytest.raises(NotFound, match="flyball ab start"):
            found(shop.desk, "games")
        shop.roll_out()
        start(shop.desk, "games", DAY, shop.sources)
        with pytest.raises(NotFound, match="1 to 1"):
            found(shop.desk, "games", 7)


def test_a_registration_that_was_changed_is_not_believed(shop):
    shop.roll_out()
    start(shop.desk, "games", DAY, shop.sources)
    rows = shop.world.records._rows
    place = next(n for n, row in enumerate(rows) if row.entry.action == "ab start")
    forged = replace(
        rows[place].entry, after=rows[place].entry.after.replace('"alpha":0.05', '"alpha":0.25')
    )
    rows[place] = replace(rows[place], entry=forged)
    with pytest.raises(ArtifactCorrupt, match="ledger verify"):
        registered(shop.desk, "games")
