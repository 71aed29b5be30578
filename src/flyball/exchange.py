"""One HTTP request and its answer, as an application's plain endpoints see them.

A plain endpoint costs what it does and nothing more: it takes a ``Call`` and gives a ``Reply``.
The worker's edge has authenticated the caller, read the body and knows the deadline before; it
answers errors as problems, and compresses and marks what it sends. ``add`` puts the endpoint on a
FastAPI router: so it is routed and documented beside all others.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qs

from flyball.domain.access import ANYONE, Caller, Scope

if TYPE_CHECKING:
    from fastapi import APIRouter

JSON = b"application/json"
_NOTHING: Mapping[Any, Any] = MappingProxyType({})


@dataclass(slots=True)
class Call:
    """A request.

    Attributes:
        body: whole.
        headers: by lower-case name; of several of one name the last.
        path: path parameters, decoded.
        query: the query string as it was sent.
        caller: who asks; they may use this endpoint.
        deadline: when the answer is of no use any more, on ``time.monotonic``; infinite where
            the caller has not said.
        trace: id of the distributed trace (W3C, 32 hex digits); empty where there is none.
    """

    body: bytes = b""
    headers: Mapping[bytes, bytes] = field(default_factory=lambda: _NOTHING)
    path: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    query: bytes = b""
    caller: Caller = ANYONE
    deadline: float = math.inf
    trace: str = ""

    def values(self, lists: frozenset[str] = frozenset()) -> dict[str, Any]:
        """Query parameters: all values of those named in ``lists``, the last of the others."""
        found = parse_qs(self.query.decode("latin-1"), keep_blank_values=True)
        return {name: all_ if name in lists else all_[-1] for name, all_ in found.items()}


@dataclass(slots=True)
class Reply:
    """An answer.

    Attributes:
        body: whole.
        status: of HTTP.
        headers: lower-case names.
        media_type: of the body.
        tagged: the same body is asked for again and again: it gets an ETag.
    """

    body: bytes
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()
    media_type: bytes = JSON
    tagged: bool = False


Handler: TypeAlias = Callable[[Call], Awaitable[Reply]]
Together: TypeAlias = Callable[[Sequence[Call]], Sequence[Reply | Exception]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A plain endpoint.

    Attributes:
        method: of HTTP.
        path: as Starlette writes it, such as ``"/v1/games/{game_id}"``.
        handler: answers; its docstring documents it. May raise a FlyballError.
        scope: what its callers must be allowed.
        described: OpenAPI's description of the operation.
        together: answers several requests that wait at the same moment, each as ``handler`` would,
            in their order; an error is that of one of them. It does not wait for anything. None:
            each is answered alone.
    """

    method: str
    path: str
    handler: Handler
    scope: Scope
    described: Mapping[str, Any]
    together: Together | None = None


def add(router: APIRouter, endpoint: Endpoint) -> None:
    """Put a plain endpoint on a router."""
    router.add_api_route(
        endpoint.path,
        _Adapted(endpoint),
        methods=[endpoint.method],
        name=endpoint.handler.__name__,
        description=inspect.getdoc(endpoint.handler) or "",
        response_model=None,
        openapi_extra=dict(endpoint.described),
    )


class _Adapted:
    """What the router holds: the edge takes the endpoint from it and answers by itself."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    async def __call__(self) -> None:
        raise AssertionError("a plain endpoint is answered by the edge")


def endpoint_of(route: Any) -> Endpoint | None:
    """The plain endpoint behind a route, if it is one."""
    adapted = getattr(route, "endpoint", None)
    return adapted.endpoint if isinstance(adapted, _Adapted) else None
