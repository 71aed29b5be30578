"""Simulated players use a server that asks for credentials, with the key they are given."""

from __future__ import annotations

import asyncio

from players_shop import Shop, listening
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from flyball.games.players import play
from flyball.games.world import World

KEY = "fb_0123456789ab_secret"


class Locked:
    """Answers only who shows the key; probes anybody."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        probes = scope["type"] != "http" or scope["path"].startswith("/health")
        if probes or dict(scope["headers"]).get(b"x-api-key") == KEY.encode():
            await self._app(scope, receive, send)
        else:
            await JSONResponse({}, 401)(scope, receive, send)


def sessions_done(key: str) -> int:
    world = World(5, 50)
    with listening(Locked(Shop(world).app)) as url:
        stop = asyncio.Event()
        playing = play(url, world, rate=500.0, seed=1, stop=stop, sessions=5, key=key)
        return asyncio.run(asyncio.wait_for(playing, 60)).sessions


def test_with_the_key_their_sessions_go_well_and_without_it_none_does():
    assert sessions_done(KEY) == 5
    assert sessions_done("") == 0
