"""Blocking connections on which a whole exchange has one deadline.

A timeout of a socket bounds one read. A server that sends a byte now and then would hold a caller
for as long as it likes; here each read may only take what is left.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

_OVER = "the time was over"


class Deadline(threading.local):
    """When the exchange of this thread must have ended, on ``time.monotonic``."""

    at: float | None = None

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """While inside, connections of this thread wait no longer than this."""
        self.at = time.monotonic() + seconds
        try:
            yield
        finally:
            self.at = None

    def left(self, asked: float | None) -> float | None:
        """Seconds for one operation that would wait for ``asked``; None: as long as it takes."""
        if self.at is None:
            return asked
        left = self.at - time.monotonic()
        return left if asked is None else min(asked, left)


class Transport(httpx.BaseTransport):
    """httpx's way to the network, under a deadline. Answers come whole. Thread-safe.

    Args:
        connections: kept open at most.
        verify: how certificates are verified; None: by those of the package ``certifi``.
    """

    def __init__(self, *, connections: int, verify: ssl.SSLContext | None) -> None:
        self.deadline = Deadline()
        self._pool = httpcore.ConnectionPool(
            ssl_context=verify,
            max_connections=connections,
            keepalive_expiry=5.0,
            network_backend=_Backend(self.deadline),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and read its whole answer."""
        url = request.url
        asked = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=request.headers.raw,
            content=request.content,
            extensions={"timeout": {"pool": self.deadline.left(None)}},
        )
        answer = self._pool.handle_request(asked)
        try:
            body = answer.read()
        finally:
            answer.close()  # the connection goes back to the others, or away
        return httpx.Response(answer.status, headers=answer.headers, content=body)

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


class _Backend(httpcore.NetworkBackend):
    """Opens connections that heed the deadline."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._real = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = self._deadline.left(timeout)
        if left is not None and left <= 0.0:
            raise httpcore.ConnectTimeout(_OVER)
        stream = self._real.connect_tcp(host, port, left, local_address, socket_options)
        return _Stream(stream, self._deadline)


class _Stream(httpcore.NetworkStream):
    """A connection that heeds the deadline."""

    def __init__(self, real: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._real, self._deadline = real, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = self._deadline.left(timeout)
        if left is not None and left <= 0.0:
            raise httpcore.ReadTimeout(_OVER)
        return self._real.read(max_bytes, left)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        left = self._deadline.left(timeout)
        if left is not None and left <= 0.0:
            raise httpcore.WriteTimeout(_OVER)
        self._real.write(buffer, left)

    def close(self) -> None:
        self._real.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = self._deadline.left(timeout)
        if left is not None and left <= 0.0:
            raise httpcore.ConnectTimeout(_OVER)
        return _Stream(self._real.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._real.get_extra_info(info)
