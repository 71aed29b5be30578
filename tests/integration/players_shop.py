"""A tiny server for the simulated players, and what their tests share."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from flyball.games.players import play
from flyball.games.world import World


class Shop:
    """A tiny server that answers as the contract says, and remembers what it was asked."""

    def __init__(self, world: World) -> None:
        self.games = [game.game_id for game in world.games[:60]]
        self.asked: list[tuple[str, str, int]] = []
        self.shown: dict[str, tuple[str, list[str]]] = {}
        self.batches: list[list[dict]] = []
        self.statuses: list[int] = []
        self.readied = 0
        self.hangs = False
        self.rejects = False
        self.app = Starlette(
            routes=[
                Route("/health/ready", self.ready),
                Route("/v1/recommendations", self.post, methods=["POST"]),
                Route("/v1/recommendations/{user_id}", self.get),
                Route("/v1/events", self.events, methods=["POST"]),
            ]
        )

    @property
    def sent(self) -> list[dict]:
        return [event for batch in self.batches for event in batch]

    async def ready(self, request):
        self.readied += 1
        return PlainTextResponse("ready")

    async def get(self, request):
        return await self.answer("GET", request.path_params["user_id"], request.query_params["k"])

    async def post(self, request):
        body = await request.json()
        return await self.answer("POST", body["user_id"], body["k"])

    async def answer(self, method, user_id, k):
        self.asked.append((method, user_id, int(k)))
        if self.hangs:
            await asyncio.Event().wait()
        if self.statuses:
            return JSONResponse({"title": "no"}, status_code=self.statuses.pop(0))
        number = len(self.shown)
        games = [self.games[(number + n) % len(self.games)] for n in range(int(k))]
        self.shown[f"{number:08x}.1.0.0"] = (user_id, games)
        items = [{"game_id": g, "title": g, "score": 1.0, "reasons": []} for g in games]
        return JSONResponse({"recommendation_id": f"{number:08x}.1.0.0", "items": items})

    async def events(self, request):
        self.batches.append(await request.json())
        rejected = [{"index": 0, "detail": "no"}] if self.rejects else []
        taken = len(self.batches[-1]) - len(rejected)
        return JSONResponse({"accepted": taken, "duplicates": 0, "rejected": rejected})


@contextmanager
def listening(app, port: int = 0):
    """Serve ``app`` from a thread; yields its URL once it answers."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, log_config=None, timeout_graceful_shutdown=0)
    )
    listener = socket.create_server(("127.0.0.1", port))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
        assert not thread.is_alive()


def played(url, world, *, sessions, rate=2000.0, seed=1):
    async def run():
        return await play(url, world, rate=rate, seed=seed, stop=asyncio.Event(), sessions=sessions)

    return asyncio.run(asyncio.wait_for(run(), timeout=60))


async def until(condition, *, within: float = 20.0) -> None:
    """Wait until ``condition()`` holds; fail after ``within`` seconds."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.01)
