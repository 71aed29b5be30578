"""Chance in lists of games: seldom, only where the log tells all, and by known probabilities."""

from __future__ import annotations

from collections import Counter

import pytest
from scipy import stats

from flyball.games.answering import Question
from flyball.games.business_rules import read_rules
from flyball.games.exploring import BEHIND, Exploring
from flyball.games.messages import Filters
from flyball.games.servable import GamesServable
from flyball.recommend.popularity import Popularity
from flyball.testing.games import packaged, some_purchases


@pytest.fixture(scope="module")
def servable(tmp_path_factory: pytest.TempPathFactory) -> GamesServable:
    return packaged(Popularity, tmp_path_factory.mktemp("artifact"), some_purchases())


def plain(**fields: object) -> Question:
    asked = {"user_id": "player-1", "history": (), "k": 5, "filters": None, "wishes": {}}
    return Question(**(asked | fields))  # type: ignore[arg-type]


def test_as_many_lists_have_chance_in_them_as_asked_for():
    picked = sum(Exploring(0.05).picks(plain(), f"{n:010x}") for n in range(20_000))
    low, high = stats.binom.ppf([1e-5, 1 - 1e-5], 20_000, 0.05)
    assert low <= picked <= high


def test_none_has_where_it_is_off_and_all_where_it_is_always_on():
    assert not any(Exploring(0.0).picks(plain(), str(n)) for n in range(500))
    assert all(Exploring(1.0).picks(plain(), str(n)) for n in range(500))


@pytest.mark.parametrize(
    "fields",
    [
        {"user_id": None},
        {"history": ("portal-2",)},
        {"filters": Filters(max_price=5.0)},
        {"wishes": {"min_score": 0.2}},
        {"wishes": {"diversity": 0.0}},
        {"wishes": {"rules": read_rules({"pins": [{"game_id": "portal-2", "place": 1}]})}},
    ],
)
def test_questions_that_the_log_does_not_tell_wholly_are_left_alone(fields):
    assert not Exploring(1.0).picks(plain(**fields), "0123456789")


def test_rules_without_pins_and_empty_filters_are_no_hindrance():
    rules = read_rules({"hidden": ["some-game"]})
    question = plain(filters=Filters(), wishes={"rules": rules})
    assert Exploring(1.0).picks(question, "0123456789")


def test_each_game_comes_to_each_place_as_often_as_the_log_says(servable):
    exploring, k, runs = Exploring(1.0), 4, 8_000
    found = servable.recommend("player-1", k=exploring.asked(k))
    assert len(found.items) == k + BEHIND
    seen, told = Counter(), {}
    for n in range(runs):
        answer, chances = exploring.mixed(found, k, f"{n:010x}")
        assert len({item.game_id for item in answer.items}) == k
        assert not answer.underfilled
        for place, (item, chance) in enumerate(zip(answer.items, chances, strict=True)):
            seen[place, item.game_id] += 1
            told[place, item.game_id] = chance
    for key, chance in told.items():
        low, high = stats.binom.ppf([1e-6, 1 - 1e-6], runs, chance)
        assert low <= seen[key] <= high


def test_a_list_that_cannot_be_filled_says_so(servable):
    found = servable.recommend("player-1", k=2)
    answer, chances = Exploring(1.0).mixed(found, 5, "0123456789")
    assert (len(answer.items), answer.underfilled, len(chances)) == (2, True, 2)
