"""What is sent: compressed where that pays, and not sent at all where the caller has it."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

from flyball.exchange import Reply

PAYS_FROM = 4096
"""Bytes from which compression saves more time on the wire than it costs."""

_GZIP_LEVEL = 1
_HeaderList = list[tuple[bytes, bytes]]


def packed(reply: Reply, asked: Mapping[bytes, bytes]) -> tuple[int, _HeaderList, bytes]:
    """Status, headers and body as they go out.

    Args:
        asked: the request's headers.
    """
    body = reply.body
    headers: _HeaderList = [(b"content-type", reply.media_type), *reply.headers]
    if reply.tagged and reply.status == 200:
        tag = b'W/"%s"' % blake2b(body, digest_size=12).hexdigest().encode()
        headers.append((b"etag", tag))
        headers.append((b"cache-control", b"private, no-cache"))
        if _knows(asked.get(b"if-none-match", b""), tag):
            return 304, headers, b""
    if len(body) >= PAYS_FROM:
        headers.append((b"vary", b"accept-encoding"))
        body = _compressed(body, asked.get(b"accept-encoding", b""), headers)
    headers.append((b"content-length", b"%d" % len(body)))
    return reply.status, headers, body


def _knows(said: bytes, tag: bytes) -> bool:
    if not said:
        return False
    strong = tag.removeprefix(b"W/")
    return any(each.strip().removeprefix(b"W/") in (strong, b"*") for each in said.split(b","))


def _compressed(body: bytes, accepted: bytes, headers: _HeaderList) -> bytes:
    """The body in the best encoding that the caller takes."""
    encodings = _accepted(accepted)
    if b"zstd" in encodings:
        import zstandard

        headers.append((b"content-encoding", b"zstd"))
        return zstandard.ZstdCompressor(level=1).compress(body)
    if b"gzip" in encodings:
        import gzip

        headers.append((b"content-encoding", b"gzip"))
        return gzip.compress(body, _GZIP_LEVEL, mtime=0)
    return body


def _accepted(said: bytes) -> set[bytes]:
    found = set()
    for part in said.split(b","):
        name, _, weight = part.partition(b";")
        if weight.replace(b" ", b"") not in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000"):
            found.add(name.strip().lower())
    return found
