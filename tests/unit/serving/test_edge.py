"""The edge: what a plain endpoint is given, and how its answers and errors go out."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import zstandard
from fastapi import APIRouter, FastAPI

from flyball.domain.access import Caller, Scope
from flyball.errors import (
    EnvironmentFailed,
    FlyballError,
    Forbidden,
    InvalidRequest,
    TooManyRequests,
    Unauthenticated,
)
from flyball.exchange import Call, Endpoint, Reply, add
from flyball.serving import problems
from flyball.serving.edge.admission import Admission
from flyball.serving.edge.edge import Edge
from flyball.serving.edge.gate import Gate

SHOP = Caller("key:shop", frozenset({Scope.READ}))


class Told:
    """A gate that lets in who says so, and notes what was needed."""

    def __init__(self, error: Exception | None = None) -> None:
        self.needed: list[Scope | None] = []
        self.notes: list[tuple[str, str, str, int]] = []
        self.error = error

    def admit(self, headers: Any, address: str, scope: Scope | None, /) -> Caller:
        self.needed.append(scope)
        if self.error is not None:
            raise self.error
        return SHOP

    def refused(self, method: str, path: str, address: str, error: FlyballError) -> None:
        self.notes.append((method, path, address, error.status))

    def administered(
        self, caller: Caller, method: str, path: str, address: str, status: int
    ) -> None:
        self.notes.append((method, path, caller.subject, status))


def edge(
    handler: Callable[[Call], Any],
    *,
    method: str = "POST",
    path: str = "/plain",
    scope: Scope = Scope.READ,
    gate: Gate | None = None,
    admission: Admission | None = None,
) -> Edge:
    router = APIRouter()
    add(router, Endpoint(method=method, path=path, handler=handler, scope=scope, described={}))

    @router.get("/routed")
    async def routed() -> str:
        return "by FastAPI"

    @router.delete("/routed")
    async def removed() -> None:
        raise ZeroDivisionError("secret inner detail")

    app = FastAPI()
    problems.install(app)
    app.include_router(router)
    return Edge(app, loopback=False, gate=gate, admission=admission)


def ask(app: Edge, method: str, path: str, **fields: Any) -> httpx.Response:
    async def sent() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **fields)

    return asyncio.run(sent())


async def echo(call: Call) -> Reply:
    """Answers with the body."""
    return Reply(call.body)


class TestACall:
    def test_holds_what_was_sent(self):
        seen: list[Call] = []

        async def look(call: Call) -> Reply:
            seen.append(call)
            return Reply(b"{}")

        app = edge(look, path="/users/{user:path}/{thing}", gate=Told())
        trace = "0af7651916cd43dd8448eb211c80319c"
        headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
        answer = ask(app, "POST", "/users/a/b%20c/d?k=3&k=4&g=x", json=[1], headers=headers)
        assert answer.status_code == 200
        (call,) = seen
        assert (call.body, dict(call.path)) == (b"[1]", {"user": "a/b c", "thing": "d"})
        assert call.values() == {"k": "4", "g": "x"}
        assert call.values(frozenset({"k"})) == {"k": ["3", "4"], "g": "x"}
        assert (call.caller, call.trace) == (SHOP, trace)

    @pytest.mark.parametrize(
        "said", ["", "nonsense", "00-" + "0" * 32 + "-b7ad6b7169203331-01", "00-0AF7-1-01"]
    )
    def test_has_no_trace_where_none_is_given_rightly(self, said):
        async def look(call: Call) -> Reply:
            return Reply(call.trace.encode() or b"none")

        answer = ask(edge(look), "POST", "/plain", json=1, headers={"traceparent": said})
        assert answer.text == "none"

    def test_is_documented_beside_the_routes(self):
        document = edge(echo).app.openapi()
        assert {"/plain", "/routed"} <= set(document["paths"])
        assert document["paths"]["/plain"]["post"]["description"] == "Answers with the body."

    def test_by_another_method_is_a_405_problem(self):
        answer = ask(edge(echo), "GET", "/plain")
        assert (answer.status_code, answer.json()["status"]) == (405, 405)

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
    def test_that_is_not_said_to_be_json_is_refused(self, kind):
        answer = ask(edge(echo), "POST", "/plain", content=b"{}", headers={"content-type": kind})
        assert answer.status_code == 415


class TestAnError:
    @pytest.mark.parametrize(
        ("error", "status", "header"),
        [
            (InvalidRequest("no"), 422, None),
            (Unauthenticated("no"), 401, ("www-authenticate", 'Bearer realm="flyball"')),
            (Forbidden("no"), 403, None),
            (TooManyRequests("no", retry_after_s=2.2), 429, ("retry-after", "3")),
            (EnvironmentFailed("no"), 503, ("retry-after", "1")),
        ],
    )
    def test_is_a_problem_with_what_to_do_next(self, error, status, header):
        async def failing(call: Call) -> Reply:
            raise error

        answer = ask(edge(failing), "POST", "/plain", json=1)
        assert (answer.status_code, answer.json()["status"]) == (status, status)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"] == "no"
        if header is not None:
            assert answer.headers[header[0]] == header[1]

    @pytest.mark.parametrize(("method", "path"), [("POST", "/plain"), ("DELETE", "/routed")])
    def test_that_nobody_foresaw_is_a_500_without_its_text(self, method, path):
        async def failing(call: Call) -> Reply:
            raise ZeroDivisionError("secret inner detail")

        answer = ask(edge(failing), method, path, json=1)
        assert answer.status_code == 500
        assert "secret" not in answer.text
        assert answer.json()["instance"] in answer.json()["detail"]


class TestTheGate:
    def test_is_asked_for_the_scope_of_the_endpoint(self):
        gate = Told()
        ask(edge(echo, scope=Scope.EVENTS, gate=gate), "POST", "/plain", json=1)
        assert gate.needed == [Scope.EVENTS]

    @pytest.mark.parametrize(
        ("method", "path", "needed"),
        [
            ("GET", "/routed", Scope.READ),
            ("DELETE", "/routed", Scope.EVENTS),
            ("GET", "/no-such", Scope.READ),
            ("GET", "/docs", None),
            ("GET", "/openapi.json", None),
        ],
    )
    def test_is_asked_before_any_other_route(self, method, path, needed):
        gate = Told()
        ask(edge(echo, gate=gate), method, path)
        assert gate.needed == [needed]

    def test_refuses_before_the_body_is_read(self):
        async def never(call: Call) -> Reply:
            raise AssertionError

        answer = ask(edge(never, gate=Told(Unauthenticated("who?"))), "POST", "/plain", json=1)
        assert (answer.status_code, answer.json()["detail"]) == (401, "who?")

    def test_is_told_what_was_refused(self):
        gate = Told(Forbidden("not you", reason="scope"))
        answer = ask(edge(echo, gate=gate), "POST", "/plain", json=1)
        assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
        assert gate.notes == [("POST", "/plain", "127.0.0.1", 403)]

    def test_is_told_what_an_administrator_did_whatever_came_of_it(self):
        gate = Told()

        async def failing(call: Call) -> Reply:
            raise EnvironmentFailed("no disk")

        ask(edge(echo, scope=Scope.ADMIN, gate=gate), "POST", "/plain", json=1)
        ask(edge(failing, scope=Scope.ADMIN, gate=gate), "POST", "/plain", json=1)
        noted = [note for note in gate.notes if note[2] == SHOP.subject]
        assert noted == [("POST", "/plain", "key:shop", 200), ("POST", "/plain", "key:shop", 503)]


class TestUnderOverload:
    def test_a_request_with_too_many_behind_it_is_told_to_come_back(self):
        admission = Admission(most_waiting=2)
        app = edge(echo, admission=admission)
        admission.requests = range(4)  # this one, and three that nobody has looked at
        answer = ask(app, "POST", "/plain", json=1)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        admission.requests = range(3)
        assert ask(app, "POST", "/plain", json=1).status_code == 200
        assert admission.refused == 1

    def test_what_is_answered_or_failed_waits_no_more(self):
        admission = Admission(most_waiting=0)

        async def failing(call: Call) -> Reply:
            raise ZeroDivisionError

        app = edge(failing, admission=admission)
        admission.requests = range(1)
        statuses = [ask(app, "POST", "/plain", json=1).status_code for _ in range(3)]
        assert statuses == [500, 500, 500]


class TestADeadline:
    def test_ends_an_answer_that_takes_longer(self):
        async def endless(call: Call) -> Reply:
            await asyncio.Event().wait()
            raise AssertionError

        headers = {"x-request-timeout": "0.01"}
        answer = ask(edge(endless), "POST", "/plain", json=1, headers=headers)
        assert answer.status_code == 504
        assert "0.01 s" in answer.json()["detail"]

    def test_that_does_not_come_changes_nothing(self):
        headers = {"x-request-timeout": "60"}
        assert ask(edge(echo), "POST", "/plain", json=1, headers=headers).text == "1"

    @pytest.mark.parametrize("said", ["0", "-1", "nan", "inf", "soon", "1e9", ""])
    def test_must_be_a_number_of_seconds(self, said):
        headers = {"x-request-timeout": said}
        answer = ask(edge(echo), "POST", "/plain", json=1, headers=headers)
        assert answer.status_code == 422
        assert "X-Request-Timeout" in answer.json()["detail"]


class TestAnAnswer:
    LONG = b"[" + b"12, " * 5000 + b"1]"

    async def long(self, call: Call) -> Reply:
        return Reply(self.LONG, tagged=True)

    @pytest.mark.parametrize(
        ("accepted", "encoding"),
        [
            ("gzip", "gzip"),
            ("gzip, zstd", "zstd"),
            ("GZIP;q=0.5", "gzip"),
            ("identity", None),
            ("gzip;q=0", None),
            ("", None),
        ],
    )
    def test_that_is_long_is_compressed_as_the_caller_likes(self, accepted, encoding):
        async def raw() -> tuple[dict[bytes, bytes], bytes]:
            return await _raw(edge(self.long, method="GET"), {"accept-encoding": accepted})

        headers, body = asyncio.run(raw())
        assert headers.get(b"content-encoding") == (encoding.encode() if encoding else None)
        assert int(headers[b"content-length"]) == len(body)
        assert headers[b"vary"] == b"accept-encoding"
        plain = {"gzip": gzip.decompress, "zstd": _unzstd, None: bytes}[encoding](body)
        assert plain == self.LONG

    def test_that_is_short_is_not(self):
        answer = ask(edge(echo), "POST", "/plain", json=1, headers={"accept-encoding": "gzip"})
        assert "content-encoding" not in answer.headers

    def test_that_the_caller_has_already_is_not_sent_again(self):
        app = edge(self.long, method="GET")
        tag = ask(app, "GET", "/plain").headers["etag"]
        for known in (tag, f'"other", {tag}', "*", tag.removeprefix("W/")):
            again = ask(app, "GET", "/plain", headers={"if-none-match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert ask(app, "GET", "/plain", headers={"if-none-match": '"x"'}).status_code == 200


def _unzstd(body: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(body)


async def _raw(app: Edge, headers: dict[str, str]) -> tuple[dict[bytes, bytes], bytes]:
    """Headers and body as they are sent, not decoded."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/plain",
        "query_string": b"",
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
    }
    await app(scope, receive, send)
    return dict(sent[0]["headers"]), sent[1]["body"]
