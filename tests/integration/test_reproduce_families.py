"""Every family that comes with Flyball is reproduced bit by bit, in a process of its own."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from flyball import Flyball
from flyball.domain.lifecycle import State
from flyball.games.application import GamesApplication
from flyball.games.world import World
from flyball.settings import Settings
from flyball.steps.reproduce import ACTION
from flyball.steps.reproduction import Outcome
from flyball.testing.families import a_version_of

pytestmark = pytest.mark.slow

SEED, PLAYERS = 11, 150


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A home with a small world's purchases and plays."""
    folder = tmp_path_factory.mktemp("reproduce")
    source = folder / "world.csv"
    World(SEED, players=PLAYERS).write(source)
    with Flyball(config=Settings(home=folder / "home"), actor="test") as verbs:
        verbs.ingest("games", [str(source)])
        yield verbs


@pytest.mark.parametrize("family", GamesApplication.families)
def test_trained_again_in_a_fresh_process_is_the_same_byte_for_byte(shop, family):
    """A fresh process has another hash seed, other addresses and other times; no byte shows it."""
    if family == "sasrec" and find_spec("torch") is None:
        pytest.skip("sasrec needs torch, which is not installed")
    small = {"epochs": 2} if family == "sasrec" else {}
    version = a_version_of(shop.platform, "games", family, hyperparameters=small)
    found = shop.reproduce("games", version.name)
    assert (found.outcome, found.why) == (
        Outcome.BITWISE,
        f"all {found.files} files are the same, byte for byte",
    )
    assert found.again == version.artifact
    assert found.causes == ()


@pytest.fixture(scope="module")
def version(shop):
    """One that was fitted with two threads."""
    return a_version_of(shop.platform, "games", "als", threads=2)


class TestAVersionThatIsReproduced:
    def test_stays_as_it_is_and_nothing_is_registered(self, shop, version):
        before = shop.versions("games")
        stored = sorted(path.name for path in shop.settings.artifacts_dir.glob("??/*"))
        shop.reproduce("games", version.name)
        assert shop.versions("games") == before
        assert shop.show("games", version.name).version.state is State.VALIDATION
        assert sorted(p.name for p in shop.settings.artifacts_dir.glob("??/*")) == stored

    def test_has_a_row_in_the_ledger_with_the_outcome_and_both_digests(self, shop, version):
        found = shop.reproduce("games", version.name)
        entry = shop.ledger("games", limit=1)[0].entry
        assert (entry.action, entry.subject, entry.actor) == (ACTION, version.id, "test")
        assert (entry.before, entry.after) == (version.artifact, version.artifact)
        assert entry.reason == f"bitwise equal: {found.why}"
        assert shop.verify_ledger() > 0

    def test_with_another_number_of_threads_is_told_that_they_are_the_cause(self, shop, version):
        """ALS divides its sums by threads, so the last bits may differ; the lists do not."""
        found = shop.reproduce("games", version.name, threads=1)
        assert found.outcome is Outcome.METRICS
        assert found.cause is not None
        assert found.cause.detail == "the threads differ: BLAS 2 is 1 now"
        assert found.differences[-1].path == "manifest.json"
        assert all(metric.equal for metric in found.metrics)

    def test_leaves_no_file_in_the_home(self, shop, version):
        shop.reproduce("games", version.name)
        assert list(shop.platform.scratch().iterdir()) == []
