"""Where chance has a part in answers: the caller sees a list, the log sees the probabilities."""

from __future__ import annotations

import json

import msgspec
import pytest

from flyball.exchange import Call
from flyball.games.lists import Lists
from flyball.games.routes import GamesApi
from flyball.recommend.popularity import Popularity
from flyball.testing.games import OneVersionHost, packaged, some_purchases

K = 3


@pytest.fixture(scope="module")
def servable(tmp_path_factory):
    return packaged(Popularity, tmp_path_factory.mktemp("artifact"), some_purchases())


def asked(host, times: int = 1, **more):
    api = GamesApi(host, Lists(host))
    calls = [Call(json.dumps({"user_id": "player-1", "k": K} | more).encode())] * times
    return [msgspec.json.decode(reply.body) for reply in api.recommend_together(calls)]


def ids(answer) -> list[str]:
    return [item["game_id"] for item in answer["items"]]


def test_a_list_has_the_length_that_was_asked_for_and_what_is_noted_is_what_was_answered(servable):
    host = OneVersionHost(servable, exploration=1.0)
    answers = asked(host, 40)
    assert {len(answer["items"]) for answer in answers} == {K}
    assert not any(answer["underfilled"] for answer in answers)
    assert [list(items) for _, _, items, _ in host.lists] == [ids(answer) for answer in answers]
    assert len({tuple(ids(answer)) for answer in answers}) > 1, "chance moved something"


def test_each_place_has_a_probability_that_is_noted(servable):
    host = OneVersionHost(servable, exploration=1.0)
    asked(host, 20)
    for chances in host.propensities:
        assert chances is not None
        assert len(chances) == K
        assert all(0.0 < chance < 1.0 for chance in chances)


def test_the_share_of_lists_with_chance_in_them_is_what_was_set(servable):
    host = OneVersionHost(servable, exploration=0.25)
    asked(host, 400)
    assert 60 <= sum(chances is not None for chances in host.propensities) <= 145


@pytest.mark.parametrize("more", [{"filters": {"genres": ["action"]}}, {"min_score": 0.0}])
def test_what_the_log_does_not_tell_is_left_alone(servable, more):
    host = OneVersionHost(servable, exploration=1.0)
    asked(host, 5, **more)
    assert host.propensities == [None] * 5


def test_without_it_every_list_is_the_ranking(servable):
    host = OneVersionHost(servable)
    assert len({tuple(ids(answer)) for answer in asked(host, 20)}) == 1
    assert host.propensities == [None] * 20
