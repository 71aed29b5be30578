"""The facts of a catalogue by column are those of its games."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from flyball.errors import ArtifactCorrupt
from flyball.games.catalogue import Catalogue, Game
from flyball.games.facts import Facts

GAMES = (
    Game(game_id="a", title="A", genres=("RPG", "Café"), developer="Two  Words", price_usd=0.0),
    Game(game_id="b", title="B", tags=("rpg",), platforms=("mac",), released=date(2020, 5, 1)),
    Game(game_id="c", title="C", genres=("rpg", "RPG"), publisher="Line\nfeed", age_rating=18),
)


@pytest.fixture(params=["made", "loaded"])
def facts(request, tmp_path):
    made = Catalogue(GAMES)
    if request.param == "made":
        return made.facts
    made.save(tmp_path)
    return Catalogue.load(tmp_path).facts


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("genre", "rpg", [0, 2]),
        ("genre", " Rpg", [0, 2]),
        ("genre", "CAFE", [0]),
        ("genre", "rp", []),
        ("genre", "", []),
        ("tag", "rpg", [1]),
        ("platform", "MAC", [1]),
        ("developer", "two  words", [0]),
        ("publisher", "line\nfeed", [2]),
        ("publisher", "two  words", []),
    ],
)
def test_a_name_of_a_kind_leads_to_its_games(facts, kind, name, expected):
    assert facts.columns(kind, name).tolist() == expected
    assert np.flatnonzero(facts.having(kind, name)).tolist() == expected


def test_names_are_counted_by_kind(facts):
    assert facts.counts("genre") == {"rpg": 2, "cafe": 1}
    assert facts.counts("tag") == {"rpg": 1}


def test_numbers_are_nan_where_they_are_not_known(facts):
    np.testing.assert_array_equal(facts.prices, [0.0, np.nan, np.nan])
    np.testing.assert_array_equal(facts.ages, [np.nan, np.nan, 18.0])
    np.testing.assert_array_equal(facts.released, [np.nan, date(2020, 5, 1).toordinal(), np.nan])


def test_masks_are_shared_so_nobody_may_write_into_them(facts):
    with pytest.raises(ValueError, match="read-only"):
        facts.having("genre", "rpg")[0] = False


@pytest.mark.parametrize("n_games", [2, 4])
def test_of_other_games_they_are_a_damaged_artifact(n_games, tmp_path):
    Facts.of(GAMES).save(tmp_path)
    with pytest.raises(ArtifactCorrupt, match="do not fit"):
        Facts.load(tmp_path, n_games)
