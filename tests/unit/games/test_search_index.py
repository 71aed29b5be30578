"""What somebody who types into the search box may rely on."""

from __future__ import annotations

import numpy as np
import pytest

from flyball.errors import InvalidRequest
from flyball.games.catalogue import Catalogue, Game, game_id
from flyball.games.search_index import Match, SearchIndex

GAMES: dict[str, int] = {
    "Grand Theft Auto V": 900,
    "Grand Theft Auto IV": 400,
    "Grand Theft Auto: San Andreas": 500,
    "Call of Duty: Black Ops": 600,
    "Call of Duty 4: Modern Warfare": 650,
    "FINAL FANTASY VII": 300,
    "FINAL FANTASY VIII": 200,
    "FINAL FANTASY X": 250,
    "Counter-Strike": 800,
    "Counter-Strike: Source": 700,
    "Counter-Strike: Global Offensive": 950,
    "Half-Life": 450,
    "Half-Life 2": 550,
    "Left 4 Dead 2": 640,
    "The Binding of Isaac": 350,
    "S.T.A.L.K.E.R.: Shadow of Chernobyl": 150,
    "Tom Clancy's Rainbow Six": 120,
    "Pokémon Émeraude": 330,
    "Ratchet & Clank": 90,
    "東方幻霊録": 20,
    "Ведьмак: Дикая Охота": 30,
    "لعبة الحرب": 10,
    "🎮🔥": 5,
    "???": 4,
    "Portal": 860,
    "Portal 2": 870,
    "Zombie Garden": 3,
    "Spore": 60,
    "Ark": 70,
}
TOLD = [
    Game(
        game_id=game_id("Quiet Fields"), title="Quiet Fields", genres=("horror",),
        tags=("open-world", "zombies"), developer="Valve",
    ),
    Game(
        game_id=game_id("Loud Fields"), title="Loud Fields", genres=("horror",), tags=("crafting",),
        developer="Bohemia Interactive",
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def catalogue():
    games = [Game(game_id=game_id(title), title=title) for title in GAMES] + TOLD
    return Catalogue(tuple(sorted(games, key=lambda game: game.game_id)))


@pytest.fixture(scope="module")
def index(catalogue):
    played = [GAMES.get(game.title, 40) for game in catalogue.games]
    return SearchIndex.of(catalogue, np.array(played, dtype=np.int32))


@pytest.fixture
def titles(index, catalogue):
    def found(query: str, k: int = 5) -> list[str]:
        return [catalogue.games[match.column].title for match in index.search(query, k)]

    return found


class TestATitleIsFound:
    """However it is typed."""

    @pytest.mark.parametrize(
        ("typed", "meant"),
        [
            ("conter strike", "Counter-Strike"),
            ("hafl life", "Half-Life"),
            ("poratl", "Portal"),
            ("sopre", "Spore"),
            ("akr", "Ark"),
            ("binding of isac", "The Binding of Isaac"),
            ("final fantsy viii", "FINAL FANTASY VIII"),
        ],
    )
    def test_with_a_typo(self, titles, typed, meant):
        assert titles(typed)[0] == meant

    @pytest.mark.parametrize(
        ("typed", "meant"),
        [
            ("gta 5", "Grand Theft Auto V"),
            ("GTA5", "Grand Theft Auto V"),
            ("grand theft auto 4", "Grand Theft Auto IV"),
            ("final fantasy 7", "FINAL FANTASY VII"),
            ("final fantasy ten", "FINAL FANTASY X"),
            ("tom clancys rainbow 6", "Tom Clancy's Rainbow Six"),
            ("left four dead ii", "Left 4 Dead 2"),
        ],
    )
    def test_by_another_spelling_of_its_number(self, titles, typed, meant):
        assert titles(typed)[0] == meant

    @pytest.mark.parametrize(
        ("typed", "meant"),
        [
            ("gta", {"Grand Theft Auto V", "Grand Theft Auto IV", "Grand Theft Auto: San Andreas"}),
            ("gta san andreas", {"Grand Theft Auto: San Andreas"}),
            ("cod", {"Call of Duty: Black Ops", "Call of Duty 4: Modern Warfare"}),
            ("cod4", {"Call of Duty 4: Modern Warfare"}),
            ("csgo", {"Counter-Strike: Global Offensive"}),
            ("l4d2", {"Left 4 Dead 2"}),
            ("boi", {"The Binding of Isaac"}),
            ("tboi", {"The Binding of Isaac"}),
        ],
    )
    def test_by_its_initials(self, titles, typed, meant):
        assert set(titles(typed)[: len(meant)]) == meant

    @pytest.mark.parametrize(
        ("typed", "meant"),
        [
            ("counterstrike source", "Counter-Strike: Source"),
            ("halflife2", "Half-Life 2"),
            ("left4dead", "Left 4 Dead 2"),
            ("stalker", "S.T.A.L.K.E.R.: Shadow of Chernobyl"),
            ("ratchet and clank", "Ratchet & Clank"),
            ("  PORTAL -- 2!! ", "Portal 2"),
            ("source strike counter", "Counter-Strike: Source"),
            ("isaac binding", "The Binding of Isaac"),
        ],
    )
    def test_whatever_the_punctuation_and_the_order_of_words(self, titles, typed, meant):
        assert titles(typed)[0] == meant

    @pytest.mark.parametrize(
        "typed", ["pokemon emeraude", "POKÉMON", "poke\u0301mon", "ｐｏｋｅｍｏｎ"]
    )
    def test_whatever_its_case_accents_and_width(self, titles, typed):
        assert titles(typed)[0] == "Pokémon Émeraude"

    @pytest.mark.parametrize("length", range(3, 17))
    def test_while_it_is_being_typed(self, titles, length):
        assert "Counter-Strike: Source" in titles("Counter-Strike: Source"[:length])

    def test_by_the_beginnings_of_its_words(self, titles):
        assert titles("cou str sou")[0] == "Counter-Strike: Source"

    @pytest.mark.parametrize(
        ("typed", "meant"),
        [
            ("東方", "東方幻霊録"),
            ("幻霊", "東方幻霊録"),
            ("дикая", "Ведьмак: Дикая Охота"),
            ("ВЕДЬМАК", "Ведьмак: Дикая Охота"),
            ("الحرب", "لعبة الحرب"),
            ("الحَرْب", "لعبة الحرب"),
            ("🎮🔥", "🎮🔥"),
            ("???", "???"),
        ],
    )
    def test_in_any_script(self, titles, typed, meant):
        assert titles(typed)[0] == meant


@pytest.mark.parametrize(
    ("typed", "meant", "others"),
    [
        ("akr", "Ark", "Ak"),
        ("幻霊", "東方幻霊録", "幻"),
        ("gta", "Grand Theft Auto", "Gt"),
    ],
)
def test_a_title_is_found_among_hundreds_that_share_more_letters(typed, meant, others):
    titles = [meant, *(f"{others} {number}" for number in range(300))]
    games = tuple(Game(game_id=f"g{n:03}", title=title) for n, title in enumerate(titles))
    index = SearchIndex.of(Catalogue(games), np.arange(len(games), dtype=np.int32))
    assert index.search(typed, 3)[0].column == 0


class TestTheOrder:
    """Of the games that answer a query."""

    def test_the_very_title_comes_first_however_popular_the_others_are(self, titles):
        assert titles("portal")[:2] == ["Portal", "Portal 2"]
        assert titles("counter-strike")[0] == "Counter-Strike"

    def test_the_very_title_alone_scores_one(self, index):
        scores = [match.score for match in index.search("final fantasy vii", 5)]
        assert scores[0] == 1
        assert max(scores[1:]) < 1

    def test_equal_scores_are_ordered_by_popularity(self, index, titles):
        scores = [match.score for match in index.search("port", 2)]
        assert scores[0] == scores[1]
        assert titles("port", 2) == ["Portal 2", "Portal"]

    def test_a_title_beats_any_content(self, index, titles):
        assert titles("zombie")[:2] == ["Zombie Garden", "Quiet Fields"]
        assert [match.matched for match in index.search("zombie", 2)] == ["title", "content"]

    def test_content_never_scores_as_much_as_a_title(self, index):
        found = index.search("zombie", 50) + index.search("horror fields", 50)
        by_title = [match.score for match in found if match.matched == "title"]
        by_content = [match.score for match in found if match.matched == "content"]
        assert min(by_title) > 0.5 >= max(by_content)


class TestContent:
    """Genres, tags and developers, where no title fits."""

    @pytest.mark.parametrize(
        ("typed", "meant"),
        [
            ("valve", ["Quiet Fields"]),
            ("open world zombies", ["Quiet Fields"]),
            ("bohemia", ["Loud Fields"]),
            ("bohemai", ["Loud Fields"]),
            ("craft", ["Loud Fields"]),
            ("horror crafting", ["Loud Fields"]),
        ],
    )
    def test_finds_games(self, index, titles, typed, meant):
        assert titles(typed) == meant
        assert index.search(typed, 1)[0].matched == "content"

    def test_a_word_of_the_title_and_one_of_the_content_fit_together(self, titles):
        assert titles("valve fields")[0] == "Quiet Fields"

    def test_a_word_that_content_knows_is_not_taken_for_a_typo(self, catalogue):
        games = [Game(game_id="velvet-sundown", title="Velvet Sundown"), *TOLD]
        known = Catalogue(tuple(sorted(games, key=lambda game: game.game_id)))
        index = SearchIndex.of(known, np.array([1, 1, 5], dtype=np.int32))
        found = {
            typed: [known.games[match.column].title for match in index.search(typed, 5)]
            for typed in ("Valve", "Velvt")
        }
        assert found == {"Valve": ["Quiet Fields"], "Velvt": ["Velvet Sundown"]}


class TestBadInput:
    """Always an answer."""

    @pytest.mark.parametrize("query", ["", "   ", "\n\t", "\u200b", "́"])
    def test_a_blank_query_finds_nothing(self, index, query):
        assert index.search(query, 5) == []

    @pytest.mark.parametrize("k", [0, -1])
    def test_no_places_no_games(self, index, k):
        assert index.search("portal", k) == []

    def test_nonsense_finds_nothing(self, index):
        assert index.search("qqzzxxyy", 5) == []

    def test_only_the_first_200_characters_count(self, index):
        long = "portal " * 40
        assert index.search(long[:200] + "x" * 100_000, 5) == index.search(long, 5)

    @pytest.mark.parametrize(
        "query", ["\x00", "\ud800", "\ud800portal", "ﷺ" * 300, "a " * 100, "ı̇İ", "+&" * 90, "." * 9]
    )
    def test_strange_text_raises_nothing(self, index, query):
        assert len(index.search(query, 3)) <= 3

    def test_an_empty_catalogue_finds_nothing(self):
        index = SearchIndex.of(Catalogue(()), np.zeros(0, dtype=np.int32))
        assert index.search("portal", 5) == []

    @pytest.mark.parametrize("title", ["", " ", "\n", "!", "\ud800", "x" * 5_000, "a\nb", "️"])
    def test_a_strange_title_harms_no_other(self, title):
        games = [Game(game_id="portal", title="Portal"), Game(game_id="strange", title=title)]
        index = SearchIndex.of(Catalogue(tuple(games)), np.array([1, 9], dtype=np.int32))
        assert index.search("portal", 5)[0] == Match(0, 1.0, "title")

    def test_one_popularity_for_each_game_is_needed(self, catalogue):
        with pytest.raises(InvalidRequest, match="popularity has shape"):
            SearchIndex.of(catalogue, np.zeros(3, dtype=np.int32))

    def test_titles_that_read_the_same_are_all_found_the_popular_first(self):
        titles = ["Ab-Cd!", "Ab Cd", "AB, CD"]
        games = tuple(Game(game_id=f"g{n}", title=title) for n, title in enumerate(titles))
        index = SearchIndex.of(Catalogue(games), np.array([1, 3, 2], dtype=np.int32))
        assert [match.column for match in index.search("ab cd", 5)] == [1, 2, 0]
