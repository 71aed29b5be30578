"""GET /api/lineage/{id}: the same answer as the command's, as JSON or as a picture."""

from __future__ import annotations

from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from fastapi.testclient import TestClient

from flyball.console.api import create_app
from flyball.data.lineage import Lineage
from lineage_records import ANSWER, OLD, HeardEvents, feedback, records


@pytest.fixture
def api() -> TestClient:
    platform = SimpleNamespace(records=records(), events=HeardEvents(feedback()))
    verbs = SimpleNamespace(data=Lineage(platform, "operator:ada"))
    return TestClient(create_app(verbs), base_url="http://127.0.0.1:8080")


@pytest.mark.parametrize("id", ["games/1.0.0", OLD.id, "monday", "games/1", ANSWER])
def test_answers_with_nodes_and_edges_for_ids_with_and_without_a_model(api, id):
    answer = api.get(f"/api/lineage/{id}")
    assert answer.status_code == 200
    found = answer.json()
    keys = {f"{node['kind']}:{node['id']}" for node in found["nodes"]}
    assert found["focus"] in keys
    assert {end for edge in found["edges"] for end in (edge["source"], edge["target"])} <= keys


def test_looks_one_way_where_asked(api):
    up = api.get("/api/lineage/monday", params={"direction": "up"}).json()
    assert len(up["nodes"]) == 2


def test_draws_a_picture_that_may_run_and_load_nothing(api):
    answer = api.get("/api/lineage/monday", params={"format": "svg"})
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert ElementTree.fromstring(answer.text).tag == "{http://www.w3.org/2000/svg}svg"


def test_an_unknown_id_is_a_problem_that_names_the_nearest(api):
    answer = api.get("/api/lineage/mondya")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "nearest: games/monday" in answer.json()["detail"]


@pytest.mark.parametrize("asked", [{"direction": "sideways"}, {"format": "png"}])
def test_other_words_are_refused(api, asked):
    assert api.get("/api/lineage/monday", params=asked).status_code == 422


def test_describes_itself_with_both_formats(api):
    operation = api.get("/api/openapi.json").json()["paths"]["/api/lineage/{id}"]["get"]
    assert set(operation["responses"]["200"]["content"]) == {"application/json", "image/svg+xml"}
