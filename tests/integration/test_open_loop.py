"""The open-loop load generator of the benchmarks, against small servers that misbehave."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RATE, SECONDS = 200, 2.0
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}"

Answer = Callable[[int, float], Awaitable[bytes]]
"""From the number of a request and the seconds since the first to an answer; empty hangs up."""


@contextmanager
def a_server(answer: Answer) -> Iterator[tuple[str, list[bytes]]]:
    """A server in a thread; gives its URL and, in the end, the bodies it got."""
    loop, ready, got = asyncio.new_event_loop(), threading.Event(), []
    began: list[float] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
                got.append(await reader.readexactly(length))
                began.append(loop.time())
                said = await answer(len(got), loop.time() - began[0])
                if not said:
                    return
                writer.write(said)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        await stopped.wait()
        server.close()

    ports: list[int] = []
    stopped = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
    thread.start()
    ready.wait()
    try:
        yield f"http://127.0.0.1:{ports[0]}/v1/things", got
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join()
        loop.close()


def load(url: str, bodies: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.open_loop", url, "--bodies", str(bodies)]
    command += ["--rate", str(RATE), "--seconds", str(SECONDS), "--connections", "8"]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True, timeout=60
    )
    [line] = done.stdout.splitlines()
    return json.loads(line)


@pytest.fixture
def bodies(tmp_path: Path) -> Path:
    path = tmp_path / "bodies.jsonl"
    path.write_text('{"a": 1}\n{"b": 2}\n')
    return path


class TestTheGenerator:
    def test_asks_as_often_as_it_was_told_and_sends_each_of_the_bodies(self, bodies):
        async def at_once(_number: int, _seconds: float) -> bytes:
            return OK

        with a_server(at_once) as (url, got):
            found = load(url, bodies)
        assert (found["answered"], found["failed"]) == (RATE * SECONDS, 0)
        assert set(got) == {b'{"a": 1}', b'{"b": 2}'}
        assert found["p50"] <= found["p90"] <= found["p99"] <= found["most"]

    def test_counts_a_pause_of_the_server_for_every_request_that_was_due_in_it(self, bodies):
        async def pausing(_number: int, seconds: float) -> bytes:
            if 0.5 <= seconds < 1.5:
                await asyncio.sleep(1.5 - seconds)
            return OK

        with a_server(pausing) as (url, _):
            found = load(url, bodies)
        # half of all requests were due in the pause, though only eight could be sent in it
        assert (found["answered"], found["failed"]) == (RATE * SECONDS, 0)
        assert found["p90"] > 600
        assert found["most"] > 900

    def test_counts_refused_requests_as_failed(self, bodies):
        async def refusing(number: int, _seconds: float) -> bytes:
            return BUSY if number % 4 == 0 else OK

        with a_server(refusing) as (url, _):
            found = load(url, bodies)
        assert (found["answered"], found["failed"]) == (300, 100)

    def test_goes_on_over_a_new_connection_where_the_server_hung_up(self, bodies):
        async def rude(number: int, _seconds: float) -> bytes:
            return b"" if number % 10 == 0 else OK

        with a_server(rude) as (url, _):
            found = load(url, bodies)
        assert (found["answered"], found["failed"]) == (360, 40)
