"""Recommendations for many players in one request, and what others notice of it."""

from __future__ import annotations

import asyncio
import json
import math
import time
from dataclasses import dataclass

import httpx
import msgspec
import pytest

from flyball.domain.routing import Variant, bucket
from flyball.errors import DeadlinePassed
from flyball.exchange import Call
from flyball.games import batch
from flyball.games.lists import Lists
from flyball.games.openapi import MANY
from flyball.ports import Choice
from flyball.testing.games import VERSION, OneVersionHost, a_purchase, is_a_problem

BATCH = "/v1/recommendations/batch"
OTHER = "1.1.0-0123abcd-89ef4567"


@dataclass
class TwoVersionHost(OneVersionHost):
    """Half of the players get another version."""

    def choose(self, user):
        choice = super().choose(user)
        if bucket(user, "salt") < 0.5:
            return choice
        return Choice(servable=choice.servable, version=OTHER, variant=Variant.CHALLENGER)

    def served(self, choice, endpoint, seconds, status, *, answers=1):
        self.counted += [(choice.version, status)] * answers

    def shown(self, *arguments, **named):
        pass


class TestManyPlayers:
    def test_get_what_each_would_get_alone_in_the_order_asked(self, client, host):
        players = [f"player-{number}" for number in (5, 3, 5, 900, 0)]
        answer = client.post(BATCH, json={"user_ids": players, "k": 3})
        assert answer.status_code == 200
        found = answer.json()["items"]
        assert host.counted == [(BATCH, 200)] * 5
        for player, one in zip(players, found, strict=True):
            alone = client.post("/v1/recommendations", json={"user_id": player, "k": 3}).json()
            assert set(one) == set(alone)
            assert one["items"] == alone["items"]
        assert len({one["recommendation_id"] for one in found}) == 5

    def test_are_filtered_alike(self, client):
        wishes = {"filters": {"exclude": ["metroid"]}, "min_score": 0.0, "diversity": 0.5}
        asked = {"user_ids": ["player-1", "player-2"], "k": 100, **wishes}
        for one in client.post(BATCH, json=asked).json()["items"]:
            assert one["items"]
            assert "metroid" not in {item["game_id"] for item in one["items"]}

    def test_never_get_a_game_they_have_bought(self, client):
        client.post("/v1/events", json=[a_purchase(game_id="metroid", user_id="player-7")])
        asked = {"user_ids": ["player-7", "nobody"], "k": 100}
        bought, other = client.post(BATCH, json=asked).json()["items"]
        assert "metroid" not in {item["game_id"] for item in bought["items"]}
        assert "metroid" in {item["game_id"] for item in other["items"]}

    def test_may_be_a_thousand_and_no_more(self, client):
        thousand = [f"player-{number}" for number in range(1000)]
        found = client.post(BATCH, json={"user_ids": thousand, "k": 1}).json()["items"]
        assert len(found) == 1000
        is_a_problem(client.post(BATCH, json={"user_ids": [*thousand, "one-more"]}), 422)

    @pytest.mark.parametrize(
        "asked",
        [
            {},
            {"user_ids": []},
            {"user_ids": [""]},
            {"user_ids": ["a\nb"]},
            {"user_ids": ["a"], "k": 0},
            {"user_ids": ["a"], "history": []},
            {"user_ids": "a"},
        ],
    )
    def test_wrongly_asked_for_are_a_problem_counted_once(self, client, host, asked):
        is_a_problem(client.post(BATCH, json=asked), 422)
        assert host.counted == [(BATCH, 422)]

    def test_a_player_called_batch_is_asked_for_by_get(self, client, host):
        answer = client.get(BATCH, params={"k": 2})
        assert len(answer.json()["items"]) == 2
        assert host.lists[0][1] == "batch"

    def test_each_get_the_version_that_is_theirs(self, servable):
        host = TwoVersionHost(servable)
        players = [f"player-{number}" for number in range(60)]
        body = json.dumps({"user_ids": players, "k": 1}).encode()
        many = batch.Batch(host, Lists(host))
        found = msgspec.json.decode(asyncio.run(many.recommend_many(Call(body))).body)["items"]
        for player, one in zip(players, found, strict=True):
            expected = VERSION if bucket(player, "salt") < 0.5 else OTHER
            assert one["model_version"] == expected
        assert {one["variant"] for one in found} == {"champion", "challenger"}
        assert host.counted == [(one["model_version"], 200) for one in found]

    def test_limits_of_one_player_hold_in_a_batch_too(self, client, host):
        host.tired = frozenset({"player-2"})
        is_a_problem(client.post(BATCH, json={"user_ids": ["player-1", "player-2"]}), 429)

    def test_are_shown_in_the_documentation(self, client, app):
        assert client.post(BATCH, json=MANY).status_code == 200
        operation = app.app.openapi()["paths"][BATCH]["post"]
        content = operation["requestBody"]["content"]["application/json"]
        assert content["examples"]["players"]["value"] == MANY
        assert set(content["schema"]["properties"]) == set(batch.BatchRequest.__struct_fields__)


class TestOthersMeanwhile:
    def test_are_answered_while_a_batch_is_worked_on(self, app, host):
        """By order, not by time: they come after it has begun, and are counted before its end."""

        async def both() -> None:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                players = [f"player-{number}" for number in range(1000)]
                many = asyncio.create_task(client.post(BATCH, json={"user_ids": players}))
                while not host.counted:
                    await asyncio.sleep(0)
                for _ in range(5):
                    await client.post("/v1/recommendations", json={"user_id": "p"})
                assert (await many).status_code == 200

        asyncio.run(both())
        order = [endpoint for endpoint, _ in host.counted]
        assert order.count(BATCH) == 1000
        assert order.count("/v1/recommendations") == 5
        assert order[-1] == BATCH

    def test_do_not_wait_for_a_batch_that_nobody_waits_for(self, host):
        many = batch.Batch(host, Lists(host))
        players = [f"player-{number}" for number in range(1000)]
        body = json.dumps({"user_ids": players}).encode()
        with pytest.raises(DeadlinePassed, match="of 1000 players were answered"):
            asyncio.run(many.recommend_many(Call(body, deadline=time.monotonic())))
        assert 1 <= len(host.counted) < 1000

    def test_a_batch_in_time_is_whole(self, host):
        many = batch.Batch(host, Lists(host))
        call = Call(b'{"user_ids": ["a", "b"]}', deadline=math.inf)
        assert len(msgspec.json.decode(asyncio.run(many.recommend_many(call)).body)["items"]) == 2
