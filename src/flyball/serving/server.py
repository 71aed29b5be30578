"""The HTTP server of one process: a socket, uvicorn on it, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import structlog
import uvicorn
from starlette.types import ASGIApp

from flyball.errors import EnvironmentFailed

DRAIN_S = 10
"""Seconds that requests in flight have to finish after the first signal."""

LINGER_S = 1.0
"""Seconds that open connections have to send one more request, answered with ``close``."""

BACKLOG = 2048


class Stop:
    """Set by SIGTERM and SIGINT from the moment it is made; a second signal hurries.

    Attributes:
        failed: whether it was not a signal but a thread of ours that died.
        asked: whether a signal has come. A plain flag and a pipe, because a signal handler must
            not take the lock of a ``threading.Event`` that its own thread may hold.
    """

    def __init__(self) -> None:
        self.asked = False
        self.failed = False
        self._server: OwnEnd | None = None
        self._read_end, self._write_end = os.pipe()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    def attach(self, server: OwnEnd) -> None:
        """From now on a signal ends this server."""
        self._server = server
        if self.asked:
            server.should_exit = True

    def wait(self, seconds: float) -> bool:
        """Wait so long for a signal; whether one has come."""
        select.select([self._read_end], [], [], seconds)
        return self.asked

    def thread_failed(self, failure: threading.ExceptHookArgs) -> None:
        """For ``threading.excepthook``: a worker with a dead thread ends, and is started anew."""
        structlog.get_logger("flyball.worker").error(
            "a thread failed unexpectedly; this process drains and ends",
            thread=failure.thread.name if failure.thread is not None else "",
            exc_info=failure.exc_value,
        )
        self.failed = True
        os.kill(os.getpid(), signal.SIGTERM)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self._server is not None:
            self._server.force_exit = self.asked
            self._server.should_exit = True
        if not self.asked:
            self.asked = True
            os.write(self._write_end, b".")


class OwnEnd(uvicorn.Server):
    """uvicorn that logs little, tells when it accepts, and leaves signals to ``Stop``.

    Args:
        app: what is served.
        on_started: called once it accepts, unless it is asked to end before.
        config: more of ``uvicorn.Config``.
    """

    def __init__(self, app: ASGIApp, on_started: Callable[[], None], **config: Any) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="uvloop",
                http="httptools",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                **config,
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


class Server(OwnEnd):
    """A worker's server, drained without a failed request."""

    def __init__(self, app: ASGIApp, on_started: Callable[[], None]) -> None:
        super().__init__(
            app,
            on_started,
            ws="none",
            lifespan="off",
            backlog=BACKLOG,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=DRAIN_S,
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, answer what is open or on its way, then close."""
        for server in self.servers:
            server.close()
        # A client that just sent a request on an open connection must not find it closed: for a
        # moment such requests are still answered, and told to be the last of their connection.
        self.server_state.default_headers = [
            *self.server_state.default_headers,
            (b"connection", b"close"),
        ]
        deadline = asyncio.get_running_loop().time() + LINGER_S
        while self.server_state.connections and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)


def listening(host: str, port: int, *, option: str = "--port") -> socket.socket:
    """A socket that listens on a port; 0 takes a free one.

    Args:
        option: named by the error, as what to change.

    Raises:
        EnvironmentFailed: the port is in use, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise EnvironmentFailed(
            f"cannot listen on port {port} of {host}: {os.strerror(error.errno or 0)}; stop the "
            f"process that holds it, or choose another with {option} (0 takes a free one)"
        ) from error


def inherited(fd: int) -> socket.socket:
    """The listening socket that the parent left at this file descriptor.

    Raises:
        EnvironmentFailed: there is none.
    """
    try:
        found = socket.socket(fileno=fd)
        if not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise OSError("it does not listen")
    except OSError as error:
        raise EnvironmentFailed(f"file descriptor {fd} is no listening socket: {error}") from error
    return found


def url_of(sock: socket.socket) -> str:
    """Where a listening socket is reached from this machine."""
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared only
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def announce(url: str) -> None:
    """The one line on standard output: this server is ready at ``url``."""
    sys.stdout.write(json.dumps({"url": url}) + "\n")
    sys.stdout.flush()
