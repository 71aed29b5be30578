"""The client against servers that are slow, busy, away or something else, and its tokens."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

import pytest

from client_flavours import PATIENT, awaiting, blocking
from flaky_server import answer, flaky
from flyball.client import (
    AsyncClient,
    Client,
    DeadlinePassed,
    Unauthenticated,
    Unavailable,
    Unreachable,
    UnreadableAnswer,
)


@pytest.fixture(params=[blocking, awaiting], ids=["blocking", "awaiting"])
def ask(request):
    """Makes one call with a client of each flavour."""
    return request.param


class TestABadServer:
    def test_a_busy_server_is_asked_again_when_it_says(self, ask):
        async def behave(request, writer):
            if request.number == 0:
                headers = {"retry-after": "1"}
                await answer(writer, {"detail": "busy"}, status=503, headers=headers)
            else:
                await answer(writer, {"items": []})

        with flaky(behave) as server:
            started = time.monotonic()
            assert ask(server.url, "search", "x").items == []
            assert time.monotonic() - started >= 1.0
        assert len(server.requests) == 2

    def test_a_busy_server_that_wants_more_time_than_there_is_is_not_waited_for(self, ask):
        async def behave(request, writer):
            await answer(writer, {"detail": "busy"}, status=503, headers={"retry-after": "600"})

        with flaky(behave) as server, pytest.raises(Unavailable, match="busy"):
            ask(server.url, "search", "x")
        assert len(server.requests) == 1

    @pytest.mark.parametrize("pace", ["silent", "dripping headers", "dripping body"])
    def test_a_slow_server_never_holds_a_call_beyond_its_timeout(self, ask, pace):
        async def behave(request, writer):
            if pace != "silent":
                writer.write(b"HTTP/1.1 200 OK\r\n")
            if pace == "dripping body":
                writer.write(b"content-length: 100000\r\n\r\n")
            for _ in range(1000):
                if pace != "silent":
                    writer.write(b"x: y\r\n")
                await writer.drain()
                await asyncio.sleep(0.05)

        with flaky(behave) as server:
            started = time.monotonic()
            with pytest.raises(DeadlinePassed):
                ask(server.url, "search", "x", options={"timeout": 0.5})
            taken = time.monotonic() - started
        assert 0.4 <= taken < 5.0  # a thousand drops would take 50 s
        assert len(server.requests) == 1
        assert 0.0 < float(server.requests[0].headers["x-request-timeout"]) <= 0.5

    def test_a_server_that_is_away_is_told_as_such(self, ask):
        async def behave(request, writer):
            raise AssertionError("nobody asks")

        with flaky(behave) as server:
            away = server.url
        with pytest.raises(Unreachable, match="asked 4 times"):
            ask(away, "search", "x")
        assert ask(away, "ready") is False

    def test_something_else_that_answers_is_told_as_such(self, ask):
        async def behave(request, writer):
            await answer(writer, ["no", "flyball"])

        with flaky(behave) as server, pytest.raises(UnreadableAnswer):
            ask(server.url, "recommend", "p")

    def test_connections_are_used_again(self, ask):
        async def behave(request, writer):
            ports.add(writer.get_extra_info("peername")[1])
            ids = parse_qs(request.path.partition("?")[2]).get("cursor", ["0"])
            following = str(int(ids[0]) + 1) if ids != ["4"] else None
            await answer(writer, {"items": [], "next_cursor": following})

        ports: set[int] = set()
        with flaky(behave) as server:
            assert ask(server.url, "games") == []
        assert (len(server.requests), len(ports)) == (5, 1)


class AuthServer:
    """Gives tokens as ``/auth/token`` does; the API takes those it has not revoked."""

    def __init__(self):
        self.good: set[str] = set()
        self.grants: list[str] = []
        self.refresh = ""

    async def behave(self, request, writer):
        if not request.path.startswith("/auth/"):
            said = request.headers.get("authorization", "").removeprefix("Bearer ")
            if said in self.good:
                await answer(writer, {"items": []})
            else:
                await answer(writer, {"detail": "who?"}, status=401)
            return
        form = {name: value[0] for name, value in parse_qs(request.body.decode()).items()}
        self.grants.append(form["grant_type"])
        right = form.get("password") == "pw" or form.get("refresh_token") == self.refresh
        right |= request.headers.get("authorization", "") == "Basic YXBwOnMtZWNyZXQ="
        if not right:
            await answer(writer, {"detail": "no such account"}, status=401)
            return
        await asyncio.sleep(0.05)  # so that others come meanwhile
        self.refresh, token = f"r{len(self.grants)}", f"t{len(self.grants)}"
        self.good.add(token)
        fields = {"token_type": "Bearer", "expires_in": 600, "refresh_token": self.refresh}
        await answer(writer, {"access_token": token, **fields})


class TestTokens:
    def test_are_got_by_themselves(self, ask):
        server = AuthServer()
        with flaky(server.behave) as seen:
            options = {"password": ("ada", "pw"), **PATIENT}
            assert ask(seen.url, "search", "x", options=options).items == []
        assert server.grants == ["password"]

    def test_are_got_for_a_program(self, ask):
        server = AuthServer()
        with flaky(server.behave) as seen:
            options = {"client_credentials": ("app", "s-ecret"), **PATIENT}
            assert ask(seen.url, "search", "x", options=options).items == []
        assert server.grants == ["client_credentials"]

    def test_are_got_once_for_many_calls_at_once(self):
        server = AuthServer()
        with (
            flaky(server.behave) as seen,
            Client(seen.url, password=("ada", "pw"), **PATIENT) as client,
            ThreadPoolExecutor(20) as pool,
        ):
            assert len(list(pool.map(client.search, ["x"] * 40))) == 40
            server.good.clear()  # all revoked: refreshed once, then used by all
            assert len(list(pool.map(client.search, ["x"] * 40))) == 40
        assert server.grants == ["password", "refresh_token"]

    def test_are_got_once_for_many_tasks_at_once(self):
        server = AuthServer()

        async def calls(url):
            async with AsyncClient(url, password=("ada", "pw"), **PATIENT) as client:
                await asyncio.gather(*(client.search("x") for _ in range(40)))
                server.good.clear()
                await asyncio.gather(*(client.search("x") for _ in range(40)))

        with flaky(server.behave) as seen:
            asyncio.run(calls(seen.url))
        assert server.grants == ["password", "refresh_token"]

    def test_wrong_passwords_are_told_and_not_tried_again(self, ask):
        server = AuthServer()
        with flaky(server.behave) as seen, pytest.raises(Unauthenticated, match="no such account"):
            ask(seen.url, "search", "x", options={"password": ("ada", "no"), **PATIENT})
        assert server.grants == ["password"]

    def test_keys_and_tokens_are_sent_as_they_are(self, ask):
        async def behave(request, writer):
            await answer(writer, {"items": []})

        with flaky(behave) as seen:
            ask(seen.url, "search", "x", options={"api_key": "fb_1_2"})
            ask(seen.url, "search", "x", options={"token": "jwt"})
        assert seen.requests[0].headers["x-api-key"] == "fb_1_2"
        assert seen.requests[1].headers["authorization"] == "Bearer jwt"


def test_a_client_is_shared_by_threads_and_options_are_one_callers_own():
    async def behave(request, writer):
        await answer(writer, {"items": []})

    with flaky(behave) as seen, Client(seen.url, timeout=5.0) as client:
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        client.with_options(timeout=1.0, traceparent=trace).search("x")
        client.search("x")
    mine, others = (request.headers for request in seen.requests)
    assert mine["traceparent"] == trace
    assert float(mine["x-request-timeout"]) <= 1.0
    assert "traceparent" not in others
    assert float(others["x-request-timeout"]) > 1.0
