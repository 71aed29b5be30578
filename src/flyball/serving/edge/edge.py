"""The outermost part of a worker's application.

Every request passes here first: is the server called by its own name, can it take one more, who
calls, may they. Plain endpoints (``flyball.exchange``) are then answered without any more layers;
all others go on to FastAPI, which also documents both.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.convertors import Convertor
from starlette.requests import ClientDisconnect
from starlette.routing import compile_path
from starlette.types import Receive, Scope, Send

from flyball.domain import access
from flyball.errors import FlyballError
from flyball.exchange import Call, Endpoint, Reply, endpoint_of
from flyball.serving import problems
from flyball.serving.edge.admission import Admission
from flyball.serving.edge.body import check_json, check_length, counted, whole_body
from flyball.serving.edge.gate import Gate, OpenGate
from flyball.serving.edge.head import deadline_of, late, trace_of
from flyball.serving.edge.packing import packed
from flyball.serving.edge.rebinding import check_host

OPEN = frozenset(
    {
        "/",
        "/health/live",
        "/health/ready",
        "/v2/health/live",
        "/v2/health/ready",
        "/docs",
        "/openapi.json",
        "/auth/token",
        "/auth/refresh",
        "/auth/revoke",
    }
)
"""Paths that anybody may ask for: probes, the documentation, and what gives credentials."""

LARGE = 128 * 1024
"""Bytes of an answer from which another thread packs it."""

OPEN_BELOW = ("/static-offline-docs/",)
ARRIVED = "flyball.arrived"
"""Where the protocol notes when a request came, in the scope; on ``time.monotonic``."""


@dataclass(frozen=True, slots=True)
class _Found:
    endpoint: Endpoint
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Pattern:
    endpoint: Endpoint
    regex: re.Pattern[str]
    convertors: Mapping[str, Convertor[Any]]


class Edge:
    """An ASGI application around another.

    Attributes:
        endpoints: the plain ones.

    Args:
        app: with all routes.
        loopback: whether only this machine reaches the server; then foreign names are refused.
        gate: who is let in; None: everybody.
        admission: how many may wait; None: as many as usual.
    """

    def __init__(
        self,
        app: FastAPI,
        *,
        loopback: bool,
        gate: Gate | None = None,
        admission: Admission | None = None,
    ) -> None:
        self.app = app
        self.admission = admission or Admission()
        self._gate, self._loopback = gate or OpenGate(), loopback
        self.endpoints: list[Endpoint] = []
        self._exact: dict[tuple[str, str], _Found] = {}
        self._patterns: list[_Pattern] = []
        for route in iter_route_contexts(app.routes):
            endpoint, path = endpoint_of(route), route.path or ""
            if endpoint is not None:
                self.endpoints.append(endpoint)
            if endpoint is not None and "{" in path:
                self._patterns.append(_Pattern(endpoint, *compile_path(path)[::2]))
            elif endpoint is not None:
                found = _Found(endpoint, {})
                self._exact[endpoint.method, path] = found
                self._exact[endpoint.method, f"{path}/"] = found  # a redirect would cost a request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI 3)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        try:
            self.admission.begin(scope["path"])
            reply = await self._reply(scope, receive, send, headers)
        except ClientDisconnect:
            return  # the caller went away in the middle of the request: nobody to answer
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer
            reply = self.refusal(error, scope["method"], scope["path"], _address(scope))
        finally:
            self.admission.end()
        if reply is not None:
            if len(reply.body) >= LARGE:
                # compressing it takes many milliseconds, and lets other threads go on meanwhile
                status, sent, body = await asyncio.to_thread(packed, reply, headers)
            else:
                status, sent, body = packed(reply, headers)
            await send({"type": "http.response.start", "status": status, "headers": sent})
            await send({"type": "http.response.body", "body": body})

    async def _reply(
        self, scope: Scope, receive: Receive, send: Send, headers: Mapping[bytes, bytes]
    ) -> Reply | None:
        """The answer of a plain endpoint; None where FastAPI has answered."""
        found = self._find(scope)
        address = _address(scope)
        if found is None:
            required = needed(scope["method"], scope["path"])
            caller = self._let_in(headers, address, required)
            await self._pass_on(scope, receive, send, caller)
            return None
        endpoint = found.endpoint
        call = self.call(endpoint, headers, address, scope.get(ARRIVED) or time.monotonic())
        call.path, call.query = found.parameters, scope["query_string"]
        if endpoint.method == "POST":
            call.body = await whole_body(receive)
        if endpoint.scope is access.Scope.ADMIN:
            return await self._administered(endpoint, call, scope)
        if call.deadline == math.inf:
            return await endpoint.handler(call)
        return await _in_time(endpoint, call)

    def call(
        self, endpoint: Endpoint, headers: Mapping[bytes, bytes], address: str, arrived: float
    ) -> Call:
        """A request to a plain endpoint that may be answered, as far as its head says.

        Args:
            headers: by lower-case name.
            address: where it comes from.
            arrived: when, on ``time.monotonic``.

        Raises:
            FlyballError: it is refused.
        """
        caller = self._let_in(headers, address, endpoint.scope)
        deadline = deadline_of(headers, arrived)
        if endpoint.method == "POST":
            check_json(headers)
        return Call(headers=headers, caller=caller, deadline=deadline, trace=trace_of(headers))

    def refusal(self, error: Exception, method: str, path: str, address: str) -> Reply:
        """What a request gets that was refused, or failed."""
        if not isinstance(error, FlyballError):
            return problems.reply_to_unexpected(error, path)
        self._gate.refused(method, path, address, error)
        return problems.reply_to(error)

    def _let_in(
        self, headers: Mapping[bytes, bytes], address: str, required: access.Scope | None
    ) -> access.Caller:
        if self._loopback:
            check_host(headers.get(b"host", b""))
        check_length(headers)
        return self._gate.admit(headers, address, required)

    async def _administered(self, endpoint: Endpoint, call: Call, scope: Scope) -> Reply:
        """Let an administrator do something, and note it, whatever came of it."""
        status = 500
        try:
            reply = await _in_time(endpoint, call)
            status = reply.status
        except FlyballError as error:
            status = problems.status_of(error)
            raise
        finally:
            self._gate.administered(
                call.caller, scope["method"], scope["path"], _address(scope), status
            )
        return reply

    def _find(self, scope: Scope) -> _Found | None:
        """The plain endpoint that is asked for."""
        exact = self._exact.get((scope["method"], scope["path"]))
        if exact is not None:
            return exact
        for pattern in self._patterns:
            if pattern.endpoint.method == scope["method"] and (
                match := pattern.regex.match(scope["path"])
            ):
                read = pattern.convertors
                values = {
                    name: read[name].convert(text) for name, text in match.groupdict().items()
                }
                return _Found(pattern.endpoint, values)
        return None

    async def _pass_on(
        self, scope: Scope, receive: Receive, send: Send, caller: access.Caller
    ) -> None:
        """Let FastAPI answer."""
        scope.setdefault("state", {})["caller"] = caller
        await self.app(scope, counted(receive), send)


def needed(method: str, path: str) -> access.Scope | None:
    """What a caller must be allowed, to ask for something that is no plain endpoint."""
    if path in OPEN or path.startswith(OPEN_BELOW):
        return None
    reading = method in ("GET", "HEAD", "OPTIONS")
    return access.Scope.READ if reading else access.Scope.EVENTS


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


async def _in_time(endpoint: Endpoint, call: Call) -> Reply:
    seconds = None if call.deadline == math.inf else call.deadline - time.monotonic()
    try:
        async with asyncio.timeout(seconds):
            return await endpoint.handler(call)
    except TimeoutError:
        raise late(float(call.headers[b"x-request-timeout"])) from None
