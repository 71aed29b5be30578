"""What a client may do on a connection, and what it is told when it does more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flyball.serving.edge.body import MOST_BYTES

_VERSIONS = frozenset({"1.0", "1.1"})
_ONCE = (b"host", b"authorization", b"x-api-key", b"content-type", b"transfer-encoding")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a client may do.

    Attributes:
        url, head: bytes of the request's target; of it and the headers together.
        headers: how many.
        wire: bytes of one request, its framing included.
        pipelined: requests that may wait on one connection behind the one being answered.
        head_s: seconds from the first byte of a head to its last, and for a new connection.
        body_s: the same for the whole request.
        idle_s: between two requests.
        read_s: in which what was sent must have been read.
        linger_s: in which a client may read the last answer of a connection.
        connections: of one worker; one that only waits is given up for a new one.
    """

    url: int = 8 * 1024
    head: int = 32 * 1024
    headers: int = 100
    wire: int = 2 * MOST_BYTES
    pipelined: int = 32
    head_s: float = 10.0
    body_s: float = 30.0
    idle_s: float = 30.0
    read_s: float = 30.0
    linger_s: float = 2.0
    connections: int = 100_000


class Refused(Exception):
    """This request is not read on.

    Args:
        status: of the answer.
        kind: of the problem.
        detail: what is wrong with the request, and what to send instead.
    """

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail


def long_url(bounds: Bounds) -> Refused:
    """Its target is too long."""
    detail = f"the address may be {bounds.url:,} bytes long at most; send a POST with a body"
    return Refused(414, "url-too-long", detail)


def large_head(bounds: Bounds) -> Refused:
    """It has too many headers, or too large ones."""
    most = f"{bounds.headers} headers and {bounds.head:,} bytes"
    return Refused(431, "headers-too-large", f"the head of a request may be {most} at most")


def large_body(bounds: Bounds) -> Refused:
    """It does not end."""
    detail = f"a request may be {bounds.wire:,} bytes at most, framing included; send less in one"
    return Refused(413, "body-too-large", detail)


def slow(seconds: float, what: str) -> Refused:
    """It does not come in time."""
    return Refused(408, "too-slow", f"{what} did not arrive within {seconds:g} s; try again")


def malformed(detail: str) -> Refused:
    """It is no HTTP, or may be read in two ways."""
    return Refused(400, "malformed", detail)


def check_odd(version: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Refuse a head which the parser takes and others may read differently.

    Args:
        version: of HTTP, as the request says.
        headers: all, with lower-case names.

    Raises:
        Refused: it is one.
    """
    if version not in _VERSIONS:
        raise Refused(505, "http-version", "this server speaks HTTP/1.1 and HTTP/1.0")
    names = [name for name, _ in headers]
    for name in _ONCE:
        if names.count(name) > 1:
            raise malformed(f"the header {name.decode()} is given more than once; send one")
    given: Mapping[bytes, bytes] = dict(headers)
    if version == "1.1" and b"host" not in given:
        raise malformed("there is no Host header; HTTP/1.1 needs one")
    coding = given.get(b"transfer-encoding")
    if coding is not None and version == "1.0":
        raise malformed("HTTP/1.0 knows no Transfer-Encoding; send a Content-Length")
    if coding is not None and coding.lower() != b"chunked":
        raise Refused(501, "transfer-encoding", "no Transfer-Encoding but chunked is read here")
