"""uvicorn for the control process: web sockets too, an end that the process decides itself."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

DRAIN_S = 2
"""Seconds that requests in flight have to finish. Pages reconnect by themselves."""


class Server(uvicorn.Server):
    """Serves until ``stop``; leaves signals alone and calls ``on_started`` once it accepts."""

    def __init__(self, app: ASGIApp, on_started: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="uvloop",
                http="httptools",
                ws="websockets-sansio",
                lifespan="on",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=DRAIN_S,
            )
        )
        self._on_started = on_started

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to ``Stop``: uvicorn would raise them again at the end."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept."""
        await super().startup(sockets)
        if not self.should_exit:
            self._on_started()

    def stop(self) -> None:
        """End soon. May be called from a signal handler."""
        self.should_exit = True


class Stop:
    """Remembers SIGTERM and SIGINT from the moment it is made, and ends the server then."""

    def __init__(self) -> None:
        self.asked = False
        self._server: Server | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    def attach(self, server: Server) -> None:
        """From now on a signal ends this server; one that has come already does so at once."""
        self._server = server
        if self.asked:
            server.stop()

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
        if self._server is not None:
            self._server.stop()
