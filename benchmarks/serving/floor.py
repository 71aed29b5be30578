"""The floor: a protocol written by hand that decodes, scores and encodes, and nothing else.

No routing, no limits, no errors, no counting: what is left of a server when everything that makes
it one is taken away. uvloop and httptools, as uvicorn uses them; no framework, no ASGI.
"""

from __future__ import annotations

import asyncio
import gc
import socket
from typing import cast

import httptools
import msgspec
import uvloop

from benchmarks.serving.scoring import Best
from benchmarks.serving.worker import arguments, ready


class Asked(msgspec.Struct):
    """The request."""

    user_id: str
    k: int = 10


class Item(msgspec.Struct):
    """A recommended game."""

    game_id: str
    title: str
    score: float


class Answer(msgspec.Struct):
    """The answer."""

    items: list[Item]


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
_decode = msgspec.json.Decoder(Asked).decode
_encode = msgspec.json.Encoder().encode


def answered(best: Best, body: bytes) -> bytes:
    """From the body of a request to the body of its answer."""
    asked = _decode(body)
    ids, titles = best.ids, best.titles
    columns, scores = best.columns(asked.user_id, asked.k)
    items = [Item(ids[c], titles[c], score) for c, score in zip(columns, scores, strict=True)]
    return _encode(Answer(items))


class Floor(asyncio.Protocol):
    """One connection, kept alive; answers one request after the other."""

    def __init__(self, best: Best) -> None:
        self._best = best
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by name

    def data_received(self, data: bytes) -> None:
        """Bytes of requests."""
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        """httptools: a request begins."""
        self._body = b""

    def on_body(self, part: bytes) -> None:
        """httptools: a part of its body."""
        self._body += part

    def on_message_complete(self) -> None:
        """httptools: it is whole."""
        body = answered(self._best, self._body)
        self._transport.write(HEAD % len(body) + body)


async def serve(sock: socket.socket, best: Best) -> None:
    """Until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Floor(best), sock=sock, backlog=2048)
    gc.freeze()
    ready()
    await server.serve_forever()


def run(kind: type[Best]) -> None:
    """A worker on a socket that its parent listens on."""
    sock, data = arguments()
    uvloop.run(serve(sock, kind(data)))


if __name__ == "__main__":
    run(Best)
