"""Requests as bytes, good and broken, and what a server said to them."""

from __future__ import annotations

import gzip
import json
import random
import re
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

JSON = b"application/json"
RECOMMEND = (
    b'{"user_id": "player-3", "history": ["metroid", "portal"], "k": 5, "min_score": 0.01, '
    b'"filters": {"genres": ["puzzle"], "max_price": 20.5, "released_after": "2001-02-03", '
    b'"exclude": ["braid"]}, "context": {"page": "front"}}'
)
BATCH = b'{"user_ids": ["player-1", "player-2"], "k": 2, "diversity": 0.5}'
EVENTS = (
    b'[{"event_id": "event-1", "type": "purchase", "user_id": "player-3", "game_id": "metroid", '
    b'"value": 9.99, "timestamp": "2024-05-01T12:00:00Z"}]'
)
INFER = (
    b'{"inputs": [{"name": "user_id", "shape": [1], "datatype": "BYTES", "data": ["player-1"]}, '
    b'{"name": "k", "shape": [1], "datatype": "INT64", "data": [3]}], '
    b'"parameters": {"min_score": 0.01}}'
)
POSTED = {
    "/v1/recommendations": RECOMMEND,
    "/v1/recommendations/batch": BATCH,
    "/v1/events": EVENTS,
    "/v2/models/games/infer": INFER,
}
ASKED = (
    "/v1/recommendations/player-3?k=5&genres=puzzle&min_price=0",
    "/v1/why-not/player-3/metroid?k=3&max_age_rating=12",
    "/v1/games/metroid/similar?k=3&content=0.5",
    "/v1/search?q=prtal%202&k=3",
    "/v1/games?title=a&genre=puzzle&limit=3",
    "/v1/games/metroid",
)


def post(path: str, body: bytes, *headers: bytes, kind: bytes = JSON) -> bytes:
    """A whole request that says how long its body is."""
    length = b"Content-Length: %d" % len(body)
    return head("POST", path, *headers, b"Content-Type: " + kind, length) + body


def head(method: str, path: str, *headers: bytes) -> bytes:
    """A request's head, to be the last of its connection."""
    lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: 127.0.0.1", b"Connection: close"]
    return b"\r\n".join([*lines, *headers, b"", b""])


def good(*headers: bytes) -> list[bytes]:
    """One good request for each of the hot routes."""
    posts = [post(path, body, *headers) for path, body in POSTED.items()]
    form = b"grant_type=client_credentials&client_id=shop&client_secret=fc_wrong"
    signing_in = post("/auth/token", form, kind=b"application/x-www-form-urlencoded")
    return [*posts, *(head("GET", path, *headers) for path in ASKED), signing_in]


def flipped(rng: random.Random, sent: bytes) -> bytes:
    made = bytearray(sent)
    for _ in range(rng.randint(1, 4)):
        made[rng.randrange(len(made))] ^= 1 << rng.randrange(8)
    return bytes(made)


def removed(rng: random.Random, sent: bytes) -> bytes:
    start = rng.randrange(len(sent))
    return sent[:start] + sent[start + rng.randint(1, 12) :]


def inserted(rng: random.Random, sent: bytes) -> bytes:
    start = rng.randrange(len(sent))
    more = rng.choice([rng.randbytes(rng.randint(1, 9)), b"\r\n", b"\0", b"\n", b"  ", b"%", b":"])
    return sent[:start] + more + sent[start:]


def repeated(rng: random.Random, sent: bytes) -> bytes:
    start, size = rng.randrange(len(sent)), rng.randint(1, 60)
    return sent[:start] + sent[start : start + size] * rng.randint(2, 30) + sent[start:]


def cut_short(rng: random.Random, sent: bytes) -> bytes:
    return sent[: rng.randrange(1, len(sent))]


def in_a_row(rng: random.Random, sent: bytes) -> bytes:
    """Several on one connection, one of them broken."""
    kept = sent.replace(b"Connection: close\r\n", b"")
    return kept * rng.randint(1, 4) + flipped(rng, kept) + sent


def other_length(rng: random.Random, sent: bytes) -> bytes:
    """Says that its body is longer or shorter than it is."""
    said = rng.choice([b"0", b"1", b"-1", b"99", b"1e3", b"0x10", b"", b"18446744073709551617"])
    return re.sub(rb"Content-Length: \d+", b"Content-Length: " + said, sent)


def chunked(rng: random.Random, sent: bytes) -> bytes:
    """In chunks, of which some lie about their size."""
    opening, _, body = sent.partition(b"\r\n\r\n")
    opening = re.sub(rb"Content-Length: \d+", b"Transfer-Encoding: chunked", opening)
    parts, said = [], [b"%x", b"%x", b"%x;a=b", b"0%x", b"-%x", b"%x0", b"+%x", b"%xg", b" %x"]
    while body:
        size = rng.randint(1, 40)
        part, body = body[:size], body[size:]
        parts.append((rng.choice(said) % len(part)) + b"\r\n" + part + b"\r\n")
    return opening + b"\r\n\r\n" + b"".join(parts) + rng.choice([b"0\r\n\r\n", b"0\r\n", b"\r\n"])


