"""Keeps web pages of anybody away from a server that listens on loopback only.

A page in a browser on this machine can send requests here. Most cannot read the answer, nor send
JSON, because their origin is foreign (the same-origin policy). One whose own name an attacker
points at 127.0.0.1 would be of the same origin (DNS rebinding): so no foreign name is answered.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from flyball.serving.problems import problem


class OwnNames:
    """Refuses requests (421) whose ``Host`` is neither an address nor ``localhost``."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI 3)."""
        host = Headers(scope=scope).get("host", "") if scope["type"] == "http" else ""
        if not host or is_own(host):
            await self._app(scope, receive, send)
            return
        refusal = problem(
            421,
            "foreign-host",
            "Not a name of this server",
            f"this server listens on this machine only and is not called {host!r}; use "
            "http://127.0.0.1 or http://localhost with its port",
        )
        await refusal(scope, receive, send)


def is_own(host: str) -> bool:
    """Whether a ``Host`` header names this machine without asking a name server."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(address: str) -> bool:
    """Whether a server that listens on ``address`` is reached from this machine only."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
