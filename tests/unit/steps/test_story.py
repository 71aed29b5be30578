"""What happened, told in order, from the ledger and the records; and what served when."""

from __future__ import annotations

from datetime import timedelta

import pytest
from evidence_world import EvidenceWorld
from rollout_world import LITTLE

from flyball.domain.bundle import SignedBundle
from flyball.errors import NotFound
from flyball.steps.decisions import hold, resume
from flyball.steps.rolling import roll


@pytest.fixture
def world(tmp_path):
    world = EvidenceWorld(tmp_path)
    yield world
    world.flyball.close()


def tell(world, *asked):
    return [(one.what, one.why) for one in world.flyball.history(*asked)]


class TestTheHistoryOfAVersion:
    def test_goes_from_its_data_to_its_traffic(self, world):
        version, _ = world.deploy("1")
        what = [one for one, _ in tell(world, "games", "1.0.0")]
        assert [line.split()[0] for line in what] == [
            "batch", "training", "registered", "development", "training", "report", "validation",
            "deployment", "staging", version.name, "production",
        ]  # fmt: skip
        times = [one.at for one in world.flyball.history("games", "1.0.0")]
        assert times == sorted(times)

    def test_tells_who_and_why_and_leads_to_the_signed_bundle(self, world):
        version, _ = world.deploy("1")
        chapters = world.flyball.history("games", version.name)
        signed = {one.digest for one in world.records.find(SignedBundle)}
        moves = [one for one in chapters if " -> " in one.what]
        assert {one.bundle for one in moves} == signed
        assert moves[-1].who == "test"
        assert moves[-1].evidence.startswith("applied games/1")

    def test_tells_of_shares_holds_and_withdrawal(self, world):
        world.deploy("1")
        version, deployment = world.roll_out("2")
        roll(world.desk, deployment, LITTLE)
        hold(world.desk, "games", version.name, reason="odd complaints")
        resume(world.desk, "games", version.name, reason="nothing in it")
        world.abort(version)
        told = tell(world, "games", version.name)
        assert any(what == "shift: 0% -> 5% of traffic" for what, _ in told)
        assert ("hold", "odd complaints") in told
        assert ("resume", "nothing in it") in told
        assert ("withdraw: 5% -> 0% of traffic", "complaints") in told
        assert any(what.startswith("judged last at 5%: ") for what, _ in told)

    def test_leaves_out_what_is_another_versions(self, world):
        world.deploy("1")
        version, _ = world.deploy("2")
        about = {one.about for one in world.flyball.history("games", "1.0.0")}
        assert "games/1" in about
        assert version.id not in about
        everything = {one.about for one in world.flyball.history("games")}
        assert {version.id, "games/1", "games/2"} <= everything

    def test_of_an_answer_has_the_moment_when_it_was_given(self, world):
        version, _ = world.deploy("1")
        world.clock.advance(60)
        at_ms = int(world.clock.now().timestamp() * 1000)
        answer = world.flyball.platform.answers("games").new(version.name, at_ms, "0" * 10)
        last = world.flyball.history(answer)[-1]
        assert (last.about, last.at) == (answer, world.clock.now())
        assert version.name in last.what

    def test_of_an_answer_that_was_not_given_here_is_refused(self, world):
        version, _ = world.deploy("1")
        with pytest.raises(NotFound, match="was not given by this installation"):
            world.flyball.history(f"0a1b2c.{version.name}")

    def test_of_a_model_on_which_nothing_happened_is_empty(self, world):
        assert world.flyball.history("games") == []


class TestWhatServed:
    def test_before_anything_was_deployed_is_nothing(self, world):
        found = world.flyball.served("games")
        assert (found.version, found.shares, found.shared, found.bundle) == ("", {}, None, "")

    def test_is_one_version_for_everybody_while_nothing_is_shared(self, world):
        version, _ = world.deploy("1")
        found = world.flyball.served("games", world.clock.now())
        assert (found.version, found.shared) == (version.name, None)
        assert found.shares == {version.name: 1.0}

    def test_is_two_with_their_shares_while_a_canary_has_one(self, world):
        old, _ = world.deploy("1")
        world.clock.advance(hours=1)
        before = world.clock.now() - timedelta(minutes=1)
        new, _ = world.roll_out("2")
        found = world.flyball.served("games", world.clock.now())
        assert found.version == old.name
        assert found.shares == {old.name: 0.95, new.name: 0.05}
        assert found.shared.entry.action == "shift"
        assert world.flyball.served("games", before).shares == {old.name: 1.0}

    def test_is_one_again_after_the_canary_is_withdrawn(self, world):
        old, _ = world.deploy("1")
        new, _ = world.roll_out("2")
        rolling = world.clock.now()
        world.clock.advance(60)
        world.abort(new)
        assert world.flyball.served("games", world.clock.now()).shares == {old.name: 1.0}
        assert world.flyball.served("games", rolling).shares == {old.name: 0.95, new.name: 0.05}

    def test_leads_to_the_bundle_of_the_version_as_it_was_then(self, world):
        version, _ = world.deploy("1")
        found = world.flyball.served("games", world.clock.now())
        assert found.bundle == world.signed(version, 6).digest
