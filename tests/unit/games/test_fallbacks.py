"""A version that fails to answer: who stands in, what the answer says, and what is counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from flyball.errors import InvalidRequest
from flyball.recommend import Popularity
from flyball.testing.games import OTHER, VERSION, packaged, some_purchases

RECOMMEND = "/v1/recommendations"
PLAYER = {"user_id": "player-3", "k": 5}


class Failing:
    """A version that raises where it is asked for a list; otherwise the real one."""

    def __init__(self, servable: Any, error: Exception, popular: Exception | None = None) -> None:
        self._servable, self._error, self._popular = servable, error, popular

    def answers(self, questions: Any, *, popular: bool = False) -> Any:
        if not popular:
            raise self._error
        if self._popular is not None:
            raise self._popular
        return self._servable.answers(questions, popular=True)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._servable, name)


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    return packaged(Popularity, tmp_path_factory.mktemp("beside"), some_purchases())


@pytest.fixture
def failing(host, servable):
    host.servable = Failing(servable, ZeroDivisionError("secret inner detail"))
    return host


def owned(servable: Any, player: str) -> set[str]:
    return {servable.artifact.items[column] for column in servable.owned(player).items.tolist()}


def test_a_version_that_answers_needs_nobody(client, host):
    answer = client.post(RECOMMEND, json=PLAYER).json()
    assert answer["fallback"] is None
    assert (host.counted, host.fallbacks) == ([(RECOMMEND, 200)], [])


def test_the_other_loaded_version_stands_in_and_the_failure_counts_for_the_first(
    client, failing, beside
):
    failing.other = beside
    answer = client.post(RECOMMEND, json=PLAYER)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["fallback"], body["model_version"]) == ("other_version", OTHER)
    assert answer.headers["x-flyball-version"] == OTHER
    assert len(body["items"]) == 5
    assert failing.counted == [(RECOMMEND, 500), (RECOMMEND, 200)]
    assert failing.fallbacks == [(VERSION, "other_version")]


def test_the_popular_games_stand_in_where_no_other_version_is_loaded(client, failing, servable):
    body = client.post(RECOMMEND, json=PLAYER).json()
    assert (body["fallback"], body["model_version"]) == ("popularity", VERSION)
    shown = [item["game_id"] for item in body["items"]]
    assert len(shown) == 5
    assert not set(shown) & owned(servable, "player-3")
    assert [item["reasons"][0]["kind"] for item in body["items"]] == ["popularity"] * 5
    assert failing.counted == [(RECOMMEND, 500)], "for the player an answer, for the version none"


def test_the_popular_games_stand_in_where_the_other_version_fails_too(client, failing, beside):
    failing.other = Failing(beside, ArithmeticError())
    body = client.post(RECOMMEND, json=PLAYER).json()
    assert (body["fallback"], body["model_version"]) == ("popularity", VERSION)
    assert failing.fallbacks == [(VERSION, "popularity")]


def test_filters_and_dislikes_hold_for_the_popular_games_too(client, failing):
    first = client.post(RECOMMEND, json=PLAYER).json()["items"]
    banned = first[0]["game_id"]
    told = [{"event_id": "1", "type": "dislike", "user_id": "player-3", "game_id": banned}]
    client.post("/v1/events", json=told)
    filters = {"exclude": [first[1]["game_id"]]}
    body = client.post(RECOMMEND, json={**PLAYER, "filters": filters}).json()
    shown = {item["game_id"] for item in body["items"]}
    assert len(shown) == 5
    assert not shown & {banned, first[1]["game_id"]}


def test_it_is_an_error_where_nothing_can_stand_in(client, host, servable):
    host.servable = Failing(servable, ZeroDivisionError("secret"), popular=ZeroDivisionError())
    answer = client.post(RECOMMEND, json=PLAYER)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert host.counted == [(RECOMMEND, 500)]


def test_what_the_caller_did_wrong_is_no_failure_of_the_version(client, host, servable):
    host.servable = Failing(servable, InvalidRequest("not so"))
    assert client.post(RECOMMEND, json=PLAYER).status_code == 422
    assert (host.counted, host.fallbacks) == ([(RECOMMEND, 422)], [])


def test_a_model_whose_scores_are_no_numbers_has_failed(client, host, servable, monkeypatch):
    def nothing(history: Any) -> Any:
        return np.full(len(servable.artifact.items), np.nan, dtype=np.float32)

    monkeypatch.setattr(servable.artifact.model, "score", nothing)
    body = client.post(RECOMMEND, json=PLAYER).json()
    assert body["fallback"] == "popularity"
    assert len(body["items"]) == 5
