"""How much one request may carry, and that it says what it carries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from flyball.errors import InvalidRequest

MOST_BYTES = 8 * 1024 * 1024
"""Bytes of a request's body; about 40,000 events."""


class BodyTooLarge(InvalidRequest):
    """The body is larger than a request may carry."""

    status: ClassVar[int] = 413
    title: ClassVar[str] = "The body is too large"

    def __init__(self) -> None:
        super().__init__(f"a request may carry at most {MOST_BYTES:,} bytes; send less in one")


class NotJson(InvalidRequest):
    """The request does not declare a body of JSON."""

    status: ClassVar[int] = 415
    title: ClassVar[str] = "The request is not JSON"


def check_length(headers: Mapping[bytes, bytes]) -> None:
    """Refuse what is declared to be too large before any of it is read.

    Raises:
        BodyTooLarge: it is.
    """
    declared = headers.get(b"content-length", b"0")
    if declared.isdigit() and int(declared) > MOST_BYTES:
        raise BodyTooLarge


def check_json(headers: Mapping[bytes, bytes]) -> None:
    """Whether the body is said to be JSON.

    Raises:
        NotJson: a browser lets any page post other types to a local server.
    """
    said = headers.get(b"content-type", b"")
    if said == b"application/json":
        return
    kind = said.partition(b";")[0].strip().lower().decode("latin-1")
    if kind != "application/json" and not kind.endswith("+json"):
        found = f"the Content-Type is {kind!r}" if kind else "there is no Content-Type"
        raise NotJson(f"{found}; send JSON with the header Content-Type: application/json")


async def whole_body(receive: Receive) -> bytes:
    """The body.

    Raises:
        BodyTooLarge: more arrives than a request may carry.
        ClientDisconnect: the caller went away.
    """
    message = await receive()
    body: bytes = _part(message)
    arrived = len(body)
    parts = [body]
    while message.get("more_body") and arrived <= MOST_BYTES:
        message = await receive()
        parts.append(_part(message))
        arrived += len(parts[-1])
    if arrived > MOST_BYTES:
        raise BodyTooLarge
    return body if len(parts) == 1 else b"".join(parts)


def counted(receive: Receive) -> Receive:
    """``receive`` that refuses to bring more than a request may carry."""
    arrived = 0

    async def limited() -> Message:
        nonlocal arrived
        message = await receive()
        arrived += len(message.get("body", b""))
        if arrived > MOST_BYTES:
            raise BodyTooLarge
        return message

    return limited


def _part(message: Message) -> bytes:
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    part: bytes = message.get("body", b"")
    return part
