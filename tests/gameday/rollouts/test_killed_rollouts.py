"""``kill -9`` in every step of a rollout: it goes on where it was, and users hardly notice."""

from __future__ import annotations

import time

import pytest
from rollout_players import all_is_well
from rollout_shop import MODEL
from troubled_models import Trouble

from flyball.domain.deployment import Phase

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CONNECTIONS = 4
"""Of the players: each sees a worker die once at most, for each worker that is killed."""


def killed(games, what):
    if "control" in what:
        games.up.kill_control()
    if "worker" in what:
        games.up.kill_worker()


@pytest.mark.parametrize(
    "what",
    [
        pytest.param("control", marks=pytest.mark.long),
        pytest.param("a worker", marks=pytest.mark.long),
        "control and a worker",
    ],
)
def test_a_good_version_takes_over_whatever_is_killed_in_each_step(games, what, outcome):
    """Killed while it is loaded, at 30%, at 60%, and in its bake."""
    began, version = time.monotonic(), games.shop.publish()
    games.shop.until(games.shop.staffed, "two workers and a control process")
    games.shop.verbs.hand_over(MODEL, version.name)
    games.shop.until(lambda: games.shop.deployments(version), "its deployment")
    killed(games, what)
    for step in (1, 2):
        found = games.shop.at_step(version, step)
        assert found.phase is Phase.ROLLING or found.share == 1.0, found
        killed(games, what)
        games.shop.until(games.shop.staffed, "two workers and a control process")
    found = games.shop.ended(version, bake=False)
    killed(games, what)
    assert games.shop.ended(version).phase is Phase.DONE
    seen = all_is_well(games.shop, games.players, version.name, since=began)
    assert seen["failed"] <= 4 * CONNECTIONS * ("worker" in what)
    actions = [row.entry.action for row in games.shop.ledger(version)]
    assert (actions.count("deploy"), actions.count("shift")) == (1, 2)
    outcome(f"kill -9 of {what}, in each step", "the good version took over", seen)


def test_a_bad_version_is_withdrawn_although_control_is_killed_again_and_again(games, outcome):
    """The next control process counts what was seen before it came."""
    began, good = time.monotonic(), games.shop.champion()
    version = games.shop.publish(Trouble.RAISES, after=60)
    games.shop.until(games.shop.staffed, "two workers and a control process")
    games.shop.verbs.hand_over(MODEL, version.name)
    games.shop.until(lambda: games.shop.deployments(version), "its deployment")
    games.shop.at_step(version, 1)
    games.up.kill_control()
    assert games.shop.ended(version).phase is Phase.ROLLED_BACK
    seen = all_is_well(games.shop, games.players, good, since=began)
    assert seen["failed"] == 0
    outcome("kill -9 of control while the candidate fails", "withdrawn, the champion serves", seen)
