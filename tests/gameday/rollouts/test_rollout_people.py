"""What people do to a rollout: send feedback twice, late or never, and decide at the same time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from rollout_players import all_is_well, stored
from rollout_shop import MODEL, Shop

from flyball import Flyball, configuration
from flyball.domain.deployment import Phase
from flyball.domain.judging import Measure, Standing
from flyball.errors import DeploymentError, FlyballError, IllegalTransition, StaleWrite

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

LOST = (StaleWrite, DeploymentError, IllegalTransition)


def begun(games, step=1):
    """A good version in a step of its rollout, held there."""
    shop = games.shop
    shop.until(shop.staffed, "two workers and a control process")
    version = shop.publish()
    shop.verbs.deploy(MODEL, version.name)
    shop.at_step(version, step)
    return version


def test_feedback_that_comes_twice_late_or_never_counts_once_for_the_answer_it_is_about(
    games, outcome
):
    """A third of the clicks are sent twice; here some come again, and others only much later."""
    began, shop = time.monotonic(), games.shop
    version = begun(games)
    shop.verbs.hold(MODEL, version.name, reason="to see all feedback")
    with httpx.Client(base_url=games.up.api, timeout=20, trust_env=False) as client:
        answers = [_ask(client, f"late-{number}") for number in range(40)]
        early, late, never = answers[:15], answers[15:30], answers[30:]
        for answer in early:
            for _ in range(3):
                assert _click(client, answer) == 200
        shop.until(lambda: _clicks(shop, version) > 0, "clicks that were judged")
        shop.verbs.resume(MODEL, version.name, reason="enough was seen")
        shop.at_step(version, 3)
        assert [_click(client, answer) for answer in late] == [200] * len(late)
    assert shop.ended(version).phase is Phase.DONE
    seen = all_is_well(shop, games.players, version.name, since=began)
    ids = stored(shop)
    told = {f"{answer['user']}-click" for answer in (*early, *late)}
    assert told <= set(ids)
    assert not {f"{answer['user']}-click" for answer in never} & set(ids)
    with games.players.lock:
        clicked = {event.rpartition("-")[0] for event in games.players.acknowledged}
    assert _clicks(shop, version) <= len(clicked) + len(told)
    assert seen["failed"] == 0
    outcome("feedback comes twice, late or never", "the good version took over", seen)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("promote", "abort"),
        pytest.param("abort", "abort", marks=pytest.mark.long),
        pytest.param("promote", "rollback", marks=pytest.mark.long),
    ],
)
def test_of_two_operators_who_decide_at_once_exactly_one_does(games, one, other, outcome):
    """The loser is told; the ledger has one decision; users are served by what was decided."""
    began, shop, good = time.monotonic(), games.shop, games.shop.champion()
    version = begun(games)
    shop.verbs.hold(MODEL, version.name, reason="two people look at it")
    barrier = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        ended = list(
            pool.map(lambda n: _decide(shop, (one, other)[n], version, n, barrier), (0, 1))
        )
    won = [number for number, error in enumerate(ended) if error is None]
    lost = [error for error in ended if error is not None]
    deployment = shop.ended(version)
    decisions = [
        row.entry.actor
        for row in shop.ledger(version)
        if row.entry.actor.startswith("operator:runner")
    ]
    if len(won) == 2:  # one after the other: promoted first, and then taken back
        assert (one, other) == ("promote", "rollback")
        assert deployment.phase is Phase.ROLLED_BACK
    else:
        assert len(won) == 1, ended
        assert all(isinstance(error, LOST) for error in lost), ended
        assert set(decisions) == {f"operator:runner-{won[0]}"}
        promoted = (one, other)[won[0]] == "promote"
        assert deployment.phase is (Phase.DONE if promoted else Phase.ROLLED_BACK)
    serving = version.name if deployment.phase is Phase.DONE else good
    seen = all_is_well(shop, games.players, serving, since=began)
    assert seen["failed"] == 0
    outcome(f"{one} and {other} at the same instant", "one decided, the other was told", seen)


def _decide(shop: Shop, what, version, number, barrier) -> FlyballError | None:
    settings = configuration.load(shop.home, environ={})
    with Flyball(config=settings, actor=f"operator:runner-{number}") as verbs:
        verbs.status()  # everything is imported and open before the race
        barrier.wait(60)
        try:
            if what == "rollback":
                verbs.rollback(MODEL, reason="it looks bad")
            else:
                getattr(verbs, what)(MODEL, version.name, reason="it looks like it")
        except FlyballError as error:
            return error
    return None


def _ask(client, user):
    body = {"user_id": user, "history": ["metroid"], "k": 3}
    answer = client.post("/v1/recommendations", json=body)
    assert answer.status_code == 200
    return answer.json() | {"user": user}


def _click(client, answer):
    event = {
        "event_id": f"{answer['user']}-click",
        "type": "click",
        "user_id": answer["user"],
        "game_id": answer["items"][0]["game_id"],
        "recommendation_id": answer["recommendation_id"],
    }
    return client.post("/v1/events", json=[event]).status_code


def _clicks(shop, version):
    """How many users' clicks the judge has counted."""
    standing = shop.records.get(Standing, shop.deployment(version).id)
    splits = standing.seen.splits.get(Measure.CLICKED, ())
    return sum(split.champion + split.challenger for split in splits)
