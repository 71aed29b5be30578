"""Reading requests: whatever was sent is understood, or refused with a reason; never a crash."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request

from flyball.errors import InvalidRequest


class NotJson(InvalidRequest):
    """The request does not declare a body of JSON."""

    status: ClassVar[int] = 415
    title: ClassVar[str] = "The request is not JSON"


async def body_of(request: Request) -> bytes:
    """The body of a request; how much it may carry is the server's business.

    Raises:
        NotJson: a browser lets any page post other types to a local server.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        found = f"the Content-Type is {kind}" if kind else "there is no Content-Type"
        raise NotJson(f"{found}; send JSON with the header Content-Type: application/json")
    return await request.body()


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


def several(query: QueryParams, lists: frozenset[str]) -> dict[str, Any]:
    """Query parameters by name: all values of those named in ``lists``, the last of the others."""
    return {name: query.getlist(name) if name in lists else query[name] for name in query}


def read_texts(type_: type[S], texts: dict[str, Any]) -> S:
    """Read path or query parameters, which are all text. Unknown ones are passed over.

    Raises:
        InvalidRequest: one does not fit; says which.
    """
    try:
        return msgspec.convert(texts, type_, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"{error}; see /docs for what this endpoint takes") from error
