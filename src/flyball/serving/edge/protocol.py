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
from typing import cast
from urllib.parse import unquote

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from flyball.serving.edge import bounds as bounded
from flyball.serving.edge.answer import Answer, refused
from flyball.serving.edge.bounds import Refused, check_odd
from flyball.serving.edge.edge import ARRIVED
from flyball.serving.edge.phase import Phase, State

_HEAD, _BODY, _ASKED, _IDLE, _OVER = Phase.HEAD, Phase.BODY, Phase.ASKED, Phase.IDLE, Phase.OVER
_WAITING = (Phase.NEW, Phase.IDLE, Phase.HEAD)


class Connection(HttpToolsProtocol):
    """uvicorn's protocol, bounded.

    Attributes:
        phase: what is awaited of the client.
        until: by when, on ``time.monotonic``; infinite where nothing is.
    """

    server_state: State
    cycle: Answer | None  # type: ignore[assignment]

    def __init__(
        self, config: Config, state: State, loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        super().__init__(config, state, {}, loop)
        self.bounds = state.bounds
        self.phase, self.until = Phase.NEW, math.inf
        self.url, self.headers = b"", []
        self._chunk = 0  # bytes of what is being read
        self._before = 0  # bytes of this head, or this body, in earlier chunks; at most

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
            self.refuse(why if isinstance(why, Refused) else bounded.malformed(_told(error)))
            return
        if self.phase is _HEAD or self.phase is _BODY:
            self._unfinished()

    def _unfinished(self) -> None:
        """More of the request is to come: hold what is here against the bounds."""
        self._before = max(self._before + self._chunk, 1)
        bounds = self.bounds
        if self.phase is _BODY:
            if self._before > bounds.wire or len(self.headers) > bounds.headers:
                self.refuse(bounded.large_body(bounds))
        elif len(self.url) > bounds.url:
            self.refuse(bounded.long_url(bounds))
        elif self._before > bounds.head or len(self.headers) > bounds.headers:
            self.refuse(bounded.large_head(bounds))

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        now = time.monotonic()
        # Behind another request only a part of this chunk is ours; which, the parser does not say.
        self._before = -self._chunk if self.phase is _ASKED else 0
        self.phase, self.until = _HEAD, now + self.bounds.head_s
        self.url = b""
        self.headers = []
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": "",
            "headers": self.headers,
            ARRIVED: now,  # type: ignore[misc]
        }

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The whole head is here: begin to answer."""
        scope, headers, parser = self.scope, self.headers, self.parser
        self._check_size()
        version: str = parser.get_http_version()
        given = dict(headers)
        if (
            version != "1.1"
            or len(given) < len(headers)
            or b"transfer-encoding" in given
            or b"host" not in given
        ):
            check_odd(version, headers)
            scope["http_version"] = version
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        scope["method"] = parser.get_method().decode("ascii")
        scope["raw_path"] = url.path
        scope["path"] = unquote(path) if "%" in path else path
        scope["query_string"] = url.query or b""
        waits = given.get(b"expect", b"").lower() == b"100-continue"
        self._begin(version == "1.1" and parser.should_keep_alive(), waits)
        self.phase = _BODY
        self.until += self.bounds.body_s - self.bounds.head_s
        self._before = -self._chunk
        self.headers = []  # what comes after the body goes here: it is no header of the request

    def _check_size(self) -> None:
        bounds = self.bounds
        if len(self.url) > bounds.url:
            raise bounded.long_url(bounds)
        if len(self.headers) > bounds.headers:
            raise bounded.large_head(bounds)
        if self._chunk > bounds.head or self._before > 0:  # else it cannot be too large
            size = sum(len(name) + len(value) + 4 for name, value in self.headers)
            if len(self.url) + size > bounds.head:
                raise bounded.large_head(bounds)

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
        cycle = self.cycle
        assert cycle is not None
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        cycle = self.cycle
        assert cycle is not None
        cycle.more_body = False
        cycle.message_event.set()
        self.phase, self.until = _ASKED, math.inf

    def on_response_complete(self) -> None:
        """The last byte of an answer was given to the transport."""
        self.server_state.total_requests += 1
        now = time.monotonic()
        if self.transport.is_closing():
            self.phase, self.until = Phase.CLOSED, now + self.bounds.linger_s
        elif self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
            if self.phase is _BODY:
                self.until = now + self.bounds.body_s
        elif self.phase is _BODY:
            self._over()  # it was answered before it was here: nobody reads the rest
        else:
            self.flow.resume_reading()
            if self.phase is _ASKED:
                self.phase, self.until = _IDLE, now + self.bounds.idle_s

    def refuse(self, why: Refused) -> None:
        """Say why this request is not read on, once those before it are answered; then end."""
        cycle = self.cycle
        now = time.monotonic()
        if cycle is not None and not cycle.response_complete:
            if self.phase is not _BODY or self.pipeline:
                cycle.keep_alive = False
                self.phase, self.until = _OVER, now + self.bounds.read_s
                return  # what is answered belongs to requests before it
            cycle.disconnected = True  # nobody answers it but we, here
            cycle.message_event.set()
            if cycle.response_started:
                self._close()
                return
        self.transport.write(refused(why, self.server_state.lines))
        self._over()

    def _over(self) -> None:
        """Nothing more is read or written; leave the client time to read the last answer.

        A closed socket would answer what still arrives with a reset, at which the client's side
        throws away what it has not read.
        """
        self.phase, self.until = _OVER, time.monotonic() + self.bounds.linger_s
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _close(self) -> None:
        self.phase, self.until = Phase.CLOSED, time.monotonic() + self.bounds.linger_s
        self.transport.close()

    def overdue(self, now: float) -> None:
        """``until`` has passed: the client is too slow, or there is nobody any more."""
        bounds = self.bounds
        if self.flow.write_paused or self.phase in (_OVER, Phase.CLOSED):
            self.transport.abort()
        elif self.flow.read_paused:
            self.until = now + bounds.body_s  # it is we who are slow
        elif self.phase is _HEAD:
            self.refuse(bounded.slow(bounds.head_s, "the head of the request"))
        elif self.phase is _BODY:
            self.refuse(bounded.slow(bounds.body_s, "the whole request"))
        else:
            self._close()

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        super().pause_writing()
        self.until = time.monotonic() + self.bounds.read_s

    def resume_writing(self) -> None:
        """The client has read."""
        super().resume_writing()
        waits = math.inf if self.phase is _ASKED else self.bounds.body_s
        self.until = time.monotonic() + waits


def _told(error: httptools.HttpParserError) -> str:
    """What the parser says; nothing of what the client sent."""
    told = str(error.args[0]) if error.args else "it"
    told = told if told.isascii() and "b'" not in told else "it cannot be read"
    return f"this is no request of HTTP/1.1: {told}"
