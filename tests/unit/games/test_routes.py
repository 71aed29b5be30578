"""What a client of the games API may rely on, request by request."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime
from urllib.parse import quote

import httpx
import msgspec
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from flyball.domain.traffic import answered_by
from flyball.errors import StorageUnavailable
from flyball.games.application import GamesApplication
from flyball.games.exercise import exercise
from flyball.games.messages import EventIn, GamesQuery, RecommendationRequest
from flyball.games.openapi import EVENTS, HISTORY, REQUEST
from flyball.games.reading import MAX_BODY_BYTES
from flyball.recommend import Ease
from flyball.serving import problems
from flyball.testing.games import VERSION, OneVersionHost, packaged, some_purchases

RECOMMEND = "/v1/recommendations"
JSON = {"content-type": "application/json"}


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
    return application


@pytest.fixture
def client(app):
    with TestClient(app) as opened:
        yield opened


def an_event(number=1, **fields):
    return {
        "event_id": f"event-{number}",
        "type": "purchase",
        "user_id": "player-3",
        "game_id": "metroid",
        **fields,
    }


def is_a_problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert {"type", "title", "detail", "instance"} <= set(body)
    return body["detail"]


class TestRecommendations:
    def test_have_the_shape_of_the_contract(self, client, host):
        answer = client.post(RECOMMEND, json={"user_id": "player-3", "k": 4})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-flyball-version"] == VERSION
        body = answer.json()
        assert set(body) == {
            "recommendation_id",
            "model",
            "model_version",
            "variant",
            "items",
            "underfilled",
        }
        assert (body["model"], body["model_version"]) == ("games", VERSION)
        assert (body["variant"], body["underfilled"]) == ("champion", False)
        assert len(body["items"]) == 4
        for item in body["items"]:
            assert set(item) == {"game_id", "title", "score", "reasons"}
            assert set(item["reasons"][0]) == {"game_id", "share"}
        assert host.counted == [(RECOMMEND, 200)]

    def test_by_get_are_those_by_post(self, client, host):
        by_get = client.get(f"{RECOMMEND}/player-3", params={"k": 4}).json()
        by_post = client.post(RECOMMEND, json={"user_id": "player-3", "k": 4}).json()
        assert by_get["items"] == by_post["items"]
        assert host.counted == [(f"{RECOMMEND}/{{user_id}}", 200), (RECOMMEND, 200)]

    def test_have_an_id_of_their_own_that_names_the_version(self, client):
        found = {client.get(f"{RECOMMEND}/player-3").json()["recommendation_id"] for _ in range(20)}
        assert len(found) == 20
        assert {answered_by(answer_id) for answer_id in found} == {VERSION}

    def test_are_ten_where_no_number_is_asked(self, client):
        assert len(client.get(f"{RECOMMEND}/player-3").json()["items"]) == 10
        assert len(client.post(RECOMMEND, json={}).json()["items"]) == 10

    def test_respect_filters_history_and_least_score(self, client):
        asked = {
            "history": ["metroid"],
            "k": 100,
            "min_score": 0.0,
            "filters": {"platforms": ["switch"], "exclude": ["castlevania"]},
        }
        body = client.post(RECOMMEND, json=asked).json()
        shown = {item["game_id"] for item in body["items"]}
        assert shown
        assert not {"metroid", "castlevania"} & shown
        assert all(item["score"] >= 0.0 for item in body["items"])
        for game_id in shown:
            assert "switch" in client.get(f"/v1/games/{game_id}").json()["platforms"]

    def test_stop_showing_a_game_as_soon_as_its_purchase_is_acknowledged(self, client):
        first = client.get(f"{RECOMMEND}/player-3").json()["items"][0]["game_id"]
        client.post("/v1/events", json=[an_event(game_id=first)])
        after = client.get(f"{RECOMMEND}/player-3", params={"k": 100}).json()
        assert first not in {item["game_id"] for item in after["items"]}

    def test_go_to_players_with_any_printable_name(self, client):
        for name in ("ünïcode ✓", "a b", "50%", "x" * 128):
            assert client.get(f"{RECOMMEND}/{quote(name, safe='')}").status_code == 200
            assert client.post(RECOMMEND, json={"user_id": name}).status_code == 200

    def test_pass_over_unknown_query_parameters(self, client):
        answer = client.get(f"{RECOMMEND}/player-3", params={"k": 2, "utm_source": "mail"})
        assert len(answer.json()["items"]) == 2

    def test_accept_notes_of_the_caller(self, client):
        context = {"page": "home", "slot": 3, "logged_in": True, "ratio": 0.5, "ref": None}
        assert client.post(RECOMMEND, json={"context": context}).status_code == 200

    def test_are_a_problem_while_nothing_is_loaded(self, client, host):
        host.servable = None
        assert "no version" in is_a_problem(client.get(f"{RECOMMEND}/player-3"), 404)
        is_a_problem(client.post(RECOMMEND, json={"k": 0}), 422)
        assert host.counted == []


class TestARequestThatCannotBeRead:
    @pytest.mark.parametrize(
        ("body", "says"),
        [
            ({"k": 0}, "$.k"),
            ({"k": 101}, "$.k"),
            ({"k": "5"}, "$.k"),
            ({"k": True}, "$.k"),
            ({"k": 1.5}, "$.k"),
            ({"k": 10**400}, "$.k"),
            ({"k": None}, "$.k"),
            ({"user_id": ""}, "$.user_id"),
            ({"user_id": "x" * 129}, "$.user_id"),
            ({"user_id": "nul\0"}, "$.user_id"),
            ({"user_id": "line\n"}, "$.user_id"),
            ({"user_id": 17}, "$.user_id"),
            ({"user": "player-3"}, "unknown field `user`"),
            ({"history": ["a"] * 10_001}, "$.history"),
            ({"history": ["x" * 129]}, "$.history"),
            ({"history": "metroid"}, "$.history"),
            ({"filters": {"exclude": ["a"] * 10_001}}, "$.filters"),
            ({"filters": {"genre": "rpg"}}, "$.filters"),
            ({"filters": {"max_price": -1}}, "$.filters"),
            ({"filters": {"released_after": "yesterday"}}, "$.filters"),
            ({"min_score": "high"}, "$.min_score"),
            ({"context": {"nested": {}}}, "$.context"),
            ([], "Expected `object`"),
            (None, "Expected `object`"),
        ],
    )
    def test_is_a_problem_that_says_where(self, client, host, body, says):
        assert says in is_a_problem(client.post(RECOMMEND, json=body), 422)
        assert host.counted == [(RECOMMEND, 422)]

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"not json",
            b'{"user_id": "\xff"}',
            b'{"user_id": "\\ud800"}',
            b'{"min_score": NaN}',
            b'{"min_score": Infinity}',
            b'{"min_score": 1e999}',
            b'{"k": ' + b"9" * 10_000 + b"}",
            b"[" * 200_000,
            b'{"context": ' + b'{"a":' * 200_000,
            b"\xef\xbb\xbf{}",
        ],
        ids=lambda body: repr(body[:24]),
    )
    @pytest.mark.parametrize("path", [RECOMMEND, "/v1/events"])
    def test_is_a_problem_whatever_the_bytes(self, client, path, body):
        is_a_problem(client.post(path, content=body, headers=JSON), 422)

    @pytest.mark.parametrize("path", [RECOMMEND, "/v1/events"])
    def test_is_refused_unread_where_it_is_too_large(self, client, path):
        body = b'{"user_id": "' + b"x" * MAX_BODY_BYTES + b'"}'
        assert "larger than" in is_a_problem(client.post(path, content=body, headers=JSON), 413)

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
    def test_is_refused_where_it_is_not_said_to_be_json(self, client, kind):
        """A web page of anybody may post such types to a server on this machine."""
        answer = client.post(RECOMMEND, content=b"{}", headers={"content-type": kind})
        assert "Content-Type: application/json" in is_a_problem(answer, 415)

    @pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/ld+json"])
    def test_may_say_json_in_other_words(self, client, kind):
        answer = client.post(RECOMMEND, content=b"{}", headers={"content-type": kind})
        assert answer.status_code == 200

    @pytest.mark.parametrize(
        "path",
        [
            f"{RECOMMEND}/player-3?k=0",
            f"{RECOMMEND}/player-3?k=101",
            f"{RECOMMEND}/player-3?k=ten",
            f"{RECOMMEND}/player-3?k=",
            f"{RECOMMEND}/player-3?k={'9' * 5000}",
            f"{RECOMMEND}/nul%00",
            f"{RECOMMEND}/{'x' * 129}",
            "/v1/games?limit=0",
            "/v1/games?limit=201",
            "/v1/games?cursor=%00",
            "/v1/games?cursor=not-a-cursor",
            f"/v1/games?title={'x' * 201}",
            f"/v1/games/{'x' * 129}",
            "/v1/games/metroid/similar?k=1000",
        ],
    )
    def test_in_path_or_query_is_a_problem_too(self, client, path):
        is_a_problem(client.get(path), 422)


class TestGames:
    def test_pages_add_up_to_the_catalogue_in_order(self, client, servable):
        seen, query = [], {"limit": 7}
        while True:
            page = client.get("/v1/games", params=query).json()
            seen += [game["game_id"] for game in page["items"]]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        assert seen == list(servable.artifact.items)

    def test_are_found_by_part_of_the_title_in_any_case(self, client):
        found = client.get("/v1/games", params={"title": "METROID"}).json()["items"]
        assert "metroid" in {game["game_id"] for game in found}
        assert all("metroid" in game["title"].casefold() for game in found)

    def test_are_found_by_genre_and_platform(self, client):
        query = {"genre": "Platformer", "platform": "switch", "limit": 200}
        found = client.get("/v1/games", params=query).json()["items"]
        assert found
        for game in found:
            assert "platformer" in game["genres"]
            assert "switch" in game["platforms"]

    def test_an_empty_search_asks_for_nothing(self, client):
        empty = client.get("/v1/games?title=&genre=&platform=&cursor=").json()
        assert empty == client.get("/v1/games").json()

    def test_show_what_is_known(self, client, host):
        answer = client.get("/v1/games/metroid")
        assert answer.headers["x-flyball-version"] == VERSION
        game = answer.json()
        assert (game["title"], game["released"]) == ("Metroid", "1986-08-06")
        assert game["price_usd"] == 4.99
        assert host.counted == [("/v1/games/{game_id}", 200)]

    def test_show_null_for_what_is_not_known(self, client):
        game = client.get("/v1/games/obscure-game-1").json()
        assert game["title"] == "Obscure Game 1"
        assert game["genres"] == []
        assert game["released"] is None
        assert game["price_usd"] is None

    @pytest.mark.parametrize("path", ["/v1/games/no-such", "/v1/games/no-such/similar"])
    def test_that_do_not_exist_are_a_problem(self, client, host, path):
        assert "no game 'no-such'" in is_a_problem(client.get(path), 404)
        assert [status for _, status in host.counted] == [404]

    def test_have_similar_ones(self, client):
        answer = client.get("/v1/games/metroid/similar", params={"k": 3})
        assert answer.headers["x-flyball-version"] == VERSION
        body = answer.json()
        assert (body["game_id"], body["model_version"]) == ("metroid", VERSION)
        assert 0 < len(body["items"]) <= 3
        assert body["underfilled"] == (len(body["items"]) < 3)
        assert all(item["game_id"] != "metroid" for item in body["items"])


class TestEvents:
    def test_are_stored_as_sent(self, client, host):
        sent = an_event(
            recommendation_id=f"ab12.{VERSION}",
            value=9.99,
            timestamp="2024-05-01T14:00:00+02:00",
        )
        answer = client.post("/v1/events", json=[sent])
        assert answer.status_code == 200
        assert answer.json() == {"accepted": 1, "duplicates": 0, "rejected": []}
        stored = host.events["event-1"]
        assert (stored.model, stored.user_id, stored.item_id) == ("games", "player-3", "metroid")
        assert (stored.recommendation_id, stored.value) == (f"ab12.{VERSION}", 9.99)
        assert stored.timestamp == datetime(2024, 5, 1, 12, tzinfo=UTC)
        assert stored.received_at > stored.timestamp

    def test_without_a_time_happened_when_they_came(self, client, host):
        client.post("/v1/events", json=[an_event()])
        stored = host.events["event-1"]
        assert stored.timestamp == stored.received_at
        assert stored.timestamp.tzinfo is UTC

    def test_sent_again_are_counted_as_duplicates(self, client, host):
        client.post("/v1/events", json=[an_event(1)])
        answer = client.post("/v1/events", json=[an_event(1), an_event(2), an_event(2)])
        assert answer.json() == {"accepted": 1, "duplicates": 2, "rejected": []}
        assert set(host.events) == {"event-1", "event-2"}

    @pytest.mark.parametrize("kind", ["impression", "click", "purchase", "play", "dislike"])
    def test_of_every_type_and_of_newer_games_are_taken(self, client, kind):
        event = an_event(type=kind, game_id="not-out-yet", recommendation_id="", value=None)
        assert client.post("/v1/events", json=[event]).json()["accepted"] == 1

    @pytest.mark.parametrize(
        "wrong",
        [
            {"type": "rating"},
            {"event_id": ""},
            {"event_id": "x" * 129},
            {"user_id": "nul\0"},
            {"game_id": "line\n"},
            {"game_id": None},
            {"value": -1},
            {"value": "9.99"},
            {"timestamp": "2024-05-01"},
            {"timestamp": "2024-05-01T14:00:00"},
            {"timestamp": "0001-01-01T00:00:00+14:00"},
            {"timestamp": "9999-12-31T23:59:59-14:00"},
            {"timestamp": 1714560000},
            {"surprise": 1},
            {"value": 10**400},
        ],
        ids=repr,
    )
    def test_that_cannot_be_read_are_listed_and_the_others_stored(self, client, host, wrong):
        sent = [an_event(1), an_event(2, **wrong), an_event(3)]
        body = client.post("/v1/events", json=sent).json()
        assert body["accepted"] == 2
        assert [rejected["index"] for rejected in body["rejected"]] == [1]
        assert body["rejected"][0]["detail"]
        assert set(host.events) == {"event-1", "event-3"}

    def test_of_bad_bytes_inside_a_good_array_are_rejected_alone(self, client, host):
        good = json.dumps(an_event(1)).encode()
        bad = json.dumps(an_event(2, user_id="?")).encode().replace(b"?", b"\xff")
        answer = client.post("/v1/events", content=b"[%s,%s]" % (good, bad), headers=JSON)
        assert answer.json()["accepted"] == 1
        assert [rejected["index"] for rejected in answer.json()["rejected"]] == [1]
        assert set(host.events) == {"event-1"}

    @pytest.mark.parametrize("count", [0, 1001])
    def test_come_one_to_a_thousand_at_a_time(self, client, count):
        sent = [an_event(number) for number in range(count)]
        assert "1 to 1000" in is_a_problem(client.post("/v1/events", json=sent), 422)

    def test_come_a_thousand_at_a_time(self, client, host):
        sent = [an_event(number) for number in range(1000)]
        assert client.post("/v1/events", json=sent).json()["accepted"] == 1000
        assert len(host.events) == 1000

    def test_are_an_array(self, client):
        is_a_problem(client.post("/v1/events", json=an_event()), 422)

    def test_that_cannot_be_stored_are_not_acknowledged(self, client, host):
        host.failing = StorageUnavailable("the database is away")
        is_a_problem(client.post("/v1/events", json=[an_event()]), 503)
        host.failing = StorageUnavailable("no space left on the disk")
        is_a_problem(client.post("/v1/events", json=[an_event()]), 507)

    def test_are_taken_while_no_version_is_loaded(self, client, host):
        host.servable = None
        assert client.post("/v1/events", json=[an_event()]).json()["accepted"] == 1

    def test_are_not_held_against_a_version(self, client, host):
        host.failing = StorageUnavailable("the database is away")
        client.post("/v1/events", json=[an_event()])
        assert host.counted == []


class TestTheDocumentation:
    def test_shows_requests_that_are_accepted(self, client):
        for example in (REQUEST, HISTORY):
            assert client.post(RECOMMEND, json=example).status_code == 200
        assert client.post("/v1/events", json=EVENTS).json()["accepted"] == len(EVENTS)

    def test_shows_those_examples(self, app):
        document = app.openapi()
        body = document["paths"][RECOMMEND]["post"]["requestBody"]["content"]
        shown = [example["value"] for example in body["application/json"]["examples"].values()]
        assert shown == [REQUEST, HISTORY]

    def test_names_exactly_the_fields_that_are_accepted(self, app):
        paths = app.openapi()["paths"]

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
        }
        for path, call in calls.items():
            good = app.openapi()["paths"][path]["get"]["responses"]["200"]["content"]
            said = good["application/json"]
            body = client.get(call).json()
            assert set(body) == set(said["schema"]["properties"]) == set(said["example"])

    def test_holds_no_reference_into_nothing(self, app):
        text = json.dumps(app.openapi())
        assert "$defs" not in text
        assert '"$ref": "#/{model}' not in text

    def test_says_the_bounds_that_hold(self, client, app):
        operation = app.openapi()["paths"][RECOMMEND + "/{user_id}"]["get"]
        k = next(each for each in operation["parameters"] if each["name"] == "k")["schema"]
        for number in (k["minimum"], k["maximum"]):
            assert client.get(f"{RECOMMEND}/p", params={"k": int(number)}).status_code == 200
        for number in (k["minimum"] - 1, k["maximum"] + 1):
            assert client.get(f"{RECOMMEND}/p", params={"k": int(number)}).status_code == 422


@contextmanager
def listening(app):
    """The app behind a real socket."""
    import threading

    import uvicorn

    config = uvicorn.Config(app, port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        socket.close()


class TestExercising:
    def test_a_good_server_holds_in_everything(self, app, host):
        with listening(app) as url:
            found = list(exercise(url))
        assert [(what, detail) for what, held, detail in found if not held] == []
        assert len(found) == 11
        assert [event.user_id for event in host.events.values()] == ["flyball-exercise"]

    def test_a_candidate_that_stores_no_events_is_good(self, app, host):
        host.failing = StorageUnavailable("a candidate under test accepts no events")
        with listening(app) as url:
            assert all(held for _, held, _ in exercise(url))

    def test_a_server_without_the_api_fails_and_says_where(self):
        with listening(FastAPI()) as url:
            found = list(exercise(url))
        assert not any(held for _, held, _ in found)
        assert all(detail for _, _, detail in found)

    def test_a_server_that_is_not_there_is_a_finding_not_a_crash(self):
        with listening(FastAPI()) as url:
            pass
        found = list(exercise(url))
        assert not any(held for _, held, _ in found)

    def test_a_server_that_recommends_owned_games_is_found_out(self, app, host):
        class Forgetful:
            def __init__(self, servable):
                self.catalogue, self.similar = servable.catalogue, servable.similar
                self._servable = servable

            def recommend(self, user_id, history=(), k=10, filters=None, **more):
                return self._servable.recommend(user_id, (), k, filters, **more)

        host.servable = Forgetful(host.servable)
        with listening(app) as url:
            failed = {what: detail for what, held, detail in exercise(url) if not held}
        assert list(failed) == ["recommendations for a history"]
        assert "a game the player has" in failed["recommendations for a history"]


async def answer_of(app, path):
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path)


def test_an_unexpected_error_is_counted_and_answered_as_a_problem(app, host):
    import asyncio

    class Broken:
        def recommend(self, *args, **kwargs):
            raise ZeroDivisionError

    host.servable = Broken()
    answer = asyncio.run(answer_of(app, f"{RECOMMEND}/player-3"))
    assert "ZeroDivision" not in is_a_problem(answer, 500)
    assert host.counted == [(f"{RECOMMEND}/{{user_id}}", 500)]
