"""What the control process notes of requests: what changes something, and what was refused."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from flyball.access.audit import Note
from flyball.console.audited import Audited
from flyball.console.guard import Guard

ROLLBACK = "/api/models/games/rollback"
HERE = "http://127.0.0.1:8080"


class Notes:
    def __init__(self) -> None:
        self.all: list[Note] = []

    def note(self, note: Note) -> None:
        self.all.append(note)


def noted(method: str, path: str, *, status: int = 200, **fields: object) -> list[tuple[str, ...]]:
    """What is noted of one request that is answered with this status."""

    async def answer(_request: object) -> JSONResponse:
        return JSONResponse({}, status)

    notes = Notes()
    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    audited = Audited(Guard(app), notes)  # type: ignore[arg-type]  # as much as it needs

    async def sent() -> None:
        transport = httpx.ASGITransport(audited)
        async with httpx.AsyncClient(transport=transport, base_url=HERE) as client:
            await client.request(method, path, **fields)  # type: ignore[arg-type]

    asyncio.run(sent())
    return [(n.what, n.subject, n.method, n.path, str(n.status)) for n in notes.all]


def test_what_an_operator_changes_is_noted_whatever_came_of_it():
    assert noted("POST", ROLLBACK, json={}) == [("admin", "operator", "POST", ROLLBACK, "200")]
    assert noted("POST", ROLLBACK, json={}, status=409) == [
        ("admin", "operator", "POST", ROLLBACK, "409")
    ]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"json": {}, "headers": {"origin": "http://evil.example"}}, "403"),
        ({"data": {"a": "b"}}, "415"),
        ({"json": {}, "headers": {"host": "evil.example"}}, "421"),
    ],
)
def test_what_another_page_sent_is_noted_as_refused(fields, status):
    assert noted("POST", ROLLBACK, **fields) == [("refused", "nobody", "POST", ROLLBACK, status)]


def test_looking_is_not_noted():
    assert noted("GET", "/api/models") == []
