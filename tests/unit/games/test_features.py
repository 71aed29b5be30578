"""What is known of games becomes words that models can compare."""

from __future__ import annotations

import numpy as np
import pytest

from flyball.games.catalogue import Catalogue, Game
from flyball.games.features import features
from flyball.recommend.tfidf import tfidf


def catalogue(*games):
    return Catalogue(tuple(sorted(games, key=lambda game: game.game_id)))


def a_game(game_id, title, **facts):
    return Game(game_id=game_id, title=title, **facts)


def likeness(*games):
    rows = tfidf(features(catalogue(*games)))
    return (rows @ rows.T).toarray()


FILLER = [a_game(f"z{n}", f"Zz{n} Other{n}", genres=("puzzle",)) for n in range(8)]


def test_games_of_one_series_are_more_alike_than_those_of_one_genre():
    found = likeness(
        a_game("a", "Total War Rome", genres=("strategy",), developer="One"),
        a_game("b", "Total War Attila", genres=("strategy",), developer="Two"),
        a_game("c", "Chess Master", genres=("strategy",), developer="Three"),
        *FILLER,
    )
    assert found[0, 1] > found[0, 2] > 0


def test_games_of_one_developer_are_alike():
    found = likeness(
        a_game("a", "Braid", genres=("puzzle",), developer="Number None"),
        a_game("b", "Witness", genres=("adventure",), developer="Number None"),
        a_game("c", "Myst", genres=("adventure",), developer="Cyan"),
        *FILLER,
    )
    assert found[0, 1] > found[0, 2]


def test_words_that_say_nothing_do_not_count():
    found = likeness(
        a_game("a", "The Game of the", genres=("rpg",)),
        a_game("b", "A Game in the", genres=("racing",)),
        *FILLER,
    )
    assert found[0, 1] == 0


def test_titles_of_every_script_and_emoji_are_taken():
    games = (
        a_game("a", "🎮🎮", genres=("rpg",)),
        a_game("b", "لعبة الحرب", genres=("rpg",)),
        a_game("c", "塞尔达传说", tags=("open-world",)),
        a_game("d", "", genres=("rpg",)),
    )
    found = features(catalogue(*games))
    assert found.shape[0] == 4
    assert np.isfinite(found.data).all()


def test_a_catalogue_of_bare_titles_has_no_features():
    assert features(catalogue(a_game("a", "Doom"), a_game("b", "Quake"))) is None


@pytest.mark.parametrize("turn", [1, -1])
def test_the_same_catalogue_gives_the_same_matrix(turn):
    games = FILLER[::turn]
    one, other = features(catalogue(*FILLER)), features(catalogue(*games))
    assert (one != other).nnz == 0
