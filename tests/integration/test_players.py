"""What the simulated players promise a live server, over real HTTP."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from flyball.errors import InvalidRequest
from flyball.games.players import PATIENCE, Tally, play
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
        uvicorn.Config(app, port=port, log_level="error", timeout_graceful_shutdown=0)
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


@pytest.fixture(scope="module")
def world():
    return World(7, players=40)


@pytest.fixture
def shop(world):
    return Shop(world)


def played(url, world, *, sessions, rate=2000.0, seed=1):
    async def run():
        return await play(url, world, rate=rate, seed=seed, stop=asyncio.Event(), sessions=sessions)

    return asyncio.run(asyncio.wait_for(run(), timeout=60))


async def until(condition, *, within: float = 20.0) -> None:
    """Wait until ``condition()`` holds; fail after ``within`` seconds."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.01)


class TestTheProtocol:
    """What each session sends."""

    @pytest.fixture
    def after(self, shop, world):
        with listening(shop.app) as url:
            tally = played(url, world, sessions=25, rate=200.0)
            for seed in range(2, 8):
                more = played(url, world, sessions=25, rate=200.0, seed=seed)
                for name in ("sessions", "impressions", "clicks", "purchases", "plays"):
                    setattr(tally, name, getattr(tally, name) + getattr(more, name))
        return tally

    def test_shows_the_whole_list_once_and_says_whose_answer_it_was(self, shop, after):
        assert after.sessions == len(shop.shown) > 100
        seen = [e for e in shop.sent if e["type"] == "impression"]
        assert len(seen) == after.impressions == 10 * after.sessions
        for answer, (user_id, games) in shop.shown.items():
            mine = [e for e in seen if e["recommendation_id"] == answer]
            assert [e["game_id"] for e in mine] == games
            assert {e["user_id"] for e in mine} == {user_id}

    def test_clicks_only_on_what_was_shown_and_buys_only_what_was_clicked(self, shop, after):
        def pairs(kind):
            sent = [e for e in shop.sent if e["type"] == kind]
            return {(e["recommendation_id"], e["user_id"], e["game_id"]) for e in sent}

        assert pairs("click") < pairs("impression")
        assert pairs("purchase") < pairs("click")
        assert pairs("play") == pairs("purchase")
        assert after.clicks > after.purchases > 0

    def test_gives_every_event_an_id_of_its_own_even_for_the_same_seed(self, shop, world):
        with listening(shop.app) as url:
            played(url, world, sessions=10)
            played(url, world, sessions=10)
        ids = [event["event_id"] for event in shop.sent]
        assert len(ids) == len(set(ids)) > 200

    def test_gives_prices_and_hours_and_nothing_unknown(self, shop, after, world):
        for event in shop.sent:
            extra = {"value"} if event["type"] in ("purchase", "play") else set()
            assert event.keys() == {
                *("event_id", "type", "user_id", "game_id", "recommendation_id"),
                *extra,
            }
        bought = [e for e in shop.sent if e["type"] == "purchase"]
        assert all(e["value"] == world.price(e["game_id"]) for e in bought)
        assert all(e["value"] > 0 for e in shop.sent if e["type"] == "play")

    def test_asks_by_both_endpoints_for_ten(self, shop, after):
        assert {k for _, _, k in shop.asked} == {10}
        methods = [method for method, _, _ in shop.asked]
        assert min(methods.count("GET"), methods.count("POST")) > 50

    def test_brings_newcomers_and_players_with_a_history(self, shop, after, world):
        new = [user for _, user, _ in shop.asked if user not in world.user_ids]
        assert 3 <= len(new) <= 45
        assert not any(world.owned(user) for user in new)

    def test_comes_alike_for_a_seed(self, shop, world):
        with listening(shop.app) as url:
            played(url, world, sessions=12)
            played(url, world, sessions=12)
        users = [[u for _, u, _ in part] for part in (shop.asked[:12], shop.asked[12:])]
        known = [sorted(u for u in part if u in world.user_ids) for part in users]
        assert known[0] == known[1]
        assert len(known[0]) > 5


def test_nobody_buys_what_they_own(world):
    """One player, shown the same ten games again and again, buys each at most once."""
    alone = World(7, players=1)
    shop = Shop(world)
    owned = sorted(alone.owned("player-00001"))
    liked = sorted(
        (game.game_id for game in alone.games if len(game.platforms) >= 4),
        key=lambda game: -alone.affinity("player-00001", game),
    )
    shop.games = owned[:3] + [game for game in liked if game not in owned][:7]
    with listening(shop.app) as url:
        tally = played(url, alone, sessions=400, rate=400.0)
    bought = [e for e in shop.sent if e["type"] == "purchase" and e["user_id"] == "player-00001"]
    games = [event["game_id"] for event in bought]
    assert len(games) == len(set(games)) > 0
    assert not set(games) & set(owned)
    assert tally.sessions + tally.turned_away == 400


def test_events_the_server_rejects_are_counted_as_such(shop, world):
    shop.rejects = True
    with listening(shop.app) as url:
        tally = played(url, world, sessions=5, rate=100.0)
    assert tally.rejected == len(shop.batches)
    assert tally.impressions == 5 * 9