MUTATIONS: Sequence[Callable[[random.Random, bytes], bytes]] = (
    flipped,
    removed,
    inserted,
    repeated,
    cut_short,
    in_a_row,
    other_length,
    chunked,
)
LONE = '"\\ud800"'
_VALUES = (
    "NaN Infinity -Infinity 1e400 -1e400 1e-400 -0 -0.0 01 1. .5 +1 0x10 1_000 null true [] {} "
    '"" "\\u0000" "\\uDC00\\uD800" "\\x41" "a\\u000ab" "\\u202e" "\ufeff" "9999-99-99" '
    '"9999-12-31T23:59:59-23:59" "0001-01-01T00:00:00+23:59" "2016-12-31T23:59:60Z" "2024-05-01" '
    '18446744073709551616 -9223372036854775809 1e15 1.0 69.0 [[[[]]]] [null] {"a":{}}'
)
VALUES = _VALUES.split()
LONG_VALUES = (
    "1" * 10_000,
    "-" + "9" * 10_000,
    "0." + "1" * 10_000,
    "1e" + "9" * 10_000,
    '"' + "a" * 100_000 + '"',
    '"' + "\\ud83d\\ude00" * 200 + '"',
    "[" * 100_000,
    "[" * 100_000 + "]" * 100_000,
    '{"a":' * 100_000 + "1" + "}" * 100_000,
    "[" + '"x",' * 100_001 + '"x"]',
    LONE,
)


def broken_bodies(rng: random.Random, body: bytes, most: int) -> list[bytes]:
    """Bodies like this one, each with something that JSON, UTF-8 or good sense does not have."""
    text = body.decode()
    places = [match.span(1) for match in re.finditer(r'[:\[,]\s*("[^"]*"|[\d.]+|\{|\[)', text)]
    made = [
        text.encode("utf-16"),
        text.encode("utf-32"),
        b"\xef\xbb\xbf" + body,
        gzip.compress(body),
        body + body,
        body + b"\0",
        body[:-1],
        b"",
        b" " * 10_000,
        text.replace('": ', '": "\\ud800", "k": ', 1).encode(),
        text.replace("{", '{"k": 1, "k": 2, "user_id": "a", "user_id": "b", ', 1).encode(),
        body.replace(b"a", b"\xff", 1),
        body.replace(b"a", b"\xc0\xaf", 1),
        body.replace(b"a", b"\xed\xa0\x80", 1),
        body.replace(b"a", b"\0", 1),
    ]
    for value in (*VALUES, *LONG_VALUES):
        start, end = rng.choice(places)
        made += [(text[:start] + value + text[end:]).encode(), value.encode()]
    while len(made) < most:
        made.append(rng.choice(MUTATIONS[:5])(rng, body))
    return made


@dataclass(frozen=True)
class Said:
    """One answer.

    Attributes:
        headers: by lower-case name.
        broken: it was not there to its end.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    broken: bool = False

    @property
    def well(self) -> bool:
        """Whether a client may be given this: no failure of the server's, errors as problems."""
        if self.broken or 100 <= self.status < 200:
            return not self.broken
        if self.status < 400:
            return self.headers["content-type"] == "application/json"
        if self.status >= 500 and self.status not in (501, 505):
            return False  # those two say that the request asks for another HTTP
        if self.headers.get("content-type") != "application/problem+json":
            return False
        problem = json.loads(self.body)
        whole = {"type", "title", "status", "detail", "instance"} <= problem.keys()
        return whole and problem["status"] == self.status


def answers(said: bytes) -> list[Said]:
    """All answers of a connection, one after the other; none of them may be longer than it says."""
    found = []
    while said:
        opening, end, rest = said.partition(b"\r\n\r\n")
        first, *lines = opening.decode("latin-1").split("\r\n")
        version, status, *_ = first.split(" ")
        assert (end, version) == (b"\r\n\r\n", "HTTP/1.1"), said[:300]
        headers = dict(line.lower().split(": ", 1) for line in lines)
        size = int(headers.get("content-length", 0))
        found.append(Said(int(status), headers, rest[:size], len(rest) < size))
        said = rest[size:]
    return found


def told(
    port: int, requests: Sequence[bytes], alive: Callable[[], None], *, idle_s: float
) -> list[list[Said]]:
    """Send each request on a connection of its own, all at once; what was said to each.

    Args:
        alive: asks the server something after all of them, and waits for the answer.
        idle_s: how long a connection that stays open may be silent before it is given up.
    """
    said: dict[socket.socket, bytearray] = {}
    with selectors.DefaultSelector() as selector:
        for request in requests:
            client = socket.create_connection(("127.0.0.1", port), timeout=20)
            said[client] = bytearray()
            with suppress(OSError):  # it was refused before it was all there, and told so
                client.sendall(request)
            selector.register(client, selectors.EVENT_READ)
        _read(selector, said, idle_s=idle_s)
        alive()
        _read(selector, said, idle_s=idle_s)
    for client in said:
        client.close()
    return [answers(bytes(each)) for each in said.values()]


def _read(
    selector: selectors.BaseSelector, said: dict[socket.socket, bytearray], *, idle_s: float
) -> None:
    """Read all there is, until nothing comes for so long, or all connections were ended."""
    deadline = time.monotonic() + 30
    while selector.get_map() and time.monotonic() < deadline:
        ready = selector.select(idle_s)
        if not ready:
            return
        for key, _ in ready:
            client = key.fileobj
            assert isinstance(client, socket.socket)
            try:
                part = client.recv(65536)
            except ConnectionResetError:
                part = b""
            said[client] += part
            if not part:
                selector.unregister(client)
