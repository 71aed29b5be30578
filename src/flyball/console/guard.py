"""What keeps a hostile web page away from a control process that asks for no password.

The process listens on loopback, but every page that the operator's browser shows can reach that
too. Three doors are closed: requests that another page sends (their Origin is foreign), names that
an attacker points at this machine (DNS rebinding: the Host is not ours), and forms, which a browser
sends anywhere without asking (their content is not JSON). Web sockets go through the same doors.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flyball.errors import ConfigurationError
from flyball.serving.problems import problem

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""The names under which the control process is reached."""

PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere, and in nobody's frame. Vue compiles its templates in the page."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_ABNORMAL = 1008
"""Close code of a web socket: policy violation (RFC 6455)."""


def check_host(host: str) -> str:
    """``host`` if the control process may listen there.

    Raises:
        ConfigurationError: it is not loopback.
    """
    if host not in LOOPBACK:
        raise ConfigurationError(
            f"the console asks for no password, so it listens on loopback only, not on {host}; "
            "set server.host to 127.0.0.1 and reach it from elsewhere through "
            "`ssh -L 8080:127.0.0.1:8080 THIS-MACHINE`"
        )
    return host


def own_host(host: str) -> str:
    """Where the control process listens if the API does on ``host``: where nobody else is."""
    return host if host in LOOPBACK else "127.0.0.1"


class Guard:
    """ASGI middleware: refuses what another page sent, and says what this page may load."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or web socket (ASGI 3)."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = refused(scope.get("method", "GET"), Headers(scope=scope))
        if refusal is None:
            await self._app(scope, receive, _with_policy(send))
        elif scope["type"] == "http":
            await refusal(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": _ABNORMAL})


def refused(method: str, headers: Headers) -> Response | None:
    """The answer to a request that may come from a hostile page; None for one of ours."""
    host, origin = headers.get("host", ""), headers.get("origin")
    if _name(host) not in LOOPBACK:
        return problem(
            421,
            "foreign-host",
            "Not a name of this process",
            f"this control process is not called {host!r}; open it as http://127.0.0.1:PORT "
            "or http://localhost:PORT",
        )
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return problem(
            403,
            "foreign-origin",
            "Sent by another web page",
            f"a page of {origin!r} may not use this control process; use its own console, "
            "the command line or a client without an Origin header",
        )
    if method not in _SAFE and not _is_json(headers.get("content-type", "")):
        return problem(
            415,
            "unsupported-media-type",
            "Unsupported Media Type",
            "send JSON, with the header content-type: application/json",
        )
    return None


def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "application/json"


def _with_policy(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("content-security-policy", PAGE_POLICY)
            headers.setdefault("x-content-type-options", "nosniff")
            headers.setdefault("referrer-policy", "no-referrer")
        await send(message)

    return sent
