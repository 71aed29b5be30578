"""One turn of the loop, whole, on every database."""

from __future__ import annotations

import pytest

from flyball import Flyball, configuration
from flyball.domain.deployment import Phase
from flyball.domain.lifecycle import State
from flyball.domain.validation import Decision
from flyball.errors import DeploymentError
from flyball.games.world import World


@pytest.fixture
def flyball(database_url, tmp_path):
    """An installation on an empty database, with a small search."""
    environ = {"FLYBALL_DATABASE": database_url, "FLYBALL_MODELS__GAMES__SEARCH__TRIALS": "6"}
    settings = configuration.load(tmp_path / "home", environ=environ)
    with Flyball(config=settings, actor="test") as verbs:
        yield verbs


@pytest.fixture
def purchases(tmp_path):
    """A small sample world's purchases and plays."""
    path = tmp_path / "purchases.csv"
    World(7, players=250).write(path)
    return str(path)


@pytest.mark.slow
def test_a_file_becomes_a_served_version_and_the_same_file_again_changes_nothing(
    flyball, purchases
):
    turn = flyball.run("games", [purchases])
    assert turn.report.decision is Decision.PROMOTE
    assert turn.deployed.deployment.phase is Phase.BAKING
    [version] = flyball.versions("games")
    assert version.state is State.MONITORING
    assert flyball.served("games").version == version.name
    rows = flyball.verify_ledger()

    again = flyball.run("games", [purchases])
    assert (again.ingested[0].new, again.trained.new, again.deployed.new) == (False, False, False)
    assert flyball.versions("games") == [version]
    assert flyball.verify_ledger() == rows

    with pytest.raises(DeploymentError, match="no earlier good version"):
        flyball.rollback("games")
