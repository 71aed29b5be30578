"""What the games API says of itself is what it does."""

from __future__ import annotations

import json

import msgspec

from flyball.games.messages import EventIn, Filters, GamesQuery, RecommendationRequest
from flyball.games.openapi import EVENTS, HISTORY, REQUEST

RECOMMEND = "/v1/recommendations"


class TestTheDocumentation:
    def test_shows_requests_that_are_accepted(self, client):
        for example in (REQUEST, HISTORY):
            assert client.post(RECOMMEND, json=example).status_code == 200
        assert client.post("/v1/events", json=EVENTS).json()["accepted"] == len(EVENTS)

    def test_shows_those_examples(self, app):
        document = app.app.openapi()
        body = document["paths"][RECOMMEND]["post"]["requestBody"]["content"]
        shown = [example["value"] for example in body["application/json"]["examples"].values()]
        assert shown == [REQUEST, HISTORY]

    def test_names_exactly_the_fields_that_are_accepted(self, app):
        paths = app.app.openapi()["paths"]

        def fields(path):
            body = paths[path]["post"]["requestBody"]["content"]["application/json"]
            schema = body["schema"].get("items") or body["schema"]
            assert schema["additionalProperties"] is False
            return set(schema["properties"])

        assert fields(RECOMMEND) == {f.name for f in msgspec.structs.fields(RecommendationRequest)}
        assert fields("/v1/events") == {f.name for f in msgspec.structs.fields(EventIn)}
        query = {each["name"] for each in paths["/v1/games"]["get"]["parameters"]}
        assert query == {field.name for field in msgspec.structs.fields(GamesQuery)}

    def test_shows_answers_with_the_fields_that_come(self, client, app):
        calls = {
            RECOMMEND + "/{user_id}": f"{RECOMMEND}/player-3",
            "/v1/games": "/v1/games",
            "/v1/games/{game_id}": "/v1/games/metroid",
            "/v1/games/{game_id}/similar": "/v1/games/metroid/similar",
            "/v1/search": "/v1/search?q=metroid",
            "/v1/why-not/{user_id}/{game_id}": "/v1/why-not/player-3/metroid",
        }
        for path, call in calls.items():
            good = app.app.openapi()["paths"][path]["get"]["responses"]["200"]["content"]
            said = good["application/json"]
            body = client.get(call).json()
            assert set(body) == set(said["schema"]["properties"])
            told = {name for name, value in body.items() if value is not None}
            assert told <= set(said["example"]) <= set(body)  # FastAPI leaves nulls out

    def test_names_every_filter_as_a_query_parameter_too(self, app):
        paths = app.app.openapi()["paths"]
        wanted = {"k", "min_score", "diversity", *Filters.__struct_fields__}
        for path in (RECOMMEND + "/{user_id}", "/v1/why-not/{user_id}/{game_id}"):
            found = {p["name"] for p in paths[path]["get"]["parameters"] if p["in"] == "query"}
            assert found == wanted

    def test_holds_no_reference_into_nothing(self, app):
        text = json.dumps(app.app.openapi())
        assert "$defs" not in text
        assert '"$ref": "#/{model}' not in text

    def test_says_the_bounds_that_hold(self, client, app):
        operation = app.app.openapi()["paths"][RECOMMEND + "/{user_id}"]["get"]
        k = next(each for each in operation["parameters"] if each["name"] == "k")["schema"]
        for number in (k["minimum"], k["maximum"]):
            assert client.get(f"{RECOMMEND}/p", params={"k": int(number)}).status_code == 200
        for number in (k["minimum"] - 1, k["maximum"] + 1):
            assert client.get(f"{RECOMMEND}/p", params={"k": int(number)}).status_code == 422
