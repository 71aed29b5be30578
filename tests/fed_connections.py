"""Connections of a worker without sockets: a test is the client, and says when which bytes come."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI

from flyball.domain.access import Scope
from flyball.errors import InvalidRequest
from flyball.exchange import Call, Endpoint, Reply, add
from flyball.serving import problems
from flyball.serving.edge.admission import Admission
from flyball.serving.edge.bounds import Bounds
from flyball.serving.edge.edge import Edge
from flyball.serving.edge.gate import Gate
from flyball.serving.edge.protocol import Connection
from flyball.serving.server import Server
from flyball.settings import Server as Settings
from raw_http import answered

TURNS = 60
"""Of the event loop, in which all that can be answered is."""


HEAD = b"POST /fish HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


def post(body: bytes = b"{}", *headers: bytes) -> bytes:
    """A whole request to the pond."""
    more = b"".join(header + b"\r\n" for header in headers)
    return HEAD + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


def bodies(said: bytes) -> list[Any]:
    """Of all answers of a connection, in their order."""
    found = []
    while said:
        answer = answered(said)
        found.append(json.loads(answer.body))
        said = answer.rest
    return found


def run(play: Callable[[], Awaitable[None]]) -> None:
    """A test's play; it must come to its end."""
    asyncio.run(asyncio.wait_for(_awaited(play), 60))


async def _awaited(play: Callable[[], Awaitable[None]]) -> None:
    await play()


class Pond:
    """An application that says what it was sent, and notes how it was asked.

    A body of ``fail`` is refused, ``crash`` is an error that nobody foresaw, ``split`` gets a
    header that cannot be sent, ``large`` an answer that pays to be compressed.

    Attributes:
        passes: the bodies of each pass of several; and
        alone: those of requests that came by themselves.
    """

    def __init__(self) -> None:
        self.passes: list[list[bytes]] = []
        self.alone: list[bytes] = []

    def together(self, calls: Sequence[Call]) -> list[Reply | Exception]:
        self.passes.append([call.body for call in calls])
        return [self._answer(call) for call in calls]

    async def handler(self, call: Call) -> Reply:
        self.alone.append(call.body)
        made = self._answer(call)
        if isinstance(made, Exception):
            raise made
        return made

    def _answer(self, call: Call) -> Reply | Exception:
        if call.body == b"fail":
            return InvalidRequest("there is no such fish")
        if call.body == b"crash":
            return ZeroDivisionError("secret inner detail")
        if call.body == b"split":
            return Reply(b"{}", headers=((b"x-fish", b"a\r\nb: c"),))
        if call.body == b"large":
            return Reply(b"[" + b"0," * 4000 + b"0]")
        return Reply(b'{"said": "%b"}' % call.body)


def an_edge(
    pond: Pond,
    *more: Endpoint,
    gate: Gate | None = None,
    admission: Admission | None = None,
    loopback: bool = True,
) -> Edge:
    """With the pond's endpoint at ``POST /fish``, and others."""
    router, app = APIRouter(), FastAPI()
    described: dict[str, Any] = {}
    fish = Endpoint(
        method="POST",
        path="/fish",
        handler=pond.handler,
        scope=Scope.READ,
        described=described,
        together=pond.together,
    )
    for endpoint in (fish, *more):
        add(router, endpoint)
    problems.install(app)
    app.include_router(router)
    return Edge(app, loopback=loopback, gate=gate, admission=admission)


def a_server(edge: Edge, settings: Settings | None = None, **bounds: Any) -> Server:
    """A worker's server that does not listen."""
    return Server(edge, lambda: None, settings=settings, bounds=Bounds(**bounds))


class Transport(asyncio.Transport):
    """One end of a connection; the other is the test."""

    def __init__(self, peer: str) -> None:
        super().__init__({"peername": (peer, 4711), "sockname": ("127.0.0.1", 80)})
        self.written = b""
        self.inbox: list[bytes] = []
        self.connection: Any = None
        self.closed = self.ended = self.deaf = False

    def write(self, data: Any) -> None:
        assert not self.closed, "nothing is written after the end"
        self.written += bytes(data)

    def write_eof(self) -> None:
        self.ended = True

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self.connection.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def pause_reading(self) -> None:
        self.deaf = True

    def resume_reading(self) -> None:
        self.deaf = False
        asyncio.get_running_loop().call_soon(self.arrive)

    def arrive(self) -> None:
        """What the client has sent comes, unless nobody reads."""
        while self.inbox and not self.deaf and not self.closed:
            self.connection.data_received(self.inbox.pop(0))


class Line:
    """A client's connection to a server."""

    def __init__(self, server: Server, peer: str = "127.0.0.1") -> None:
        self.server, self.transport = server, Transport(peer)
        self.connection = self.transport.connection = Connection(server.config, server.state)
        self.connection.connection_made(self.transport)

    @property
    def said(self) -> bytes:
        """All that the server said."""
        return self.transport.written

    def send(self, *parts: bytes) -> Line:
        """Each part arrives in one piece, one after the other, before anything is answered."""
        self.transport.inbox += parts
        self.transport.arrive()
        return self

    def leave(self) -> None:
        """Go away."""
        self.transport.closed = True
        self.connection.connection_lost(None)


async def settled(server: Server) -> None:
    """All that can be answered is."""
    await turns(lambda: not server.state.tasks and not _waiting(server))


async def turns(done: Callable[[], bool]) -> None:
    """Let the loop turn until something holds, or for a while."""
    await asyncio.sleep(0)
    for _ in range(TURNS):
        if done():
            break
        await asyncio.sleep(0)
    await asyncio.sleep(0)  # what was called back at the very end


def _waiting(server: Server) -> int:
    gathering = server.state.gathering
    return 0 if gathering is None else len(gathering._waiting)


def without_ids(said: bytes) -> bytes:
    """Without what differs between two answers to the same."""
    return re.sub(rb"urn:uuid:[0-9a-f-]{36}", b"urn:uuid:", said)
