"""Each error has its status; a full disk is told apart from a database that is away."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI

from flyball import errors
from flyball.errors import (
    ArtifactCorrupt,
    FlyballError,
    InvalidRequest,
    NotFound,
    StaleWrite,
    StorageUnavailable,
)
from flyball.serving.problems import install, status_of


def test_each_error_has_the_status_it_declares():
    assert status_of(NotFound("x")) == 404
    assert status_of(InvalidRequest("x")) == 422
    assert status_of(StaleWrite("x")) == 409
    assert status_of(ArtifactCorrupt("x")) == 500
    assert status_of(StorageUnavailable("the database does not answer")) == 503


@pytest.mark.parametrize(
    "text",
    [
        "the database x cannot be used: database or disk is full; free some space",
        "the disk is full; free some space and try again",
        "No space left on device",
        "the disk or the quota is full",
    ],
)
def test_a_full_disk_is_507_by_its_words(text):
    assert status_of(StorageUnavailable(text)) == 507


@pytest.mark.parametrize(("number", "status"), [(errno.ENOSPC, 507), (errno.EACCES, 503)])
def test_a_full_disk_is_507_by_its_cause(number, status):
    error = StorageUnavailable("cannot be written")
    error.__cause__ = OSError(number, "anything")
    assert status_of(error) == status


@pytest.fixture
def get() -> Callable[[str], httpx.Response]:
    app = FastAPI()
    install(app)

    @app.get("/raise/{name}")
    def fail(name: str) -> None:
        raise getattr(errors, name)("what happened")

    @app.get("/broken")
    def broken() -> None:
        raise KeyError("inner")

    async def asked(path: str) -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get(path)

    return lambda path: asyncio.run(asked(path))


def test_every_error_of_ours_is_a_problem_with_its_own_type(get):
    kinds = set()
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, FlyballError):
            body = get(f"/raise/{name}").json()
            assert (body["detail"], body["title"]) == ("what happened", kind.title)
            kinds.add(body["type"])
    assert len(kinds) >= 15, "each error has a type of its own"
    assert "urn:flyball:problem:artifact-corrupt" in kinds


def test_each_occurrence_has_its_own_instance(get):
    first, second = (get("/raise/NotFound").json()["instance"] for _ in range(2))
    assert first.startswith("urn:uuid:")
    assert first != second


def test_an_unexpected_error_tells_nothing_but_its_id(get):
    answer = get("/broken")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "inner" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.json()["instance"] in answer.json()["detail"]
