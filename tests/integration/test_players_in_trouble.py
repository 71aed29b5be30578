"""What the simulated players promise when the server, the call or their own end is near."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from players_shop import Shop, listening, played, until
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from flyball.errors import InvalidRequest
from flyball.games.players import PATIENCE, Tally, play
from flyball.games.world import World


@pytest.fixture(scope="module")
def world():
    return World(7, players=40)


@pytest.fixture
def shop(world):
    return Shop(world)


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
