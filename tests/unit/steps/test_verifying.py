"""What signed evidence promises: it tells each move's reasons, and any change of it shows."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from evidence_world import GAP
from rollout_world import GOOD

from flyball.domain.bundle import ChainTip, SignedBundle
from flyball.domain.deployment import Deployment, Phase
from flyball.domain.lifecycle import State
from flyball.errors import (
    ConfigurationError,
    EvidenceBroken,
    InvalidRequest,
    NotFound,
)
from flyball.ports import Change
from flyball.steps.decisions import promote
from flyball.steps.deploy import advance, begin
from flyball.steps.monitor import monitor
from flyball.steps.reading_bundles import bundle_of
from flyball.steps.rolling import roll
from flyball.storage.signing import Signer
from flyball.testing.builders import an_entry


@pytest.fixture
def world(proven):
    """A home of the test's own: with a version that serves where ``served`` is asked for."""
    return proven


def bundles(world, version):
    found = world.records.find(SignedBundle, model="games")
    return [bundle_of(one) for one in found if one.version == version.name]


class TestABundle:
    def test_there_is_one_for_each_move_in_the_order_of_the_lifecycle(self, world, served):
        moves = [(b.move.source, b.move.target) for b in bundles(world, served)]
        assert moves == [
            ("", "development"),
            ("development", "training"),
            ("training", "validation"),
            ("validation", "staging"),
            ("staging", "production"),
            ("production", "monitoring"),
        ]

    def test_says_how_the_version_was_made(self, world, served):
        made = bundles(world, served)[-1].facts.made
        assert (made.code, made.environment) == ("c0de" * 16, "e0" * 32)
        assert (made.seeds, made.threads) == ({"fit": 7}, 2)
        assert made.hyperparameters == served.recipe.hyperparameters
        assert made.data_version == served.recipe.data_version
        assert made.rows == 10
        assert made.metrics == {"ndcg@10": 0.515}
        assert made.artifact == served.artifact

    def test_says_what_the_report_decided_with_its_intervals_from_then_on(self, world, served):
        reports = [bundle.facts.report for bundle in bundles(world, served)]
        assert reports[:3] == [None] * 3
        for told in reports[3:]:
            assert (told.id, told.decision) == (world.report().id, "promote")
            assert told.artifact == world.report().artifact
            assert told.checks[0].intervals == (GAP,)

    def test_says_how_far_a_canary_had_come_and_how_it_was_judged(self, world, rolled):
        first = bundles(world, rolled)[4].facts.rollout
        assert [shift.share for shift in first.shifts] == [0.05]
        assert first.steps == (0.05, 0.25, 0.5, 1.0)
        assert (first.standing, first.approved_by) == (None, "")
        world.abort(rolled)
        last = bundles(world, rolled)[-1].facts.rollout
        assert last.standing.share == 0.05
        assert last.standing.judgement.parts

    def test_names_who_let_it_come_this_far(self, world, rolled):
        promote(world.desk, "games", rolled.name, reason="enough seen")
        world.workers_follow()
        deployment = advance(world.desk, world.records.find(Deployment)[-1])
        world.has_served(rolled, requests=1_000, errors=0)
        world.clock.advance(hours=1)
        world.has_served(rolled, requests=1_000, errors=0)
        assert monitor(world.desk, deployment, world.traffic).phase is Phase.DONE
        last = bundles(world, rolled)[-1]
        assert (last.move.source, last.move.target) == ("monitoring", "production")
        assert last.move.approver == "test"
        assert world.flyball.verify("games").version == rolled.name

    def test_names_nobody_where_it_fell_back(self, world, rolled):
        world.abort(rolled)
        last = bundles(world, rolled)[-1]
        assert (last.move.target, last.move.approver) == ("rollback", "")
        assert last.facts.rollout.approved_by == "test"

    def test_does_not_repeat_itself_where_a_step_is_repeated(self, world):
        version = world.trained()
        entry = an_entry(subject=version.id, before="", after="validation")
        world.records.commit([Change(value=version)], [entry])
        assert len(bundles(world, version)) == 3
        assert world.flyball.verify("games", version.name).moves[-1].bundle.number == 3


