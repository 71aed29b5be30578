"""One answer on its way out: as uvicorn sends it, in fewer steps, with the headers of them all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from flyball.serving import problems
from flyball.serving.edge.bounds import Refused

API_POLICY = b"content-security-policy: default-src 'none'; frame-ancestors 'none'\r\n"
PAGE_POLICY = (
    b"content-security-policy: default-src 'self'; script-src 'self' 'unsafe-inline'; "
    b"style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; "
    b"base-uri 'none'; form-action 'self'\r\n"
)
"""For pages of our own: the documentation holds a script in its text."""

NO_STORE = b"cache-control: no-store\r\n"
ALWAYS = b"x-content-type-options: nosniff\r\nreferrer-policy: no-referrer\r\n"
HSTS = b"strict-transport-security: max-age=31536000\r\n"
_CR, _LF = b"\r\n"
_CLOSE = b"connection: close\r\n"
_UNANSWERED = Refused(500, "unanswered", "the server ended before there was an answer; try again")


class Answer(RequestResponseCycle):
    """A request that is being answered.

    It differs from uvicorn's in that head and body are written in one piece; that an answer nobody
    may keep says so; and that a connection ends after an answer which did not wait for the whole
    request: what else arrives there must not be taken for another request.

    Attributes:
        lines: headers of every answer of this second, as they go out.
    """

    lines: bytes = b""
    _head: bytes = b""

    async def send(self, message: Any) -> None:
        """Send what the application says (ASGI 3)."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected or self.transport.is_closing():
            self.disconnected = True  # uvicorn says so to the newest request of a connection only
            return
        kind = message["type"]
        if not self.response_started and kind == "http.response.start":
            self._begin(message)
        elif self.response_started and not self.response_complete and kind == "http.response.body":
            self._continue(message.get("body", b""), message.get("more_body", False))
        else:
            raise RuntimeError(f"the application sent {kind!r} out of turn")

    def _begin(self, message: Mapping[str, Any]) -> None:
        """Make the head; it goes out with the first part of the body."""
        self.response_started = True
        self.waiting_for_100_continue = False
        status = message["status"]
        headers = list(cast("Iterable[tuple[bytes, bytes]]", message.get("headers", ())))
        for name, value in headers:
            if name == b"content-length":
                self.expected_content_length = int(value)
                self.chunked_encoding = False
            elif name == b"connection" and value.lower() == b"close":
                headers.remove((name, value))
                self.keep_alive = False
        if self.chunked_encoding is None and _has_body(self.scope["method"], status):
            self.chunked_encoding = True
            headers.append((b"transfer-encoding", b"chunked"))
        if self.more_body:
            self.keep_alive = False
        self._head = head(status, headers, self.lines, keep_alive=self.keep_alive)

    def _continue(self, body: bytes, more: bool) -> None:
        """Send a part of the body, and the head before the first."""
        head, self._head = self._head, b""
        if self.scope["method"] == "HEAD":
            self.expected_content_length = 0
            body = b""
        elif self.chunked_encoding:
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (
                b"" if more else b"0\r\n\r\n"
            )
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0 or (self.expected_content_length and not more):
                raise RuntimeError("an answer's body is not as long as its Content-Length says")
        if head or body:
            self.transport.write(head + body)
        if not more:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive and not self.more_body:
                self.transport.close()
            self.on_response()

    async def send_500_response(self) -> None:
        """Answer where the application did not, such as when it was cancelled at the very end."""
        self.response_started = self.response_complete = True
        self.transport.write(refused(_UNANSWERED, self.lines))
        self.transport.close()
        self.on_response()


def head(
    status: int, headers: Iterable[tuple[bytes, bytes]], lines: bytes, *, keep_alive: bool
) -> bytes:
    """Everything before the body.

    Args:
        lines: headers of every answer, as they go out.
        keep_alive: whether the connection goes on.

    Raises:
        RuntimeError: a header holds a line break.
    """
    parts = [STATUS_LINE[status], lines]
    policy, cache = API_POLICY, NO_STORE
    for name, value in headers:
        if _LF in value or _CR in value or _LF in name or _CR in name:
            raise RuntimeError(f"the header {name!r} of an answer holds a line break")
        parts.append(b"%b: %b\r\n" % (name, value))
        if name == b"content-type" and value.startswith(b"text/html"):
            policy = PAGE_POLICY
        elif name == b"cache-control":
            cache = b""
    if not keep_alive:
        parts.append(_CLOSE)
    parts += (policy, cache, b"\r\n")
    return b"".join(parts)


def _has_body(method: str, status: int) -> bool:
    return method != "HEAD" and status not in (204, 304)


def refused(why: Refused, lines: bytes) -> bytes:
    """A whole answer with a problem, after which the connection ends.

    Args:
        lines: headers of every answer.
    """
    problem = problems.problem(why.status, why.kind, HTTPStatus(why.status).phrase, why.detail)
    body = bytes(problem.body)
    head = [STATUS_LINE[why.status], lines, _CLOSE, API_POLICY, NO_STORE]
    head += (b"%b: %b\r\n" % header for header in problem.raw_headers)
    return b"".join([*head, b"\r\n", body])
