"""Reading requests: whatever was sent is understood, or refused with a reason; never a crash."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

import msgspec
from starlette.requests import Request

from flyball.errors import InvalidRequest

MAX_BODY_BYTES = 8 * 2**20
"""A larger request is refused before it is read whole."""


class TooLarge(InvalidRequest):
    """The body of a request is larger than the server takes."""

    status: ClassVar[int] = 413
    title: ClassVar[str] = "The request is too large"


class NotSaidToBeJson(InvalidRequest):
    """The request does not declare a body of JSON."""

    status: ClassVar[int] = 415
    title: ClassVar[str] = "The request is not JSON"


async def body_of(request: Request) -> bytes:
    """The body of a request, read no further than the limit.

    Raises:
        TooLarge: it is larger than ``MAX_BODY_BYTES``.
        NotSaidToBeJson: a browser lets any page post other types to a local server.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise NotSaidToBeJson(
            f"the body is said to be {kind or 'of no type'}; send JSON with the header "
            "Content-Type: application/json"
        )
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise TooLarge(f"the body is larger than {MAX_BODY_BYTES} bytes; send fewer at once")
        parts.append(part)
    return b"".join(parts)


S = TypeVar("S")


def read(decoder: msgspec.json.Decoder[S], body: bytes | msgspec.Raw) -> S:
    """Decode JSON.

    Raises:
        InvalidRequest: it is not JSON, or not of that shape; says where.
    """
    try:
        return decoder.decode(body)
    except RecursionError as error:
        raise InvalidRequest("the JSON is nested too deeply; send a flat document") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{error}; see /docs for what this endpoint takes") from error


def read_texts(type_: type[S], texts: dict[str, Any]) -> S:
    """Read path or query parameters, which are all text. Unknown ones are passed over.

    Raises:
        InvalidRequest: one does not fit; says which.
    """
    try:
        return msgspec.convert(texts, type_, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"{error}; see /docs for what this endpoint takes") from error
