"""Requests that are answered in one pass: each as if it were alone, errors and counts included."""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from flyball.domain.access import ANYONE
from flyball.domain.routing import Variant
from flyball.domain.tensors import Datatype, Tensor
from flyball.errors import NotFound
from flyball.exchange import Call, Reply
from flyball.games.batch import Batch
from flyball.games.counted import Answering, end_together
from flyball.games.infer import GamesInference
from flyball.games.lists import Lists
from flyball.games.routes import GamesApi
from flyball.ports import Choice
from flyball.testing.games import OTHER, VERSION, OneVersionHost

RECOMMEND = "/v1/recommendations"


@dataclass
class Shop(OneVersionHost):
    """Players in ``theirs`` get the other version; whatever touches one of ``harmed`` raises.

    Attributes:
        where: the method that raises for them.
        noted: (version, status) of each answer counted.
    """

    theirs: frozenset[str] = frozenset()
    harmed: frozenset[str] = frozenset()
    where: str = ""
    noted: Any = ()

    def _touch(self, where: str, user: str | None) -> None:
        if self.where == where and user in self.harmed:
            raise ZeroDivisionError(f"in {where}")

    def limit(self, caller: Any, user: str) -> None:
        self._touch("limit", user)
        super().limit(caller, user)

    def pseudonym(self, user: str) -> str:
        self._touch("pseudonym", user)
        return super().pseudonym(user)

    def overlay(self, user: str) -> Any:
        self._touch("overlay", user)
        return super().overlay(user)

    def shown(self, choice: Any, recommendation_id: str, at_ms: int, user: Any, *_: Any, **__: Any):
        self._touch("shown", user)
        self.lists.append((recommendation_id, user, (), False))

    def choose(self, user: str) -> Choice:
        self._touch("choose", user)
        if user in self.theirs:
            return Choice(servable=self.other, version=OTHER, variant=Variant.CHALLENGER)
        return super().choose(user)

    def served(self, choice, endpoint, seconds, status, *, answers=1):
        self.noted = sorted([*self.noted, *[(choice.version, status)] * answers])


class Picky:
    """A version that fails whenever one of its questions is of a player it cannot answer."""

    def __init__(self, servable: Any, player: str) -> None:
        self._servable, self._player = servable, player
        self.asked: list[int] = []

    def answers(self, questions: Any, *, popular: bool = False) -> Any:
        self.asked.append(len(questions))
        if not popular and any(q.user_id == self._player for q in questions):
            raise ZeroDivisionError(self._player)
        return self._servable.answers(questions, popular=popular)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._servable, name)


def asked_of(host: Any, *sent: Any) -> list[Reply | Exception]:
    bodies = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in sent]
    return GamesApi(host, Lists(host)).recommend_together([Call(body) for body in bodies])


def document(reply: Reply | Exception) -> dict[str, Any]:
    """An answer without the id of its own."""
    assert isinstance(reply, Reply), reply
    found = msgspec.json.decode(reply.body)
    del found["recommendation_id"]
    return found


def player(number: int, **more: Any) -> dict[str, Any]:
    return {"user_id": f"player-{number}", **more}


MIX = [
    player(1, k=1),
    {"history": ["metroid", "portal"], "k": 40},
    player(2, diversity=1.0),
    {},
    player(3, filters={"genres": ["puzzle"]}, k=100),
    player(4, min_score=1.0),
    player(1, k=7, filters={"exclude": ["metroid"]}),
]


class TestRequestsAnsweredTogether:
    def test_get_what_each_gets_alone_in_their_order(self, servable):
        found = asked_of(Shop(servable), *MIX)
        for one, reply in zip(MIX, found, strict=True):
            [alone] = asked_of(Shop(servable), one)
            assert document(reply) == document(alone)
            assert reply.headers == alone.headers

    def test_have_ids_of_their_own_and_are_shown_under_them(self, servable):
        host = Shop(servable)
        found = asked_of(host, *MIX)
        ids = [msgspec.json.decode(reply.body)["recommendation_id"] for reply in found]
        assert len(set(ids)) == len(MIX)
        assert [shown[0] for shown in host.lists] == ids

    def test_are_answered_by_the_version_that_is_theirs(self, servable):
        theirs = frozenset({"player-2", "player-4"})
        host = Shop(servable, other=servable, theirs=theirs)
        found = asked_of(host, *(player(number) for number in range(6)))
        for number, reply in enumerate(found):
            expected = OTHER if f"player-{number}" in theirs else VERSION
            assert document(reply)["model_version"] == expected
            assert dict(reply.headers)[b"x-flyball-version"] == expected.encode()
        assert host.noted == [(VERSION, 200)] * 4 + [(OTHER, 200)] * 2

    def test_are_refused_each_for_itself(self, servable):
        host = Shop(servable, tired=frozenset({"player-2"}))
        wrong = [b"", b'{"k": 0}', b"[" * 100_000, b'{"user_id": "\xff"}', player(2)]
        found = asked_of(host, player(1), *wrong, player(3))
        statuses = [200 if isinstance(each, Reply) else each.status for each in found]
        assert statuses == [200, 422, 422, 422, 422, 429, 200]
        assert host.noted == [(VERSION, status) for status in sorted(statuses)]
        assert len(host.lists) == 2

    def test_do_not_notice_that_the_version_fails_for_one(self, servable):
        host = Shop(Picky(servable, "player-2"))
        found = [document(each) for each in asked_of(host, *map(player, range(5)))]
        assert [each["fallback"] for each in found] == [None, None, "popularity", None, None]
        for number in (0, 1, 3, 4):
            [alone] = asked_of(Shop(servable), player(number))
            assert found[number]["items"] == document(alone)["items"]
        assert host.noted == [(VERSION, 200)] * 4 + [(VERSION, 500)]
        assert len(host.lists) == 5

    def test_are_answered_by_the_other_version_where_theirs_fails_for_them(self, servable):
        host = Shop(Picky(servable, "player-2"), other=servable)
        found = [document(each) for each in asked_of(host, *map(player, range(4)))]
        versions = [each["model_version"] for each in found]
        assert versions == [VERSION, VERSION, OTHER, VERSION]
        assert host.noted == [(VERSION, 200)] * 3 + [(VERSION, 500), (OTHER, 200)]

    @pytest.mark.parametrize("where", ["limit", "pseudonym", "choose", "overlay", "shown"])
    def test_do_not_notice_what_nobody_foresaw_for_one_of_them(self, servable, where):
        host = Shop(servable, harmed=frozenset({"player-2"}), where=where)
        found = asked_of(host, *map(player, range(4)))
        assert [type(each) for each in found] == [Reply, Reply, ZeroDivisionError, Reply]
        assert host.noted == [(VERSION, 200)] * 3 + [(VERSION, 500)]

    def test_are_all_told_that_no_version_is_loaded_yet(self):
        host = Shop(None)
        found = asked_of(host, player(1), b"wrong", {})
        assert [each.status for each in found] == [404, 422, 404]
        assert host.noted == ()

    def test_that_are_none_are_no_work(self, servable):
        assert asked_of(Shop(servable)) == []
        assert asked_of(Shop(servable), b"wrong")[0].status == 422

    def test_take_one_pass_a_version(self, servable):
        one, other = Picky(servable, ""), Picky(servable, "")
        host = Shop(one, other=other, theirs=frozenset({"player-1", "player-3"}))
        asked_of(host, *map(player, range(8)))
        assert (one.asked, other.asked) == ([6], [2])


