"""A small HTTP server on a thread: a test writes its every answer, or failure to answer."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """A request as it came; ``head`` and ``body`` are its bytes."""

    number: int
    method: str
    path: str
    headers: Mapping[str, str]
    head: bytes
    body: bytes


Behaviour = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Flaky:
    """Where it listens, and what was asked so far."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)

    def paths(self) -> list[str]:
        return [request.path.partition("?")[0] for request in self.requests]


@contextmanager
def flaky(behave: Behaviour, context: ssl.SSLContext | None = None) -> Iterator[Flaky]:
    """A server that behaves so, until the block ends; with ``context`` it speaks TLS."""
    seen, started = Flaky(), threading.Event()
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        open_ones: set[asyncio.StreamWriter] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            open_ones.add(writer)
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while not writer.is_closing():
                    request = await _read(reader, len(seen.requests))
                    seen.requests.append(request)
                    await behave(request, writer)
            writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
        scheme = "http" if context is None else "https"
        seen.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ended = asyncio.Event()
        running.append((asyncio.get_running_loop(), ended))
        started.set()
        await ended.wait()
        server.close()
        for writer in open_ones:
            writer.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert started.wait(10)
        yield seen
    finally:
        for loop, ended in running:
            loop.call_soon_threadsafe(ended.set)
        thread.join()


async def _read(reader: asyncio.StreamReader, number: int) -> Request:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    method, path, _ = first.split(" ")
    return Request(number, method, path, headers, head, body)


async def answer(
    writer: asyncio.StreamWriter,
    body: Any = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Answer with JSON."""
    content = json.dumps(body).encode()
    kind = "application/json" if status < 400 else "application/problem+json"
    told = {"content-type": kind, "content-length": str(len(content)), **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    writer.write(f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode() + content)
    await writer.drain()


async def passed_on(request: Request, upstream: str) -> bytes:
    """The whole answer of another server to a request."""
    host, port = upstream.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    last = request.head[:-2] + b"connection: close\r\n\r\n"
    writer.write(last.replace(b"Connection: keep-alive\r\n", b"") + request.body)
    await writer.drain()
    whole = await reader.read()
    writer.close()
    return whole
