"""The HTTP server of one process: a socket, uvicorn on it, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any, cast

import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from flyball.errors import EnvironmentFailed
from flyball.serving.door import Door
from flyball.serving.edge import answer
from flyball.serving.edge.bounds import Bounds
from flyball.serving.edge.cross_origin import allowing
from flyball.serving.edge.edge import Edge
from flyball.serving.edge.gathering import Gathering
from flyball.serving.edge.phase import State
from flyball.serving.edge.protocol import Connection
from flyball.serving.memory import RECYCLED
from flyball.serving.tls import certificate_of
from flyball.settings import Server as ServerSettings

DRAIN_S = 10
"""Seconds that requests in flight have to finish after the first signal."""

LINGER_S = 1.0
"""Seconds that open connections have to send one more request, answered with ``close``."""

TICK_S = 0.1
"""Seconds that uvicorn sleeps between two looks at what is due."""

BACKLOG = 2048
OWN_FILES = 256
"""Open files that connections leave for the database, artifacts and journals."""


class Stop:
    """Set by SIGTERM and SIGINT from the moment it is made; a second signal hurries.

    Attributes:
        exit_code: of this process, once it has ended.
        asked: whether a signal has come. A plain flag and a pipe, because a signal handler must
            not take the lock of a ``threading.Event`` that its own thread may hold.
    """

    def __init__(self) -> None:
        self.asked = False
        self.exit_code = 0
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
        self._end(EnvironmentFailed.exit_code)

    def recycle(self) -> None:
        """End as a signal would; the supervisor starts a fresh process at once."""
        self._end(RECYCLED)

    def _end(self, code: int) -> None:
        self.exit_code = code
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
    """A worker's server: hard to hurt from outside, drained without a failed request.

    Args:
        app: what is served.
        on_started: called once it accepts, unless it is asked to end before.
        settings: its certificate, other origins, proxies.
        bounds: of clients.
        each_second: called from the event loop while it serves.

    Raises:
        ConfigurationError: the certificate cannot be used.
    """

    def __init__(
        self,
        app: Edge,
        on_started: Callable[[], None],
        *,
        settings: ServerSettings | None = None,
        bounds: Bounds | None = None,
        each_second: Sequence[Callable[[], None]] = (),
    ) -> None:
        settings = settings or ServerSettings()
        certificate = certificate_of(settings)
        self._always, self._each_second = answer.ALWAYS, list(each_second)
        secured: dict[str, Any] = {}
        if certificate is not None:
            self._always += answer.HSTS
            self._each_second.append(certificate.refresh)
            secured["ssl_context_factory"] = lambda *_: certificate.context
        super().__init__(
            allowing(app, settings.cors_origins),
            on_started,
            ws="none",
            lifespan="off",
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=settings.trusted_proxies,
            timeout_graceful_shutdown=DRAIN_S,
            **secured,
        )
        self.state = self.server_state = State(bounds or Bounds(connections=room()))
        self._next_second = self._last_tick = 0.0
        self._write_lines()
        app.admission.requests = self.state.tasks
        self.state.gathering = Gathering(app)
        if settings.trusted_proxies:
            self.state.proxies = ProxyHeadersMiddleware(
                cast(Any, app), settings.trusted_proxies
            ).trusted_hosts

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept."""
        self._doors = [
            Door(sock, lambda: Connection(self.config, self.state), self.config.ssl)
            for sock in sockets or ()
        ]
        self.servers = cast("list[Any]", self._doors)
        self._last_tick = time.monotonic()
        self.started = True
        if not self.should_exit:
            self._on_started()

    async def on_tick(self, _counter: int) -> bool:
        """What is due every tenth of a second, and each second; both are later under load."""
        now = time.monotonic()
        for door in self._doors:
            door.late(now - self._last_tick - TICK_S)
        self._last_tick = now
        due = now >= self._next_second
        asked = await super().on_tick(0 if due else 1)
        if due:
            self._next_second = now + 1.0
            self._write_lines()
            connections = cast("set[Connection]", self.state.connections)
            for connection in [one for one in connections if one.until < now]:
                connection.overdue(now)
            for call in self._each_second:
                call()
        return asked

    def _write_lines(self) -> None:
        """The headers of every answer."""
        dated = b"".join(b"%b: %b\r\n" % header for header in self.state.default_headers)
        self.state.lines = dated + self._always

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, answer what is open or on its way, then close."""
        for server in self.servers:
            server.close()
        # A client that just sent a request on an open connection must not find it closed: for a
        # moment such requests are still answered, and told to be the last of their connection.
        self.state.closing = True
        deadline = asyncio.get_running_loop().time() + LINGER_S
        while self.state.connections and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)


def room() -> int:
    """How many connections this process may hold; it may open as many files as it ever may now."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = Bounds().connections if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return max(most - OWN_FILES, most // 2)


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


def url_of(sock: socket.socket, *, tls: bool = False) -> str:
    """Where a listening socket is reached from this machine."""
    scheme = "https" if tls else "http"
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared only
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def announce(url: str) -> None:
    """The one line on standard output: this server is ready at ``url``."""
    sys.stdout.write(json.dumps({"url": url}) + "\n")
    sys.stdout.flush()