class TestVerify:
    def test_holds_for_every_state_that_a_version_is_in(self, world):
        version = world.trained()
        for number, step in enumerate((lambda v: v, world.examined), 1):
            version = step(version)
            held = world.flyball.verify("games", version.name)
            assert len(held.moves) == 2 + number
        assert held.notes == ()

    def test_holds_for_one_that_serves_and_for_a_canary_under_way(self, world, rolled):
        assert len(world.flyball.verify("games", rolled.name).moves) == 6
        assert world.flyball.verify("games").version.startswith("1.0.0"), "the champion"

    def test_gives_each_move_its_row_of_the_ledger(self, world, served):
        rows = {row.seq: row for row in world.records.ledger()}
        for move in world.flyball.verify("games", served.name).moves:
            entry = rows[move.row].entry
            assert (entry.subject, entry.after) == (served.id, move.bundle.move.target)

    def test_holds_after_a_new_key_took_over(self, world, tmp_path):
        version = world.trained()
        (tmp_path / "home" / "evidence.key").unlink()
        world.reopened()
        world.examined(version)
        held = world.flyball.verify("games", version.name)
        assert len({move.key for move in held.moves}) == 2

    def test_can_be_made_to_trust_one_key_alone(self, world, served, tmp_path):
        [mine] = (tmp_path / "home" / "evidence").iterdir()
        assert world.flyball.verify("games", served.name, key=mine).moves
        Signer(tmp_path / "other").sign("x")
        [theirs] = (tmp_path / "other" / "evidence").iterdir()
        with pytest.raises(EvidenceBroken, match=r"bundle 1 .* signed with the key"):
            world.flyball.verify("games", served.name, key=theirs)

    def test_says_that_older_moves_came_before_evidence_was_signed(self, world):
        version = world.trained()
        with world.tampering() as database:
            database.execute(sa.text("DELETE FROM flyball_bundles"))
            database.execute(sa.text("DELETE FROM flyball_chain_tips"))
        with pytest.raises(EvidenceBroken, match="has no signed evidence"):
            world.flyball.verify("games", version.name)
        world.examined(version)
        held = world.flyball.verify("games", version.name)
        assert [move.bundle.number for move in held.moves] == [1]
        assert held.notes == ("its first 3 moves were made before evidence was signed",)

    def test_takes_a_number_a_name_or_an_answer(self, world, served):
        answer = world.flyball.platform.answers("games").new(served.name, 0, "0" * 10)
        for asked in (("games", "1.0.0"), ("games", served.name), (answer,), (f"games/{answer}",)):
            assert world.flyball.verify(*asked).version == served.name
        with pytest.raises(NotFound, match=r"9\.9\.9-0123abcd-89ef4567, which is not recorded"):
            world.flyball.verify("x.9.9.9-0123abcd-89ef4567")

    def test_without_a_version_needs_one_that_serves(self, world):
        with pytest.raises(InvalidRequest, match="nothing serves games"):
            world.flyball.verify("games")


class TestAKeyThatCannotBeUsed:
    def test_stops_a_move_into_service_and_says_what_to_do(self, world, tmp_path):
        version = world.trained()
        world.spoil_key()
        with pytest.raises(ConfigurationError, match="move it away"):
            world.examined(version)
        assert world.now(version).state is State.VALIDATION

    def test_never_stops_a_rollback_and_shows_afterwards(self, world, rolled):
        world.spoil_key()
        world.abort(rolled)
        assert world.now(rolled).state is State.ROLLBACK
        with pytest.raises(EvidenceBroken, match=r"bundle 7 .* is not signed"):
            world.flyball.verify("games", rolled.name)


def test_a_chain_whose_end_was_removed_goes_on_where_its_bundles_end(world):
    version = world.trained()
    world.run("DELETE FROM flyball_chain_tips")
    after = world.examined(version)
    assert world.records.get(ChainTip, version.id).number == 4
    assert len(world.flyball.verify("games", after.name).moves) == 4


def test_a_version_that_goes_through_everything_twice_still_holds(world, rolled):
    """Withdrawn, back in staging, deployed again."""
    world.abort(rolled)
    world.restored()
    assert world.now(rolled).state is State.STAGING
    deployment = begin(world.desk, world.now(rolled))
    world.workers_follow()
    deployment = advance(world.desk, deployment)
    world.workers_follow()
    roll(world.desk, deployment, GOOD)
    held = world.flyball.verify("games", rolled.name)
    assert [move.bundle.move.target for move in held.moves][-5:] == [
        "monitoring", "rollback", "staging", "production", "monitoring",
    ]  # fmt: skip
