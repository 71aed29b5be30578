"""Which games pass which filter, told by a catalogue made for it."""

from __future__ import annotations

from datetime import date

import pytest

from flyball.games.catalogue import Catalogue, Game
from flyball.games.filters import FilterIndex
from flyball.games.messages import Filters

GAMES = (
    Game(
        game_id="a",
        title="A",
        genres=("RPG",),
        tags=("co-op", "space"),
        platforms=("windows",),
        released=date(2020, 5, 1),
        price_usd=20.0,
        age_rating=16,
    ),
    Game(
        game_id="b",
        title="\u202bמשחק\u202c 🎮",
        genres=("puzzle", "horror"),
        tags=("space",),
        platforms=("mac", "windows"),
        released=date(2021, 5, 1),
        price_usd=0.0,
        age_rating=0,
    ),
    Game(game_id="c", title="Nothing is known of it"),
)


def passing(filters):
    """The ids of the games that pass all of the filters."""
    index = FilterIndex(Catalogue(GAMES))
    barriers = [*index.barriers(filters)]
    return "".join(
        game.game_id
        for n, game in enumerate(GAMES)
        if not any(barrier.stops(n) for barrier in barriers)
    )


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, "abc"),
        ({"genres": ["rpg", "no such"]}, "a"),
        ({"genres": ["rpg", "Horror "]}, "ab"),
        ({"genres": []}, ""),
        ({"tags": ["SPACE"]}, "ab"),
        ({"platforms": ["mac"]}, "b"),
        ({"exclude_genres": ["horror"]}, "ac"),
        ({"exclude_genres": ["horror", "rpg"]}, "c"),
        ({"exclude_genres": []}, "abc"),
        ({"exclude_tags": ["co-op"]}, "bc"),
        ({"min_price": 0.01}, "a"),
        ({"max_price": 0.0}, "b"),
        ({"min_price": 0.0, "max_price": 20.0}, "ab"),
        ({"released_after": date(2020, 5, 1)}, "b"),
        ({"released_before": date(2021, 5, 1)}, "a"),
        ({"max_age_rating": 0}, "b"),
        ({"max_age_rating": 16}, "ab"),
        ({"max_age_rating": 15}, "b"),
        ({"exclude": ["a", "no-such-game", "a"]}, "bc"),
        ({"genres": ["rpg"], "exclude_genres": ["rpg"]}, ""),
        ({"min_price": 30.0, "max_price": 10.0}, ""),
        ({"released_after": date(2022, 1, 1), "released_before": date(2019, 1, 1)}, ""),
    ],
    ids=str,
)
def test_a_filter_leaves_exactly_the_games_that_fit(asked, expected):
    """Contradicting filters leave none; a fact that is not known passes no filter on it."""
    assert passing(Filters(**asked)) == expected


def test_each_filter_is_told_apart():
    names = [one.cause for one in FilterIndex(Catalogue(GAMES)).barriers(Filters(**EVERY))]
    assert sorted(names) == sorted(EVERY)
    assert set(names) == set(Filters.__struct_fields__)


EVERY = {
    "genres": ["rpg"],
    "platforms": ["windows"],
    "tags": ["space"],
    "exclude_genres": ["horror"],
    "exclude_tags": ["vr"],
    "min_price": 1.0,
    "max_price": 2.0,
    "released_after": date(2020, 1, 1),
    "released_before": date(2021, 1, 1),
    "max_age_rating": 12,
    "exclude": ["a"],
}
