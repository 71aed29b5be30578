"""Notes in the audit log what changes something through the control API, and what was refused.

The control process asks for no credentials, because only this machine reaches it: so the log tells
from where and when, not who. What was decided stands in the ledger too.
"""

from __future__ import annotations

from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flyball.access.audit import Audit, Note

SUBJECT = "operator"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_REFUSALS = frozenset(
    {
        HTTPStatus.FORBIDDEN,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.MISDIRECTED_REQUEST,
    }
)


class Audited:
    """ASGI middleware, around all others.

    Args:
        audit: is told.
    """

    def __init__(self, app: ASGIApp, audit: Audit) -> None:
        self._app, self._audit = app, audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI 3)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._note(scope, message["status"])
            await send(message)

        await self._app(scope, receive, noted)

    def _note(self, scope: Scope, status: int) -> None:
        method, path = scope["method"], scope["path"]
        refused = status in _REFUSALS
        if method in _SAFE and not refused:
            return
        address = scope["client"][0] if scope.get("client") else ""
        what = "refused" if refused else "admin"
        subject = "nobody" if refused else SUBJECT
        why = HTTPStatus(status).phrase if status >= HTTPStatus.BAD_REQUEST else ""
        self._audit.note(Note(subject, address, method, path, what, why, status))
