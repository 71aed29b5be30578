"""What a version would have answered, for judging it by logs: its own lists, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyball.games.application import GamesApplication
from flyball.games.servable import GamesServable
from flyball.ports import Asking, Ranks
from flyball.recommend.popularity import Popularity
from flyball.testing.builders import NOON
from flyball.testing.games import packaged, some_purchases


@pytest.fixture(scope="module")
def servable(tmp_path_factory: pytest.TempPathFactory) -> GamesServable:
    directory: Path = tmp_path_factory.mktemp("artifact")
    return packaged(Popularity, directory, some_purchases())


def test_the_application_can_be_judged_by_logs():
    assert isinstance(GamesApplication(), Ranks)


def test_each_is_answered_as_serving_would(servable):
    asked = [
        Asking("player-1", 5, {}, NOON),
        Asking("player-2", 3, {"play": frozenset({"portal-2"})}, NOON),
        Asking("nobody-knows", 4, {}, NOON),
    ]
    found = GamesApplication().ranked(servable, asked, None)
    for one, items in zip(asked, found, strict=True):
        answer = servable.recommend(one.user, k=one.k, overlay=one.overlay)
        assert items == [item.game_id for item in answer.items]
        assert len(items) == one.k


def test_what_a_user_had_by_then_is_not_in_their_list(servable):
    [usual] = GamesApplication().ranked(servable, [Asking("player-1", 5, {}, NOON)], None)
    had = {"purchase": frozenset(usual[:1]), "dislike": frozenset(usual[1:2])}
    [after] = GamesApplication().ranked(servable, [Asking("player-1", 5, had, NOON)], None)
    assert not set(after) & set(usual[:2])


def test_the_rules_of_the_shop_hold(servable):
    application = GamesApplication()
    [usual] = application.ranked(servable, [Asking("player-1", 5, {}, NOON)], None)
    rules = application.read_rules({"hidden": [usual[0]]})
    [ruled] = application.ranked(servable, [Asking("player-1", 5, {}, NOON)], rules)
    assert usual[0] not in ruled
