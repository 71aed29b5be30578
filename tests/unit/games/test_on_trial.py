"""A bad version that is on trial harms no player, and is counted for what it does."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from flyball.exchange import Call
from flyball.games.lists import Lists
from flyball.games.routes import GamesApi
from flyball.games.servable import Answer, GamesServable
from flyball.testing.games import OTHER, VERSION, OneVersionHost
from rollout_on import (
    THEIRS,
    WATCH,
    BadModel,
    BadServable,
    asked,
    document,
    no_number,
    players,
    raising,
    rolling,
    tag,
)

BAD_SCORES = {
    "raises": raising,
    "no numbers": no_number,
    "too few": lambda scores: scores[:-1],
    "too many": lambda scores: np.append(scores, scores),
    "of two dimensions": lambda scores: scores[:, None],
    "none": lambda _: None,
    "a text": lambda _: "scores",
}


def with_items(answers: list[Answer], harm: Callable[[Any], Any]) -> list[Answer]:
    return [Answer(harm(each.items), each.underfilled) for each in answers]


BAD_ANSWERS = {
    "none at all": lambda answers: [],
    "one too many": lambda answers: [*answers, answers[0]],
    "not lists": lambda answers: [None] * len(answers),
    "no items": lambda answers: with_items(answers, lambda _: None),
    "too short": lambda answers: with_items(answers, lambda items: items[:-1]),
    "too long": lambda answers: with_items(answers, lambda items: [*items, items[0]]),
    "one game twice": lambda answers: with_items(answers, lambda items: [items[0]] * len(items)),
    "scores of numpy": lambda answers: with_items(
        answers, lambda items: [msgspec.structs.replace(i, score=np.float32(0.5)) for i in items]
    ),
    "scores that are no numbers": lambda answers: with_items(
        answers, lambda items: [msgspec.structs.replace(i, score=math.nan) for i in items]
    ),
    "ids that are no texts": lambda answers: with_items(
        answers, lambda items: [msgspec.structs.replace(i, game_id=n) for n, i in enumerate(items)]
    ),
}


class TestAVersionThatAnswersWrongly:
    """Its player gets the list of the other version; it is counted for the version and the unit."""

    def check(self, servable: Any, challenger: Any) -> None:
        host = rolling(servable, challenger)
        found = asked(host, *players(1, 2, 3))
        [alone] = asked(OneVersionHost(servable), *players(2))
        theirs = document(found[1])
        assert (theirs["model_version"], theirs["fallback"]) == (VERSION, "other_version")
        assert theirs["items"] == document(alone)["items"]
        assert [document(found[n])["fallback"] for n in (0, 2)] == [None, None]
        units = {version: units for version, status, units in host.drawn if status == 500}
        assert units == {OTHER: (tag(THEIRS),)}
        fine = [units for version, status, units in host.drawn if status == 200]
        assert fine == [(tag("player-1"), tag("player-3"))], "who stood in was drawn for nobody"
        assert sum(status == 200 for _, status in host.counted) == 3
        assert host.fallbacks == [(OTHER, "other_version")]

    @pytest.mark.parametrize("harm", BAD_SCORES.values(), ids=BAD_SCORES)
    def test_by_its_scores(self, servable, harm):
        model = BadModel(servable.artifact.model, harm)
        self.check(servable, GamesServable(replace(servable.artifact, model=model)))

    @pytest.mark.parametrize("harm", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
    def test_by_its_lists(self, servable, harm):
        self.check(servable, BadServable(servable, harm))

    def test_is_found_out_for_each_player_alone(self, servable):
        """Of several asked at once only those fail whose answer is wrong."""

        def second(answers: list[Answer]) -> list[Answer]:
            wrong = [a for a in answers if a.items and a.items[0].game_id == first]
            return [Answer([], underfilled=False) if a in wrong else a for a in answers]

        first = document(asked(OneVersionHost(servable), *players(2))[0])["items"][0]["game_id"]
        others = [
            number
            for number in range(3, 30)
            if document(asked(OneVersionHost(servable), *players(number))[0])["items"][0]["game_id"]
            != first
        ][:2]
        names = {f"player-{number}" for number in (2, *others)}
        host = rolling(servable, BadServable(servable, second))
        host.theirs = frozenset(names)
        found = [document(each)["fallback"] for each in asked(host, *players(2, *others))]
        assert found == ["other_version", None, None]

    def test_for_a_search_is_an_error_of_its_unit(self, servable):
        challenger = BadServable(servable, list)
        challenger.search = raising
        host = OneVersionHost(challenger, watch=WATCH)
        with pytest.raises(ZeroDivisionError):
            asyncio.run(GamesApi(host, Lists(host)).search(Call(query=b"q=portal")))
        ((version, status, units),) = host.drawn
        assert (version, status, len(units)) == (VERSION, 500, 1)
