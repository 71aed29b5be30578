"""Candidates that go wrong once they have real users: each is found and loses its traffic."""

from __future__ import annotations

import time

import pytest
from rollout_open import opened
from rollout_players import all_is_well, lost_after_s
from rollout_shop import MODEL, SETTINGS
from troubled_models import Trouble

from flyball.domain.deployment import Phase
from flyball.domain.lifecycle import State

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

WORDS = {
    Trouble.RAISES: "raises an error",
    Trouble.NAN: "returns NaN",
    Trouble.SHAPE: "returns the wrong shape",
    Trouble.SLOW: "is 0.15 s slower",
    Trouble.HANGS: "hangs",
    Trouble.CRASHES: "crashes its process",
    Trouble.LEAKS: "leaks memory",
}


def withdrawn(games, trouble):
    """Deploy such a candidate; what the players saw until it had lost its traffic."""
    began, good = time.monotonic(), games.shop.champion()
    version = games.shop.publish(trouble)
    games.shop.verbs.deploy(MODEL, version.name)
    ended = games.shop.ended(version)
    assert ended.phase is Phase.ROLLED_BACK, ended
    assert ended.detail
    seen = all_is_well(games.shop, games.players, good, since=began)
    games.shop.until(lambda: games.shop.state(version) is State.STAGING, "staging")
    actions = [row.entry.action for row in games.shop.ledger(version)]
    assert actions[0] == "deploy"
    assert {"shift", "withdraw"} <= set(actions)
    first = min(a.at for a in games.players.since(began) if a.version == version.name or a.fallback)
    seconds = lost_after_s(games.players, version.name, shown=first)
    return version, seen | {"s until the last user": round(seconds, 1)}


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble.RAISES,
        Trouble.NAN,
        pytest.param(Trouble.SHAPE, marks=pytest.mark.long),
        pytest.param(Trouble.SLOW, marks=pytest.mark.long),
    ],
)
def test_a_candidate_that_answers_wrongly_is_withdrawn_and_nobody_sees_an_error(
    games, trouble, outcome
):
    """Another version answers in its place meanwhile."""
    _, seen = withdrawn(games, trouble)
    assert seen["failed"] == 0
    outcome(f"the candidate {WORDS[trouble]}", "withdrawn, the champion serves", seen)


@pytest.mark.long
@pytest.mark.parametrize("trouble", [Trouble.HANGS, Trouble.CRASHES])
def test_a_candidate_that_takes_its_worker_with_it_is_withdrawn(games, trouble, outcome):
    """Whoever had a connection to that worker sees it break; new workers serve the champion."""
    _, seen = withdrawn(games, trouble)
    outcome(f"the candidate {WORDS[trouble]}", "withdrawn, the champion serves", seen)


@pytest.mark.long
def test_a_candidate_that_leaks_memory_is_withdrawn(tmp_path, plugins, outcome):
    """Its lists are right, and come in time."""
    small = SETTINGS.replace("[server]", '[server]\nworker_memory = "600MiB"')
    slow = small.replace('interval = "1s"', 'interval = "10m"').replace("90s", "20m")
    with opened(tmp_path, plugins, settings=slow) as games:
        _, seen = withdrawn(games, Trouble.LEAKS)
    assert seen["failed"] == 0
    outcome(f"the candidate {WORDS[Trouble.LEAKS]}", "withdrawn, the champion serves", seen)
