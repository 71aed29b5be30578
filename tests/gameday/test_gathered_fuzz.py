"""Broken requests, byte by byte, on both ways through the server: it says the same on both.

Those answered together go past ASGI; whatever was sent, nobody may be able to tell from outside.
"""

from __future__ import annotations

import asyncio
import json
import random
from itertools import pairwise

import pytest
from fastapi import FastAPI
from hostile_bytes import MUTATIONS, RECOMMEND, answers, broken_bodies, post

from fed_connections import Line, Pond, a_server, an_edge, settled, without_ids
from flyball.games.application import GamesApplication
from flyball.games.servable import GamesServable
from flyball.recommend import Ease
from flyball.serving.edge.edge import Edge
from flyball.serving.edge.phase import Phase
from flyball.settings import Server as Settings
from flyball.testing.games import OneVersionHost, packaged, some_purchases

MUTATED = 150
"""Requests for each kind of damage."""

SETTINGS = {
    "plain": Settings(),
    "proxied": Settings(trusted_proxies=["127.0.0.1"], cors_origins=["https://shop.example"]),
}


def good(rng: random.Random) -> bytes:
    body = rng.choice([RECOMMEND, b"{}", b"fail", b"large", b""])
    more = [
        b"X-Request-Timeout: 20",
        b"X-Forwarded-For: 203.0.113.9",
        b"X-Forwarded-Proto: https",
        b"Origin: https://shop.example",
        b"Expect: 100-continue",
        b"Accept-Encoding: gzip",
        b"Content-Encoding: identity",
        b"Connection: keep-alive",
    ]
    asked = post("/fish", body, *rng.sample(more, rng.randint(0, 2)))
    kept = asked.replace(b"Connection: close\r\n", b"")
    return rng.choice([asked, kept, kept * 2 + asked])


def in_pieces(rng: random.Random, sent: bytes) -> list[bytes]:
    edges = sorted({0, len(sent), *(rng.randrange(len(sent) + 1) for _ in range(3))})
    return [sent[start:end] for start, end in pairwise(edges)]


async def heard(pond: Pond, settings: Settings, sent: list[bytes], *, gather: bool) -> list[object]:
    """What a client hears and sees of its connection; also once it was silent for too long."""
    server = a_server(an_edge(pond), settings)
    server.state.lines = b"server: flyball\r\n"
    if not gather:
        server.state.gathering = None
    line = Line(server)
    for part in sent:
        line.send(part)
        await settled(server)
    found: list[object] = []
    for _ in range(2):
        # no cache keeps these answers, so it is all the same on what they depend
        said = without_ids(line.said).replace(b"vary: Origin\r\n", b"").replace(b", Origin", b"")
        found += [said, line.transport.closed, line.transport.ended, line.connection.phase]
        if line.transport.closed or line.connection.phase is Phase.OVER:
            break
        line.connection.overdue(line.connection.until)
        await settled(server)
    return found


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("damage", MUTATIONS, ids=lambda damage: damage.__name__)
def test_a_damaged_request_is_answered_the_same_on_both_ways(damage, settings):
    rng, pond, other = random.Random(damage.__name__), Pond(), Pond()

    async def play() -> None:
        for _ in range(MUTATED):
            sent = damage(rng, good(rng))
            for parts in ([sent], in_pieces(rng, sent)):
                expected = await heard(other, SETTINGS[settings], parts, gather=False)
                assert await heard(pond, SETTINGS[settings], parts, gather=True) == expected, parts

    asyncio.run(play())
    assert other.passes == []
    if damage.__name__ not in ("cut_short", "chunked"):
        assert len(pond.passes) > MUTATED // 20, "enough of them were answered together"


@pytest.fixture(scope="module")
def servable(tmp_path_factory: pytest.TempPathFactory) -> GamesServable:
    return packaged(Ease, tmp_path_factory.mktemp("gathered"), some_purchases())


def items_of(said: bytes) -> object:
    [answer] = answers(said)
    assert answer.status == 200, said
    return json.loads(answer.body)["items"]


def test_a_body_that_is_no_good_json_changes_nothing_for_those_of_its_pass(servable):
    """Each good request of a pass gets its list, and each broken one its own problem."""
    path, rng = "/v1/recommendations", random.Random("a pass")
    bad = [post(path, body) for body in broken_bodies(rng, RECOMMEND, MUTATED)]
    good = [post(path, b'{"user_id": "player-%d", "k": 7}' % number) for number in range(5)]
    host, app = OneVersionHost(servable), FastAPI()
    app.include_router(GamesApplication().routes(host))

    async def play() -> None:
        server = a_server(Edge(app, loopback=True))
        alone = []
        for request in good:
            line = Line(server).send(request)
            await settled(server)
            alone.append(items_of(line.said))
        while bad:
            broken = [bad.pop() for _ in range(min(10, len(bad)))]
            sent = rng.sample([*good, *broken], len(good) + len(broken))
            lines = {request: Line(server).send(request) for request in sent}
            assert not server.state.tasks, "none of them goes by ASGI"
            await settled(server)
            assert [items_of(lines[request].said) for request in good] == alone
            for request in broken:
                [said] = answers(lines[request].said)
                assert said.well, (request[:300], said)
                assert said.status in (200, 422)

    asyncio.run(play())
    assert {status for _, status in host.counted} == {200, 422}
    assert len(host.counted) > MUTATED
