"""HTTP as bytes, for tests that send what no client would."""

from __future__ import annotations

import json
from dataclasses import dataclass

QUICK = {"head_s": 1.0, "body_s": 2.0, "idle_s": 2.0, "read_s": 2.0, "linger_s": 1.0}
"""Bounds of the product, but quicker."""

HOST = b"Host: 127.0.0.1\r\n"
GET = b"GET /echo HTTP/1.1\r\n" + HOST
POST = b"POST /echo HTTP/1.1\r\nContent-Type: application/json\r\n" + HOST
GATHERED = POST.replace(b"/echo", b"/gathered")
"""To an endpoint that answers those together who ask at the same moment."""


def gathered(request: bytes) -> bytes:
    """The same request, to that endpoint."""
    found = request.replace(POST, GATHERED).replace(GET, GATHERED)
    return found.replace(b"GET /echo", b"POST /gathered").replace(b"POST /echo", b"POST /gathered")


@dataclass
class Answered:
    """The first answer on a connection."""

    status: int
    headers: dict[str, str]
    body: bytes
    rest: bytes

    def problem(self, status: int) -> str:
        """The problem's detail; it must be a whole problem with this status."""
        assert self.status == status
        assert self.headers["content-type"] == "application/problem+json"
        assert self.headers["connection"] == "close"
        assert self.headers["x-content-type-options"] == "nosniff"
        assert self.headers["cache-control"] == "no-store"
        document = json.loads(self.body)
        assert document["status"] == status
        assert document["type"].startswith("urn:flyball:problem:")
        return document["detail"]


def answered(said: bytes) -> Answered:
    head, _, rest = said.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    size = int(headers["content-length"])
    return Answered(int(lines[0].split()[1]), headers, rest[:size], rest[size:])
