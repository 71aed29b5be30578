"""The routes of OAuth2 over HTTP: forms, answers, errors, and what is noted."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from flyball.access.audit import Note
from flyball.access.directory import Directory
from flyball.access.limiter import Limiter
from flyball.access.sign_in import SignIn
from flyball.access.tokens import new_signing_key
from flyball.domain.access import Scope
from flyball.ports import Change
from flyball.serving import problems
from flyball.serving.auth import AuthRoutes
from flyball.serving.edge.edge import needed
from flyball.serving.security import SCHEMES, document
from flyball.testing.access import a_principal
from flyball.testing.fakes import ManualClock, MemoryRecords

BY_CLIENT = {"grant_type": "client_credentials"}
SIGN_IN = {"grant_type": "password", "username": "ada", "password": "of ada"}


class Notes:
    def __init__(self) -> None:
        self.all: list[Note] = []

    def note(self, note: Note) -> None:
        self.all.append(note)


class World:
    """A server with the account ``ada`` and the client ``shop: & co``."""

    def __init__(self, rate: int = 0) -> None:
        self.records, self.clock = MemoryRecords(), ManualClock()
        self.notes, self.counted = Notes(), []
        ada = a_principal(password="hash of ada")
        shop = a_principal(kind="client", name="shop: & co", password="hash of shop")
        key = new_signing_key(self.clock.now())
        self.records.commit([Change(value=ada), Change(value=shop), Change(value=key)])
        self.directory = Directory()
        self.directory.follow(self.records)
        sign_in = SignIn(
            self.directory,
            self.records,
            self.clock,
            token_lifetime=timedelta(minutes=10),
            refresh_lifetime=timedelta(days=14),
            verified=lambda stored, text: stored == f"hash {text}",
        )
        routes = AuthRoutes(
            sign_in,
            Limiter(),
            rate=rate,
            audit=self.notes,  # type: ignore[arg-type]  # as much of one as the routes need
            count=self.counted.append,
        )
        self.app = FastAPI()
        problems.install(self.app)
        self.app.include_router(routes.router())

    def post(self, path: str, data: Any = None, **fields: Any) -> httpx.Response:
        async def sent() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=("192.0.2.7", 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.post(path, data=data, **fields)

        return asyncio.run(sent())


@pytest.fixture
def world() -> World:
    return World()


def test_an_account_signs_in_prolongs_and_signs_out(world):
    granted = world.post("/auth/token", SIGN_IN)
    assert granted.status_code == 200
    assert granted.headers["cache-control"] == "no-store"
    assert set(granted.json()) == {
        "access_token",
        "token_type",
        "expires_in",
        "scope",
        "refresh_token",
    }
    prolonged = world.post("/auth/refresh", {"refresh_token": granted.json()["refresh_token"]})
    assert prolonged.status_code == 200
    token = prolonged.json()["refresh_token"]
    assert world.post("/auth/revoke", {"token": token}).json() is None
    by_token = {"grant_type": "refresh_token", "refresh_token": token}
    assert world.post("/auth/token", by_token).json()["error"] == "invalid_grant"
    told = [(note.what, note.subject, note.why) for note in world.notes.all]
    assert told == [
        ("sign-in", "account:ada", ""),
        ("refresh", "account:ada", ""),
        ("revoke", "account:ada", ""),
        ("sign-in", "nobody", "invalid_grant"),
    ]
    assert world.counted == ["invalid_grant"]


class TestAClient:
    def test_shows_its_secret_by_basic_with_both_parts_encoded(self, world):
        auth = ("shop%3A+%26+co", "of+shop")
        granted = world.post("/auth/token", BY_CLIENT, auth=auth)
        assert granted.status_code == 200, granted.text
        assert "refresh_token" not in granted.json()

    def test_shows_its_secret_in_the_form(self, world):
        form = BY_CLIENT | {"client_id": "shop: & co", "client_secret": "of shop"}
        assert world.post("/auth/token", form).status_code == 200
        twice = world.post("/auth/token", form, auth=("shop", "of shop"))
        assert twice.json()["error"] == "invalid_request"

    @pytest.mark.parametrize(
        "said", ["Basic", "Basic !!!", "Basic YWJj", "Basic /w==", "Bearer x", "Basic Og=="]
    )
    def test_that_shows_nothing_readable_is_refused_as_oauth2_says(self, world, said):
        answer = world.post("/auth/token", BY_CLIENT, headers={"authorization": said})
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert answer.headers["www-authenticate"] == 'Basic realm="flyball"'
        assert answer.headers["content-type"] == problems.MEDIA_TYPE
        assert world.post("/auth/token", BY_CLIENT).status_code == 401


def test_an_access_token_cannot_be_taken_back(world):
    token = world.post("/auth/token", SIGN_IN).json()["access_token"]
    answer = world.post("/auth/revoke", {"token": token})
    assert answer.json()["error"] == "unsupported_token_type"


def test_too_many_attempts_from_one_address_are_noted_and_told_to_come_back():
    world = World(rate=2)
    wrong = SIGN_IN | {"password": "wrong"}
    assert [world.post("/auth/token", wrong).status_code for _ in range(4)] == [400, 400, 429, 429]
    answer = world.post("/auth/token", SIGN_IN)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert world.counted[-1] == "sign_in_rate"
    assert world.notes.all[-1].status == 429


def test_the_database_being_away_is_no_wrong_token(world):
    token = world.post("/auth/token", SIGN_IN).json()["refresh_token"]
    world.records.broken = True
    answer = world.post("/auth/refresh", {"refresh_token": token})
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


def test_the_document_names_the_scope_of_each_operation():
    app = FastAPI()

    @app.get("/v1/games")
    async def games() -> None: ...

    @app.post("/v1/things")
    async def things() -> None: ...

    @app.get("/health/live")
    async def live() -> None: ...

    document(app, needed)
    found = app.openapi()
    assert found is app.openapi()
    assert found["components"]["securitySchemes"] == SCHEMES
    paths = found["paths"]
    assert paths["/v1/games"]["get"]["security"] == [{name: ["read"]} for name in SCHEMES]
    assert paths["/v1/things"]["post"]["security"] == [{name: ["events"]} for name in SCHEMES]
    assert {"401", "403"} <= set(paths["/v1/games"]["get"]["responses"])
    assert "security" not in paths["/health/live"]["get"]
    scopes = SCHEMES["oauth2"]["flows"]["password"]["scopes"]
    assert set(scopes) == {scope.value for scope in Scope}