class TestATroubledServer:
    """The players outlast it, and do not storm it."""

    def test_stop_is_prompt_while_waiting_for_the_next_player(self, shop, world):
        async def run(url):
            stop = asyncio.Event()
            task = asyncio.create_task(play(url, world, rate=0.001, seed=1, stop=stop))
            await until(lambda: shop.readied)  # now it waits for the first, due in about 1000 s
            began = time.monotonic()
            stop.set()
            await task
            return time.monotonic() - began

        with listening(shop.app) as url:
            assert asyncio.run(run(url)) < 1.0

    def test_stop_does_not_wait_for_a_server_that_hangs(self, shop, world):
        shop.hangs = True

        async def run(url):
            stop = asyncio.Event()
            task = asyncio.create_task(play(url, world, rate=100.0, seed=1, stop=stop))
            await until(lambda: shop.asked)
            began = time.monotonic()
            stop.set()
            tally = await task
            return tally, time.monotonic() - began

        with listening(shop.app) as url:
            tally, waited = asyncio.run(run(url))
        assert waited < PATIENCE + 1.0
        assert tally.sessions == 0

    def test_a_slow_server_never_holds_more_than_a_few_at_once(self, shop, world):
        shop.hangs = True

        async def run(url):
            stop = asyncio.Event()
            task = asyncio.create_task(
                play(url, world, rate=2000.0, seed=1, stop=stop, sessions=100)
            )
            await until(lambda: len(shop.asked) >= 32)
            stop.set()
            return await task

        with listening(shop.app) as url:
            tally = asyncio.run(run(url))
        assert len(shop.asked) == 32
        assert tally.turned_away <= 68

    def test_a_server_that_comes_late_is_waited_for(self, shop, world):
        tries = []

        def hang_up(_, writer):
            tries.append(time.monotonic())
            writer.close()

        async def run():
            stop = asyncio.Event()
            starting = await asyncio.start_server(hang_up, "127.0.0.1", 0)
            port = starting.sockets[0].getsockname()[1]
            task = asyncio.create_task(
                play(f"http://127.0.0.1:{port}", world, rate=200.0, seed=1, stop=stop, sessions=5)
            )
            await until(lambda: len(tries) == 3)
            starting.close()
            await starting.wait_closed()
            with listening(shop.app, port):
                return await asyncio.wait_for(task, timeout=30)

        tally = asyncio.run(run())
        assert tally.sessions == 5
        assert tally.refused == 0
        assert tries[2] - tries[0] > 0.4  # it asked with pauses

    def test_a_server_that_goes_away_and_returns_is_used_again(self, shop, world):
        async def run():
            stop = asyncio.Event()
            tally = Tally()
            with listening(shop.app) as url:
                port = int(url.rsplit(":", 1)[1])
                task = asyncio.create_task(
                    play(url, world, rate=100.0, seed=1, stop=stop, tally=tally)
                )
                await until(lambda: tally.sessions >= 3)
            await until(lambda: tally.refused >= 1)
            before = tally.sessions
            with listening(shop.app, port):
                await until(lambda: tally.sessions > before + 3)
                stop.set()
                await task
            return tally

        tally = asyncio.run(run())
        assert 1 <= tally.refused <= 40  # those on their way, not a storm

    @pytest.mark.parametrize("status", [500, 503, 429])
    def test_an_overloaded_server_is_left_alone_until_ready(self, shop, world, status):
        shop.statuses = [status]
        with listening(shop.app) as url:
            tally = played(url, world, sessions=4, rate=20.0)
        assert (tally.refused, tally.sessions, tally.failed) == (1, 3, 0)

    def test_a_request_refused_as_wrong_is_counted_and_the_rest_goes_on(self, shop, world):
        shop.statuses = [404, 422]
        with listening(shop.app) as url:
            tally = played(url, world, sessions=5, rate=50.0)
        assert (tally.refused, tally.sessions, tally.failed) == (0, 3, 2)

    @pytest.mark.parametrize("answer", [PlainTextResponse("<html>"), JSONResponse({"hello": 1})])
    def test_another_kind_of_server_is_no_reason_to_fall_over(self, world, answer):
        async def anything(request):
            return answer

        app = Starlette(
            routes=[Route("/{path:path}", anything, methods=["GET", "POST"])],
        )
        with listening(app) as url:
            tally = played(url, world, sessions=3, rate=50.0)
        assert tally.failed == 3


@pytest.mark.parametrize(
    ("url", "rate"), [("http://127.0.0.1:1", 0.0), ("http://127.0.0.1:1", -1.0), ("localhost", 8.0)]
)
def test_a_call_that_cannot_work_is_refused(world, url, rate):
    with pytest.raises(InvalidRequest):
        played(url, world, sessions=1, rate=rate)


class TestTheCommand:
    """``python -m flyball.games.players``."""

    def command(self, *arguments):
        source = Path(__file__).parents[2] / "src"
        return subprocess.Popen(
            [sys.executable, "-m", "flyball.games.players", "--players", "20", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(source)},
        )

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_stops_cleanly_when_told_and_says_what_happened(self, shop, number):
        with listening(shop.app) as url:
            process = self.command("--url", url, "--rate", "50", "--seed", "3")
            try:
                asyncio.run(until(lambda: len(shop.batches) > 3, within=60))
                process.send_signal(number)
                output, log = process.communicate(timeout=30)
            finally:
                process.kill()
        assert process.returncode == 0
        assert output == ""
        assert "players gone" in log
        assert "Traceback" not in log

    def test_says_what_is_wrong_with_the_call(self):
        output, log = self.command("--rate", "0").communicate(timeout=60)
        assert "rate 0.0 must be above 0" in log
        assert "Traceback" not in log
        assert output == ""

    def test_answers_a_wrong_call_with_exit_code_2(self):
        process = self.command("--url", "nowhere")
        process.communicate(timeout=60)
        assert process.returncode == 2
