"""Whatever is typed into the search box, its answer keeps what is promised."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flyball.games.catalogue import Catalogue, Game, game_id, known_games
from flyball.games.search_index import SearchIndex

TITLES = sorted(game.title for game in known_games().values())
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def catalogue_of(titles):
    games = {game_id(title): Game(game_id=game_id(title), title=title) for title in titles}
    return Catalogue(tuple(games[id] for id in sorted(games)))


@pytest.fixture(scope="module")
def known():
    catalogue = Catalogue(tuple(sorted(known_games().values(), key=lambda game: game.game_id)))
    popularity = np.random.default_rng(1).integers(0, 1000, len(catalogue)).astype(np.int32)
    return catalogue, SearchIndex.of(catalogue, popularity)


def found(known, query, k=5):
    catalogue, index = known
    return [catalogue.games[match.column].title for match in index.search(query, k)]


any_text = st.text(st.characters(), max_size=300) | st.text(st.characters(codec="ascii"))
surrogates = st.text(st.characters(categories=["Cs", "Lu", "Mn", "So", "Zs"]), max_size=20)


@given(query=any_text | surrogates, k=st.integers(-2, 120))
def test_any_text_has_an_answer_of_at_most_k_games_best_first(known, query, k):
    matches = known[1].search(query, k)
    assert len(matches) <= max(k, 0)
    assert len({match.column for match in matches}) == len(matches)
    scores = [match.score for match in matches]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)
    kinds = [match.matched for match in matches]
    assert kinds == sorted(kinds, key=["title", "content"].index)


@given(
    titles=st.lists(any_text | surrogates, max_size=12),
    query=any_text | surrogates,
    said=st.lists(any_text | surrogates, max_size=3),
)
def test_any_titles_can_be_searched(titles, query, said):
    games = tuple(
        Game(game_id=f"game-{number:03}", title=title, tags=tuple(said), developer=title[::-1])
        for number, title in enumerate(titles)
    )
    index = SearchIndex.of(Catalogue(games), np.arange(len(games), dtype=np.int32))
    for typed in (query, *titles, *said):
        assert len(index.search(typed, 5)) <= 5


@given(titles=st.lists(any_text, min_size=1, max_size=8), data=st.data())
def test_a_title_as_it_is_written_comes_first(titles, data):
    catalogue = catalogue_of(titles)
    index = SearchIndex.of(catalogue, np.arange(len(catalogue), dtype=np.int32))
    column = data.draw(st.integers(0, len(catalogue) - 1))
    title = catalogue.games[column].title
    assume(len(title) <= 200)
    matches = index.search(title, len(catalogue))
    assume(matches)  # a blank title, or one of nothing visible, finds nothing
    best = {match.column for match in matches if match.score == 1}
    assert column in best
    assert matches[0].score == 1


@given(title=st.sampled_from(TITLES))
def test_every_known_game_is_first_by_its_title(known, title):
    assert found(known, title, 1) == [title]


@given(title=st.sampled_from(TITLES), data=st.data())
def test_one_typo_in_a_title_of_five_letters_leaves_it_among_the_first_five(known, title, data):
    assume(sum(character.isalpha() for character in title) >= 5)
    place = data.draw(st.integers(0, len(title) - 1))
    letter = data.draw(st.sampled_from(LETTERS))
    before, after = title[:place], title[place:]
    typed = data.draw(
        st.sampled_from(
            [
                before + after[1:],
                before + letter + after,
                before + letter + after[1:],
                before + after[1:2] + after[:1] + after[2:],
            ]
        )
    )
    assert title in found(known, typed)


@given(title=st.sampled_from(TITLES), form=st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_neither_case_nor_accents_matter(known, title, form):
    plain = "".join(c for c in unicodedata.normalize("NFD", title) if not unicodedata.combining(c))
    spellings = [title.upper(), title.lower(), plain, unicodedata.normalize(form, title)]
    answers = [known[1].search(spelled, 5) for spelled in spellings]
    assert all(answer == known[1].search(title, 5) for answer in answers)
