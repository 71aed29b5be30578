"""While a rollout is watched: which unit each request counts for, and when as an error."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from flyball.domain.access import ANYONE
from flyball.domain.tensors import Datatype, Tensor
from flyball.errors import DeadlinePassed
from flyball.exchange import Call
from flyball.games.batch import Batch
from flyball.games.counted import Answering
from flyball.games.infer import GamesInference
from flyball.games.lists import Lists
from flyball.games.routes import GamesApi
from flyball.games.servable import GamesServable
from flyball.testing.games import OTHER, VERSION, OneVersionHost
from rollout_on import (
    THEIRS,
    WATCH,
    BadModel,
    BadServable,
    asked,
    document,
    no_number,
    players,
    raising,
    rolling,
    tag,
)

RECOMMEND = "/v1/recommendations"


@pytest.mark.parametrize("path", ["search?q=a", "games", "games/metroid", "games/metroid/similar"])
def test_requests_of_nobody_are_units_of_their_own(host, client, path):
    host.watch = WATCH
    for _ in range(20):
        assert client.get(f"/v1/{path}").status_code == 200
    units = [units for _, _, units in host.drawn]
    assert ({len(each) for each in units}, len(set(units))) == ({1}, 20)


def test_a_list_for_nobody_in_particular_is_drawn_by_its_answer_s_id(servable):
    """So who reads the id of an answer later knows the unit."""
    host = rolling(servable, servable)
    host.choose, seen = watching(host)
    [reply] = asked(host, {"history": ["metroid"]})
    answer_id = msgspec.json.decode(reply.body)["recommendation_id"]
    assert seen == [answer_id[12:22]]


def watching(host: OneVersionHost) -> tuple[Callable[[str | None], Any], list[str | None]]:
    seen: list[str | None] = []
    choose = host.choose

    def chosen(user: str | None) -> Any:
        seen.append(user)
        return choose(user)

    return chosen, seen


def test_players_are_the_same_unit_wherever_they_ask(host, client):
    host.watch = WATCH
    client.post(RECOMMEND, json={"user_id": "player-1"})
    client.get(f"{RECOMMEND}/player-1")
    client.post(f"{RECOMMEND}/batch", json={"user_ids": ["player-1"]})
    client.get("/v1/why-not/player-1/metroid")
    assert host.drawn == [(VERSION, 200, (tag("player-1"),))] * 4


def test_a_request_that_is_refused_before_it_was_drawn_counts_for_no_unit(servable):
    host = rolling(servable, servable)
    asked(host, {"k": 0}, *players(2))
    assert sorted(host.drawn) == [(VERSION, 422, ()), (OTHER, 200, (tag(THEIRS),))]


def infer(host: OneVersionHost, users: list[str], pinned: Any = None, **more: Any) -> Any:
    names = Tensor(name="user_id", datatype=Datatype.BYTES, shape=(len(users),), data=users)
    return asyncio.run(
        GamesInference(host, Lists(host)).infer(
            {"user_id": names},
            {"k": 3},
            pinned=pinned,
            caller=ANYONE,
            trace="",
            **({"deadline": math.inf} | more),
        )
    )


def test_rows_of_tensors_are_units_and_a_version_asked_for_by_name_was_not_drawn(servable):
    host = rolling(servable, servable)
    infer(host, ["player-1", THEIRS])
    assert host.drawn == [
        (VERSION, 200, (tag("player-1"),)),
        (OTHER, 200, (tag(THEIRS),)),
    ]
    host.drawn.clear()
    infer(host, ["player-1", THEIRS], pinned=host.champion())
    assert host.drawn == [(VERSION, 200, ())] * 2


class TestAnAnswerThatNobodyWaitsForAnyMore:
    """It is an error of the version that took so long."""

    def slow(self, servable: Any) -> OneVersionHost:
        def rest(answers: Any) -> Any:
            until = time.monotonic() + 0.03
            while time.monotonic() < until:
                pass
            return answers

        return rolling(servable, BadServable(servable, rest))

    def test_of_several_asked_together(self, servable):
        host = self.slow(servable)
        [found] = asked(host, *players(2), deadline=time.monotonic() + 0.01)
        assert isinstance(found, DeadlinePassed)
        assert host.drawn == [(OTHER, 504, (tag(THEIRS),))]

    def test_is_none_where_there_was_time(self, servable):
        host = self.slow(servable)
        asked(host, *players(2), deadline=time.monotonic() + 60)
        assert host.drawn == [(OTHER, 200, (tag(THEIRS),))]

    def test_of_one_asked_for_by_its_path(self, servable):
        host = self.slow(servable)
        call = Call(path={"user_id": THEIRS}, deadline=time.monotonic() + 0.01)
        with pytest.raises(DeadlinePassed):
            asyncio.run(GamesApi(host, Lists(host)).recommend_to(call))
        assert host.drawn == [(OTHER, 504, (tag(THEIRS),))]

    def test_of_a_batch_and_of_tensors(self, servable):
        host = self.slow(servable)
        body = json.dumps({"user_ids": [THEIRS]}).encode()
        with pytest.raises(DeadlinePassed):
            asyncio.run(
                Batch(host, Lists(host)).recommend_many(
                    Call(body, deadline=time.monotonic() + 0.01)
                )
            )
        with pytest.raises(DeadlinePassed):
            infer(host, [THEIRS], deadline=time.monotonic() + 0.01)
        assert host.drawn == [(OTHER, 504, (tag(THEIRS),))] * 2

    def test_of_a_version_that_was_given_up_while_it_waited(self, servable):
        async def given_up(deadline: float) -> None:
            with Answering(host, RECOMMEND, deadline) as answering:
                answering.by(THEIRS)
                await asyncio.Event().wait()

        async def run(deadline: float) -> None:
            async with asyncio.timeout(0.02):
                await given_up(deadline)

        host = rolling(servable, servable)
        for deadline, counted in ((math.inf, []), (0.0, [(OTHER, 504, (tag(THEIRS),))])):
            with pytest.raises(TimeoutError):
                asyncio.run(run(deadline))
            assert host.drawn == counted


class TestTheHostIsToldWhichVersionIsAtWork:
    """Else nobody could say which one it was that never came back."""

    def test_while_it_answers_and_that_it_came_back(self, servable):
        host = rolling(servable, servable)
        asked(host, *players(1, 2))
        assert {VERSION, OTHER} <= set(host.work)
        assert host.work[-1] == ""

    def test_with_all_who_wait_for_it(self, servable):
        waiting: list[tuple[int, ...]] = []

        def noted(answers: Any) -> Any:
            waiting.append(host.at_work.units)
            return answers

        class Noting(OneVersionHost):
            at_work: Any = None

            def working(self, choice: Any) -> None:
                self.at_work = choice

        host = Noting(BadServable(servable, noted), other=servable, watch=WATCH)
        asked(host, *players(1, 3))
        assert waiting == [(tag("player-1"), tag("player-3"))]
        assert host.at_work is None

    @pytest.mark.parametrize("harm", [raising, no_number])
    def test_also_where_another_had_to_stand_in(self, servable, harm):
        model = BadModel(servable.artifact.model, harm)
        host = rolling(servable, GamesServable(replace(servable.artifact, model=model)))
        asked(host, *players(2))
        assert host.work[-1] == ""

    def test_by_every_endpoint(self, host, client):
        host.watch = WATCH
        for path in ("search?q=a", "games/metroid/similar", "games", "why-not/player-1/metroid"):
            client.get(f"/v1/{path}")
            assert host.work[-2:] == [VERSION, ""], path
        client.get(f"{RECOMMEND}/player-1")
        assert host.work[-1] == ""

    def test_only_while_a_rollout_is_watched(self, host, client):
        client.post(RECOMMEND, json={"user_id": "player-1"})
        client.get("/v1/search?q=a")
        assert (host.work, host.drawn) == ([], [])


def test_answers_are_the_same_whether_a_rollout_is_watched_or_not(servable):
    sent = [*players(1, 3, 4), {"history": ["metroid"], "k": 7}, {}]
    watched, plain = rolling(servable, servable), OneVersionHost(servable)
    for one, other in zip(asked(watched, *sent), asked(plain, *sent), strict=True):
        assert (document(one), one.headers) == (document(other), other.headers)
