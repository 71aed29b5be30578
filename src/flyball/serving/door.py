"""Lets connections in: as many at a time as the event loop is late.

libuv accepts one connection each time the loop comes round. Under load that is a few times a
second, so a new caller, such as a probe, would wait for minutes behind others. Many at a time
would be wrong where workers share a socket: the first to wake would take all.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog

MOST_AT_ONCE = 64
STEP_S = 0.002
"""For each such part of a second that the loop is late, one more connection at a time."""

PAUSE_S = 0.1
SILENT_S = 60.0
"""Between two lines in the log that say the same."""

HANDSHAKE_S = 10.0
"""Seconds that a client has for the handshake of TLS."""

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Door:
    """A listening socket, as long as connections are let in.

    Args:
        sock: it listens.
        connection: makes the protocol of each.
        context: for TLS.
    """

    def __init__(
        self,
        sock: socket.socket,
        connection: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext | None,
    ) -> None:
        self._sock, self._connection, self._context = sock, connection, context
        self._loop = asyncio.get_running_loop()
        self._at_once = 1
        self._silent_until = 0.0
        self._coming: set[asyncio.Task[Any]] = set()
        self._pause: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        self._open()

    def late(self, seconds: float) -> None:
        """The loop came round so much later than it should."""
        self._at_once = min(MOST_AT_ONCE, 1 + int(seconds / STEP_S))

    def close(self) -> None:
        """Let nobody in any more."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._sock)

    async def wait_closed(self) -> None:
        """It is closed at once."""

    def _open(self) -> None:
        self._pause = None
        self._loop.add_reader(self._sock, self._accept)

    def _accept(self) -> None:
        for _ in range(self._at_once):
            try:
                client, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._rest(error)
                    return
                continue  # it has gone away already
            client.setblocking(False)
            task = self._loop.create_task(self._let_in(client))
            self._coming.add(task)
            task.add_done_callback(self._coming.discard)

    def _rest(self, error: OSError) -> None:
        """There are no open files left: the kernel holds callers while some are closed."""
        now = self._loop.time()
        if now >= self._silent_until:
            self._silent_until = now + SILENT_S
            structlog.get_logger("flyball.worker").warning(
                "connections are accepted only as others end", why=error.strerror
            )
        self._loop.remove_reader(self._sock)
        self._pause = self._loop.call_later(PAUSE_S, self._open)

    async def _let_in(self, client: socket.socket) -> None:
        seconds = None if self._context is None else HANDSHAKE_S
        with suppress(OSError, TimeoutError):  # of a handshake: nobody to answer
            await self._loop.connect_accepted_socket(
                self._connection,
                client,
                ssl=self._context,
                ssl_handshake_timeout=seconds,
                ssl_shutdown_timeout=seconds,
            )
            return
        client.close()
