"""The edge: where applications are mounted, and how much a request may carry."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Request

from flyball.domain.access import Scope
from flyball.exchange import Call, Endpoint, Reply, add
from flyball.ports import Host
from flyball.serving.app import create_app
from flyball.serving.edge.body import MOST_BYTES
from flyball.serving.edge.edge import Edge
from flyball.serving.edge.rebinding import is_loopback
from flyball.serving.host import ModelHost
from flyball.serving.slots import Slots
from flyball.telemetry.metrics import Metrics

PIECE = 100_000
JSON = {"content-type": "application/json"}


class Application:
    def __init__(self, name: str) -> None:
        self.name = name

    def routes(self, host: Host) -> APIRouter:
        router = APIRouter()

        @router.get(f"/v1/{self.name}")
        async def which() -> str:
            return host.model

        return router


class Served:
    """A worker of which only the edge is looked at."""

    def __init__(self, *models: str) -> None:
        self.metrics = Metrics()
        self.hosts = {model: ModelHost(Slots(model), self.metrics) for model in models}
        self.reasons: list[str] = []

    def unready(self) -> list[str]:
        return self.reasons

    def health(self) -> dict[str, Any]:
        return {"status": "ok"}


def ask(app: Edge, method: str, path: str, **fields: Any) -> httpx.Response:
    async def sent() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **fields)

    return asyncio.run(sent())


def test_the_first_model_of_an_application_is_at_the_root_and_others_under_their_name():
    shop, table = Application("shop"), Application("table")
    applications = {"games": shop, "films": shop, "adult": table}
    app = create_app(Served(*applications), applications, loopback=False)
    assert ask(app, "GET", "/v1/shop").json() == "games"
    assert ask(app, "GET", "/models/films/v1/shop").json() == "films"
    assert ask(app, "GET", "/v1/table").json() == "adult"
    assert ask(app, "GET", "/models/games/v1/shop").status_code == 404


def test_readiness_says_what_is_missing():
    worker = Served()
    app = create_app(worker, {}, loopback=False)
    assert ask(app, "GET", "/health/ready").status_code == 200
    worker.reasons = ["games: its version is being loaded"]
    answer = ask(app, "GET", "/health/ready")
    assert answer.status_code == 503
    assert answer.json()["detail"] == "games: its version is being loaded"
    assert ask(app, "GET", "/health/live").status_code == 200


class Scales:
    """Says how much it was sent: by a plain endpoint, and by a route of FastAPI."""

    name = "scales"

    def routes(self, host: Host) -> APIRouter:
        router = APIRouter()

        async def size(call: Call) -> Reply:
            return Reply(str(len(call.body)).encode())

        add(
            router,
            Endpoint(method="POST", path="/size", handler=size, scope=Scope.READ, described={}),
        )

        @router.post("/routed-size")
        async def routed_size(request: Request) -> int:
            return len(await request.body())

        return router


@pytest.fixture
def limited() -> Edge:
    return create_app(Served("m"), {"m": Scales()}, loopback=False)


async def in_pieces(size: int) -> AsyncIterator[bytes]:
    for start in range(0, size, PIECE):
        yield b"x" * min(PIECE, size - start)


@pytest.mark.parametrize("path", ["/size", "/routed-size"])
class TestALargeBody:
    """It is refused before it fills the memory."""

    def test_is_accepted_up_to_the_limit(self, limited, path):
        content = b"x" * MOST_BYTES
        assert ask(limited, "POST", path, content=content, headers=JSON).json() == MOST_BYTES
        content = in_pieces(MOST_BYTES)
        assert ask(limited, "POST", path, content=content, headers=JSON).json() == MOST_BYTES

    @pytest.mark.parametrize("chunked", [False, True])
    def test_is_a_413_problem_above_it(self, limited, path, chunked):
        content = in_pieces(MOST_BYTES + 1) if chunked else b"x" * (MOST_BYTES + 1)
        answer = ask(limited, "POST", path, content=content, headers=JSON)
        assert answer.status_code == answer.json()["status"] == 413
        assert answer.headers["content-type"] == "application/problem+json"
        assert f"{MOST_BYTES:,} bytes" in answer.json()["detail"]


class TestANameThatIsNotOurs:
    """A page whose own name points at this machine may not read or write here (DNS rebinding)."""

    @pytest.mark.parametrize(
        "host",
        ["localhost:8000", "app.localhost", "127.0.0.1", "[::1]:8000", "10.0.0.7:80", "LOCALHOST"],
    )
    def test_an_address_or_localhost_is_answered(self, host):
        app = create_app(Served(), {}, loopback=True)
        assert ask(app, "GET", "/health/live", headers={"host": host}).status_code == 200

    @pytest.mark.parametrize("host", ["evil.example:8000", "127.0.0.1.evil.example", "[", "a b"])
    def test_any_other_is_refused(self, host):
        app = create_app(Served(), {}, loopback=True)
        answer = ask(app, "GET", "/health/live", headers={"host": host})
        assert answer.status_code == answer.json()["status"] == 421
        assert "http://localhost" in answer.json()["detail"]

    def test_is_answered_by_a_server_that_others_reach(self):
        app = create_app(Served(), {}, loopback=False)
        answer = ask(app, "GET", "/health/live", headers={"host": "shop.example"})
        assert answer.status_code == 200

    @pytest.mark.parametrize(
        ("address", "here_only"),
        [
            ("127.0.0.1", True),
            ("::1", True),
            ("localhost", True),
            ("0.0.0.0", False),
            ("::", False),
        ],
    )
    def test_is_refused_where_only_this_machine_reaches_the_server(self, address, here_only):
        assert is_loopback(address) is here_only


def test_the_front_door_leads_a_browser_to_the_documentation():
    answer = ask(create_app(Served(), {}, loopback=False), "GET", "/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/docs")


def test_the_page_of_documentation_loads_nothing_from_elsewhere() -> None:
    """It works on a laptop without a network, and tells nobody who reads it."""
    app = create_app(Served("games"), {"games": Application("games")}, loopback=False)
    page = ask(app, "GET", "/docs")
    loaded = re.findall(r"""(?:src|href)=["']([^"']+)""", page.text)
    assert len(loaded) >= 2
    for path in loaded:
        assert path.startswith("/")
        assert ask(app, "GET", path).status_code == 200
