"""How much one request may carry."""

from __future__ import annotations

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flyball.serving.problems import problem

MOST_BYTES = 8 * 1024 * 1024
"""Bytes of a request's body; about 40,000 events."""


class BodyLimit:
    """Refuses larger bodies with 413, by their declared length or else while they arrive."""

    def __init__(self, app: ASGIApp, most: int = MOST_BYTES) -> None:
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI 3)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Request(scope).headers.get("content-length", "0")
        if declared.isdecimal() and int(declared) > self._most:
            await self._refusal()(scope, receive, send)
            return
        arrived = 0

        async def counted() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > self._most:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._detail)
            return message

        await self._app(scope, counted, send)

    @property
    def _detail(self) -> str:
        return f"a request may carry at most {self._most:,} bytes; send less in one request"

    def _refusal(self) -> ASGIApp:
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        return problem(status, "body-too-large", status.phrase, self._detail)
