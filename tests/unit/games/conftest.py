"""One loaded version, its host, and a client of its API."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from flyball.games.application import GamesApplication
from flyball.recommend import Ease
from flyball.serving import problems
from flyball.serving.edge.edge import Edge
from flyball.testing.games import OneVersionHost, packaged, some_purchases


@pytest.fixture(scope="module")
def servable(tmp_path_factory):
    return packaged(Ease, tmp_path_factory.mktemp("artifact"), some_purchases())


@pytest.fixture
def host(servable):
    return OneVersionHost(servable)


@pytest.fixture
def app(host):
    application = FastAPI()
    problems.install(application)
    application.include_router(GamesApplication().routes(host))
    return Edge(application, loopback=False)


@pytest.fixture
def client(app):
    with TestClient(app) as opened:
        yield opened
