"""What a client of the games API may rely on, request by request."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from flyball.games.application import GamesApplication
from flyball.serving.edge.edge import Edge
from flyball.testing.games import VERSION, a_purchase, is_a_problem

RECOMMEND = "/v1/recommendations"


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
            "score_kind",
            "fallback",
        }
        assert body["score_kind"] == "probability"
        assert (body["model"], body["model_version"]) == ("games", VERSION)
        assert (body["variant"], body["underfilled"]) == ("champion", False)
        assert len(body["items"]) == 4
        for item in body["items"]:
            assert set(item) == {"game_id", "title", "score", "reasons", "rest", "exact"}
            assert 0 < item["score"] < 1
            assert set(item["reasons"][0]) == {"game_id", "share", "kind"}
        assert host.counted == [(RECOMMEND, 200)]

    def test_by_get_are_those_by_post(self, client, host):
        by_get = client.get(f"{RECOMMEND}/player-3", params={"k": 4}).json()
        by_post = client.post(RECOMMEND, json={"user_id": "player-3", "k": 4}).json()
        assert by_get["items"] == by_post["items"]
        assert host.counted == [(f"{RECOMMEND}/{{user_id}}", 200), (RECOMMEND, 200)]

    def test_have_a_signed_id_of_their_own_that_names_the_version(self, client, host):
        found = {client.get(f"{RECOMMEND}/player-3").json()["recommendation_id"] for _ in range(20)}
        assert len(found) == 20
        assert {host.answers.read(each).version for each in found} == {VERSION}
        assert all(len(each) <= 128 for each in found)

    def test_are_noted_as_they_were_answered(self, client, host):
        plain = client.get(f"{RECOMMEND}/player-3").json()
        asked = {"user_id": "player-4", "k": 3, "filters": {"max_price": 0.0}}
        filtered = client.post(RECOMMEND, json=asked).json()
        anonymous = client.post(RECOMMEND, json={"k": 2, "filters": {}}).json()
        noted = [(r["recommendation_id"], [i["game_id"] for i in r["items"]]) for r in (
            plain, filtered, anonymous
        )]  # fmt: skip
        assert [(answer, items) for answer, _, items, _ in host.lists] == noted
        assert [user for _, user, _, _ in host.lists] == ["player-3", "player-4", None]
        assert [was_filtered for *_, was_filtered in host.lists] == [False, True, False]

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
        client.post("/v1/events", json=[a_purchase(game_id=first)])
        after = client.get(f"{RECOMMEND}/player-3", params={"k": 100}).json()
        assert first not in {item["game_id"] for item in after["items"]}

    def test_go_to_players_with_any_printable_name(self, client):
        for name in ("ünïcode ✓", "a b", "a/b", "50%", "x" * 128):
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


def test_an_unexpected_error_is_counted_and_answered_without_its_text(host):
    class Broken:
        def recommend(self, *args, **kwargs):
            raise ZeroDivisionError("secret inner detail")

    host.servable = Broken()
    bare = FastAPI()
    bare.include_router(GamesApplication().routes(host))
    answer = TestClient(Edge(bare, loopback=False)).get(f"{RECOMMEND}/player-3")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert host.counted == [(f"{RECOMMEND}/{{user_id}}", 500)]


class TestSearch:
    def test_finds_a_game_despite_a_typo(self, client, host):
        answer = client.get("/v1/search", params={"q": "metriod", "k": 3})
        assert answer.headers["x-flyball-version"] == VERSION
        items = answer.json()["items"]
        assert items[0]["game_id"] == "metroid"
        assert items[0]["matched"] == "title"
        assert len(items) <= 3
        scores = [item["score"] for item in items]
        assert scores == sorted(scores, reverse=True)
        assert host.counted == [("/v1/search", 200)]

    def test_takes_any_text(self, client):
        for text in ("", "   ", "🎮", "\u202bשלום", "a\0b", "%", "x" * 1000):
            assert client.get("/v1/search", params={"q": text}).status_code == 200

    @pytest.mark.parametrize("query", ["", "q=a&k=0", "q=a&k=101", "q=" + "x" * 1001])
    def test_refuses_what_cannot_be_read(self, client, host, query):
        is_a_problem(client.get(f"/v1/search?{query}"), 422)
        assert host.counted == [("/v1/search", 422)]


class TestSimilarGames:
    def test_mix_what_players_have_with_what_games_are(self, client, servable):
        plain = client.get("/v1/games/metroid/similar?k=5").json()["items"]
        mixed = client.get("/v1/games/metroid/similar?k=5&content=1").json()["items"]
        assert [item["game_id"] for item in plain] != [item["game_id"] for item in mixed]
        assert mixed == [
            {"game_id": game.game_id, "title": game.title, "score": game.score}
            for game in servable.similar("metroid", 5, content=1.0)
        ]

    @pytest.mark.parametrize("content", ["nan", "inf", "-0.1", "1.1", "much"])
    def test_refuse_what_is_no_share(self, client, content):
        answer = client.get("/v1/games/metroid/similar", params={"content": content})
        assert "$.content" in is_a_problem(answer, 422)


class TestRules:
    def test_in_force_hold_for_every_answer(self, client, host):
        first = client.get(f"{RECOMMEND}/player-3?k=3").json()["items"]
        ids = [item["game_id"] for item in first]
        host.in_force = GamesApplication().read_rules(
            {"hidden": ids[:1], "pins": [{"game_id": ids[2], "place": 1}]}
        )
        for answer in (
            client.get(f"{RECOMMEND}/player-3?k=2"),
            client.post(RECOMMEND, json={"user_id": "player-3", "k": 2}),
        ):
            assert [item["game_id"] for item in answer.json()["items"]] == [ids[2], ids[1]]


class TestAskingByGet:
    def test_takes_the_filters_of_the_request_by_post(self, client):
        filters = {
            "genres": ["platformer", "action"],
            "exclude": ["metroid"],
            "max_price": 20,
            "released_after": "1985-01-01",
        }
        body = {"user_id": "player-3", "k": 100, "filters": filters, "min_score": 0.001}
        by_post = client.post(RECOMMEND, json=body).json()
        query = {**filters, "k": 100, "min_score": 0.001}
        by_get = client.get(f"{RECOMMEND}/player-3", params=query).json()
        assert 0 < len(by_get["items"]) < 40
        assert by_get["items"] == by_post["items"]

    @pytest.mark.parametrize(
        "query", ["min_score=nan", "min_score=inf", "max_price=NaN", "diversity=-inf", "genres="]
    )
    def test_refuses_numbers_that_are_none(self, client, query):
        is_a_problem(client.get(f"{RECOMMEND}/player-3?{query}"), 422)


class TestALongHistory:
    def test_of_many_thousand_ids_known_and_not_is_answered(self, client, servable):
        known = list(servable.artifact.items[:20])
        history = (known + [f"nobody-knows-{number}" for number in range(30)]) * 1000
        body = client.post(RECOMMEND, json={"history": history, "k": 100}).json()
        assert {item["game_id"] for item in body["items"]} == set(servable.artifact.items[20:])
        short = client.post(RECOMMEND, json={"history": known, "k": 100}).json()
        assert body["items"] == short["items"]