class TestRowsOfTensorsAndPlayersOfABatch:
    """They are answered some at a time."""

    @pytest.mark.parametrize("split", [False, True])
    def test_get_what_each_row_gets_alone(self, servable, split):
        theirs = frozenset(f"player-{number}" for number in range(0, 20, 3)) if split else ()
        users = [f"player-{number}" for number in range(20)] + ["", ""]
        histories = [""] * 15 + ['["metroid"]'] * 6 + ['["portal", "braid"]']
        host = Shop(servable, other=servable, theirs=frozenset(theirs))
        columns = inferred(host, users, histories)
        for row, (user, history) in enumerate(zip(users, histories, strict=True)):
            alone = inferred(host, [user], [history])
            for name, values in columns.items():
                if name != "recommendation_id":
                    width = len(values) // len(users)
                    assert values[row * width : (row + 1) * width] == alone[name], (row, name)
        assert len(set(columns["recommendation_id"])) == len(users)
        assert len(host.noted) == 2 * len(users)

    def test_of_a_batch_fail_as_one_where_one_of_them_fails_and_all_done_are_counted(
        self, servable
    ):
        host = Shop(servable, harmed=frozenset({"player-2"}), where="overlay")
        asked = Call(json.dumps({"user_ids": [f"player-{n}" for n in range(5)]}).encode())
        with pytest.raises(ZeroDivisionError):
            asyncio.run(Batch(host, Lists(host)).recommend_many(asked))
        assert host.noted == [(VERSION, 200)] * 4 + [(VERSION, 500)]


def inferred(host: Any, users: list[str], histories: list[str]) -> dict[str, list[Any]]:
    """The output columns for these rows."""
    size = (len(users),)
    inputs = {
        name: Tensor(name=name, datatype=Datatype.BYTES, shape=size, data=data)
        for name, data in (("user_id", users), ("history", histories))
    }
    found = asyncio.run(
        GamesInference(host, Lists(host)).infer(
            inputs,
            {"k": 6, "diversity": 0.3},
            pinned=None,
            caller=ANYONE,
            deadline=math.inf,
            trace="",
        )
    )
    return {tensor.name: list(tensor.data) for tensor in found.tensors}


class TestAnswersCountedTogether:
    def test_are_one_count_for_each_version_and_status(self, servable):
        calls: list[tuple[str, str, int, int]] = []

        class Counting(Shop):
            def served(self, choice, endpoint, seconds, status, *, answers=1):
                assert seconds >= 0.0
                calls.append((choice.version, endpoint, status, answers))

        host = Counting(servable, other=servable, theirs=frozenset({"b", "d"}))
        answerings = [Answering(host, RECOMMEND) for _ in range(6)]
        for answering, user in zip(answerings, "abcd", strict=False):
            answering.by(user)
        answerings[2].failed()
        made = [Reply(b"")] * 3 + [NotFound("no"), ZeroDivisionError(), NotFound("no")]
        end_together(host, answerings, made)
        assert sorted(calls) == [
            (VERSION, RECOMMEND, 200, 1),
            (VERSION, RECOMMEND, 404, 1),
            (VERSION, RECOMMEND, 500, 2),
            (OTHER, RECOMMEND, 200, 1),
            (OTHER, RECOMMEND, 404, 1),
        ]

    def test_are_none_where_no_version_is_loaded(self):
        host = Shop(None)
        end_together(host, [Answering(host, RECOMMEND)], [NotFound("none is loaded")])
        assert host.noted == ()


def test_one_request_alone_raises_its_error(servable):
    api = GamesApi(Shop(servable), Lists(Shop(servable)))
    with pytest.raises(Exception, match="see /docs"):
        asyncio.run(api.recommend(Call(b"wrong")))
