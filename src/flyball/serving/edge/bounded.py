"""A connection that ends where its client does more than it may, or nothing for too long."""

from __future__ import annotations

import asyncio
import math
import time

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from flyball.serving.edge import bounds as limits
from flyball.serving.edge.answer import Answer, refused
from flyball.serving.edge.bounds import Refused
from flyball.serving.edge.direct import Direct
from flyball.serving.edge.phase import Phase, State

_BODY, _ASKED, _IDLE, _OVER = Phase.BODY, Phase.ASKED, Phase.IDLE, Phase.OVER


class Bounded(HttpToolsProtocol):
    """uvicorn's protocol, bounded.

    Attributes:
        phase: what is awaited of the client.
        until: by when, on ``time.monotonic``; infinite where nothing is.
    """

    server_state: State
    cycle: Answer | Direct | None  # type: ignore[assignment]

    def __init__(
        self, config: Config, state: State, loop: asyncio.AbstractEventLoop | None
    ) -> None:
        super().__init__(config, state, {}, loop)
        self.bounds = state.bounds
        self.phase, self.until = Phase.NEW, math.inf

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
        elif self.phase is Phase.HEAD:
            self.refuse(limits.slow(bounds.head_s, "the head of the request"))
        elif self.phase is _BODY:
            self.refuse(limits.slow(bounds.body_s, "the whole request"))
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
