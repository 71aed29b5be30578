"""One connection of a client: HTTP as uvicorn reads it, with bounds to what the other end may do.

Every bound is checked where the thing is read, at next to no cost. Those of time are checked by
one sweep a second over all connections (``overdue``): a request sets a deadline, and no timer.

llhttp, the parser, refuses by itself what proxies and servers read differently (request
smuggling): Content-Length beside Transfer-Encoding or twice, folded headers, blanks before the
colon, bare line feeds. What it lets pass and should not is refused by ``bounds.check_odd``.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import unquote

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

from flyball.exchange import Endpoint
from flyball.serving.edge import bounds as limits
from flyball.serving.edge.answer import Answer
from flyball.serving.edge.bounded import Bounded
from flyball.serving.edge.bounds import Refused, check_odd
from flyball.serving.edge.direct import Direct
from flyball.serving.edge.edge import ARRIVED
from flyball.serving.edge.gathering import Whole
from flyball.serving.edge.phase import Phase, State

_HEAD, _BODY, _ASKED, _OVER = Phase.HEAD, Phase.BODY, Phase.ASKED, Phase.OVER
_WAITING = (Phase.NEW, Phase.IDLE, Phase.HEAD)
_ALONE = frozenset({b"expect", b"upgrade", b"origin"})
"""Headers of requests that are answered alone: they need more than an answer."""


@dataclass(slots=True)
class _Held:
    """A request that may be answered with others, if all of it arrives at once."""

    endpoint: Endpoint
    given: dict[bytes, bytes]
    headers: list[tuple[bytes, bytes]]
    keep_alive: bool
    body: bytes = b""


class Connection(Bounded):
    """Reads requests, and has them answered in their order."""

    def __init__(
        self, config: Config, state: State, loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        super().__init__(config, state, loop)
        self.url, self.headers = b"", []
        self._chunk = 0  # bytes of what is being read
        self._before = 0  # bytes of this head, or this body, in earlier chunks; at most
        self._arrived = 0.0
        self._held: _Held | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        super().connection_made(cast("asyncio.Transport", transport))
        self.until = time.monotonic() + self.bounds.head_s
        if len(self.connections) > self.bounds.connections:
            self._make_room()

    def _make_room(self) -> None:
        """Give up a connection that only waits, or else this one."""
        waiting = (
            other
            for other in self.connections
            if isinstance(other, Connection) and other is not self and other.phase in _WAITING
        )
        given_up = next(waiting, self)
        self.connections.discard(given_up)
        given_up.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read what came."""
        if self.phase is _OVER:
            return
        self._chunk = len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            if self.cycle is not None:
                self.cycle.keep_alive = False  # answered as if it had not asked; then it is over
        except httptools.HttpParserError as error:
            why = error.__context__
            self.refuse(why if isinstance(why, Refused) else limits.malformed(_told(error)))
            return
        if self.phase is _HEAD or self.phase is _BODY:
            if self._held is not None:
                self._not_whole(self._held)
            self._unfinished()

    def _not_whole(self, held: _Held) -> None:
        """The rest of a request is not here yet: answer it alone."""
        self._held = None
        self._answer(held.headers, held.given, "1.1", held.keep_alive)
        self.on_body(held.body)

    def _unfinished(self) -> None:
        """More of the request is to come: hold what is here against the bounds."""
        self._before = max(self._before + self._chunk, 1)
        bounds = self.bounds
        if self.phase is _BODY:
            if self._before > bounds.wire or len(self.headers) > bounds.headers:
                self.refuse(limits.large_body(bounds))
        elif len(self.url) > bounds.url:
            self.refuse(limits.long_url(bounds))
        elif self._before > bounds.head or len(self.headers) > bounds.headers:
            self.refuse(limits.large_head(bounds))

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        now = time.monotonic()
        # Behind another request only a part of this chunk is ours; which, the parser does not say.
        self._before = -self._chunk if self.phase is _ASKED else 0
        self.phase, self.until = _HEAD, now + self.bounds.head_s
        self.url = b""
        self.headers = []
        self._arrived = now

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The whole head is here."""
        headers, parser = self.headers, self.parser
        self._check_size()
        version: str = parser.get_http_version()
        given = dict(headers)
        plain = (
            version == "1.1"
            and len(given) == len(headers)
            and b"transfer-encoding" not in given
            and b"host" in given
        )
        if not plain:
            check_odd(version, headers)
        keep_alive = version == "1.1" and parser.should_keep_alive()
        self._held = self._gathered(given, keep_alive) if plain else None
        if self._held is None:
            self._answer(headers, given, version, keep_alive)
        self.phase = _BODY
        self.until += self.bounds.body_s - self.bounds.head_s
        self._before = -self._chunk
        self.headers = []  # what comes after the body goes here: it is no header of the request

    def _gathered(self, given: dict[bytes, bytes], keep_alive: bool) -> _Held | None:
        """What is kept of a request that may be answered with others, if it comes whole."""
        gathering, before = self.server_state.gathering, self.cycle
        if (
            gathering is None
            or (before is not None and not before.response_complete)
            or self.flow.write_paused
            or not _ALONE.isdisjoint(given)
        ):
            return None
        endpoint = gathering.endpoint(self.parser.get_method(), self.url)
        return None if endpoint is None else _Held(endpoint, given, self.headers, keep_alive)

    def _answer(
        self,
        headers: list[tuple[bytes, bytes]],
        given: dict[bytes, bytes],
        version: str,
        keep_alive: bool,
    ) -> None:
        """Begin to answer through ASGI."""
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme or "http",
            "root_path": "",
            "headers": headers,
            "method": self.parser.get_method().decode("ascii"),
            "raw_path": url.path,
            "path": unquote(path) if "%" in path else path,
            "query_string": url.query or b"",
            ARRIVED: self._arrived,  # type: ignore[misc]
        }
        self._begin(keep_alive, given.get(b"expect", b"").lower() == b"100-continue")

    def _check_size(self) -> None:
        bounds = self.bounds
        if len(self.url) > bounds.url:
            raise limits.long_url(bounds)
        if len(self.headers) > bounds.headers:
            raise limits.large_head(bounds)
        if self._chunk > bounds.head or self._before > 0:  # else it cannot be too large
            size = sum(len(name) + len(value) + 4 for name, value in self.headers)
            if len(self.url) + size > bounds.head:
                raise limits.large_head(bounds)

    def _begin(self, keep_alive: bool, waits: bool) -> None:
        """Answer the request, or queue it behind those that came before on this connection."""
        before, state = self.cycle, self.server_state
        free = before is None or before.response_complete
        if not free and len(self.pipeline) >= self.bounds.pipelined:
            raise Refused(429, "too-many-requests", "too many requests wait on this connection")
        self.cycle = cycle = Answer(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=[],
            message_event=asyncio.Event(),
            expect_100_continue=waits,
            keep_alive=keep_alive and not state.closing,
            on_response=self.on_response_complete,
        )
        cycle.lines = state.lines
        if free:
            self._start_asgi_task(cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if self._held is not None:
            self._held.body += body
            return
        cycle = self.cycle
        assert isinstance(cycle, Answer)
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        self.phase, self.until = _ASKED, math.inf
        if self.flow.write_paused:  # else asking again would excuse who does not read
            self.until = time.monotonic() + self.bounds.read_s
        held, cycle = self._held, self.cycle
        if held is not None:
            self._held = None
            state = self.server_state
            keep_alive = held.keep_alive and not state.closing
            direct = self.cycle = Direct(
                self.transport, state, keep_alive, self.on_response_complete
            )
            address = self._address(held.given)
            assert state.gathering is not None
            state.gathering.put(
                Whole(
                    held.endpoint,
                    held.given,
                    held.body,
                    address,
                    self._arrived,
                    direct.send,
                    direct.gone,
                )
            )
            return
        assert isinstance(cycle, Answer)
        cycle.more_body = False
        cycle.message_event.set()

    def _address(self, given: Mapping[bytes, bytes]) -> str:
        """Where a request comes from; what a trusted proxy says of it."""
        host, proxies = self.client[0] if self.client else "", self.server_state.proxies
        said = given.get(b"x-forwarded-for")
        if proxies is None or said is None or host not in proxies:
            return host
        told: str = proxies.get_trusted_client_address(said.decode("latin-1"))[0]
        return told or host


def _told(error: httptools.HttpParserError) -> str:
    """What the parser says; nothing of what the client sent."""
    told = str(error.args[0]) if error.args else "it"
    told = told if told.isascii() and "b'" not in told else "it cannot be read"
    return f"this is no request of HTTP/1.1: {told}"
