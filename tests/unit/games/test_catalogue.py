"""What the catalogue promises: true facts about known games, stable ids, complete pages."""

from __future__ import annotations

import contextlib
import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.errors import ArtifactCorrupt, InvalidRequest
from flyball.games.catalogue import (
    GENRES,
    PLATFORMS,
    TAGS,
    Catalogue,
    Game,
    game_id,
    known_games,
)
from flyball.games.texts import Texts

IDS = st.sets(st.from_regex(r"[a-z0-9]{1,6}(-[a-z0-9]{1,4})?", fullmatch=True), max_size=40)


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue.of({id: game.title for id, game in known_games().items()})


class TestKnownGames:
    """Facts that come with Flyball."""

    def test_are_at_least_three_hundred(self):
        assert len(known_games()) >= 320

    def test_have_distinct_ids_made_from_their_titles(self):
        titles = [game.title for game in known_games().values()]
        assert len({game_id(title) for title in titles}) == len(titles) == len(known_games())
        assert all(id == game_id(game.title) == game.game_id for id, game in known_games().items())

    def test_use_only_the_controlled_words(self):
        for game in known_games().values():
            for words, allowed in [
                (game.genres, GENRES),
                (game.tags, TAGS),
                (game.platforms, PLATFORMS),
            ]:
                assert words, game.title
                assert set(words) <= allowed, game.title
                assert list(words) == sorted(set(words)), game.title

    def test_use_every_controlled_word(self):
        games = known_games().values()
        assert {word for game in games for word in game.genres} == GENRES
        assert {word for game in games for word in game.tags} == TAGS
        assert {word for game in games for word in game.platforms} == PLATFORMS

    def test_have_plausible_dates_prices_and_developers(self):
        for game in known_games().values():
            assert date(1985, 1, 1) <= game.released <= date(2024, 12, 31), game.title
            assert 0 <= game.price_usd <= 100, game.title
            assert game.developer.strip(), game.title

    def test_are_free_only_where_tagged_free(self):
        free = {g.title for g in known_games().values() if g.price_usd == 0}
        tagged = {g.title for g in known_games().values() if "free-to-play" in g.tags}
        assert free <= tagged

    def test_spread_over_four_decades(self):
        decades = [game.released.year // 10 * 10 for game in known_games().values()]
        counts = {decade: decades.count(decade) for decade in (1980, 1990, 2000, 2010, 2020)}
        assert counts[1980] >= 5
        assert all(counts[decade] >= 40 for decade in (1990, 2000, 2010, 2020))

    @pytest.mark.parametrize(
        ("title", "released", "developer", "genre"),
        [
            ("DOOM", date(1993, 12, 10), "id Software", "shooter"),
            ("Half-Life 2", date(2004, 11, 16), "Valve", "shooter"),
            ("The Witcher 3: Wild Hunt", date(2015, 5, 19), "CD Projekt Red", "rpg"),
            ("Stardew Valley", date(2016, 2, 26), "ConcernedApe", "simulation"),
            ("Elden Ring", date(2022, 2, 25), "FromSoftware", "rpg"),
            ("Rocket League", date(2015, 7, 7), "Psyonix", "sports"),
            ("Balatro", date(2024, 2, 20), "LocalThunk", "strategy"),
        ],
    )
    def test_are_true(self, title, released, developer, genre):
        game = known_games()[game_id(title)]
        assert (game.released, game.developer) == (released, developer)
        assert genre in game.genres

    def test_cannot_be_changed_by_a_reader(self):
        with pytest.raises(TypeError):
            known_games()["mine"] = Game(game_id="mine", title="Mine")


class TestGameId:
    """One id for all spellings of a title."""

    @pytest.mark.parametrize(
        ("title", "id"),
        [
            ("The Elder Scrolls V: Skyrim", "the-elder-scrolls-v-skyrim"),
            ("The Elder Scrolls V Skyrim", "the-elder-scrolls-v-skyrim"),
            ("Ratchet & Clank", "ratchet-and-clank"),
            ("Tony Hawk's Pro Skater 1 + 2", "tony-hawk-s-pro-skater-1-plus-2"),
            ("Pokémon GO", "pokemon-go"),
            ("  DOOM™ ", "doom"),
        ],
    )
    def test_is_a_plain_slug(self, title, id):
        assert game_id(title) == id

    @pytest.mark.parametrize("title", ["原神", "🎮", "", "!!!", "\ud800"])
    def test_is_a_hash_where_nothing_is_left(self, title):
        assert game_id(title).startswith("game-")
        assert len(game_id(title)) == len("game-") + 8

    def test_keeps_titles_without_latin_letters_apart(self):
        assert game_id("原神") != game_id("崩坏")

    @given(st.text())
    def test_is_safe_in_a_path_and_stable(self, title):
        id = game_id(title)
        assert id
        assert set(id) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert game_id(id) == id


class TestACatalogue:
    """Looking games up."""

    def test_joins_known_facts_and_keeps_bare_titles(self):
        games = Catalogue.of({"portal-2": "PORTAL 2", "my-own-game": "My Own Game"})
        assert games.get("portal-2").developer == "Valve"
        assert games.get("my-own-game") == Game(game_id="my-own-game", title="My Own Game")
        assert [game.game_id for game in games] == ["my-own-game", "portal-2"]
        assert "portal-2" in games
        assert "portal-3" not in games
        assert games.get("portal-3") is None

    def test_comes_back_from_disk_as_it_was(self, catalogue, tmp_path):
        catalogue.save(tmp_path / "a")
        loaded = Catalogue.load(tmp_path / "a")
        loaded.save(tmp_path / "b")
        assert list(loaded) == list(catalogue)
        assert loaded.get("portal-2") == catalogue.get("portal-2")
        assert "portal-2" in loaded
        assert "portal-22" not in loaded
        for page in ({"title": "portal"}, {"genre": "RPG", "limit": 5}, {"platform": "no such"}):
            assert loaded.find(**page) == catalogue.find(**page)
        for path in sorted((tmp_path / "a").iterdir()):
            assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()

    @pytest.mark.parametrize("line", [b"[1]", b'{"game_id": "a"}', b'{"game_id": "a", "ti\xfft'])
    def test_says_which_line_of_a_file_is_no_game(self, line, tmp_path):
        Catalogue.of({"a": "A", "b": "B"}).save(tmp_path)
        Texts.of([line.decode("latin-1"), "{}"]).save(tmp_path, "catalogue.jsonl")
        loaded = Catalogue.load(tmp_path)
        with pytest.raises(ArtifactCorrupt, match=r"line 1 of catalogue\.jsonl"):
            loaded.get("a")

    def test_refuses_files_that_do_not_fit_each_other(self, tmp_path):
        Catalogue.of({"a": "A", "b": "B"}).save(tmp_path)
        Texts.of(["A"]).save(tmp_path, "titles.txt")
        with pytest.raises(ArtifactCorrupt, match="do not fit"):
            Catalogue.load(tmp_path)

    def test_refuses_games_that_do_not_rise(self):
        games = (Game(game_id="b", title="B"), Game(game_id="a", title="A"))
        with pytest.raises(InvalidRequest, match="'a' follows 'b'"):
            Catalogue(games)

    def test_says_when_there_is_no_file(self, tmp_path):
        with pytest.raises(ArtifactCorrupt, match="cannot be read"):
            Catalogue.load(tmp_path)

    @pytest.mark.parametrize("asked", ["POKÉMON", "pokemon", "Pokémon"])
    def test_finds_titles_whatever_the_case_and_accents(self, catalogue, asked):
        found, _ = catalogue.find(title=asked)
        assert {game.title for game in found} == {"Pokémon GO", "Pokémon Sword"}

    def test_finds_titles_in_any_script(self):
        games = Catalogue.of({"game-00000001": "原神", "game-00000002": "崩坏"})
        assert [game.title for game in games.find(title="原")[0]] == ["原神"]

    def test_finds_what_fits_all_that_is_asked(self, catalogue):
        found, _ = catalogue.find(title="the", genre="RPG", platform="Switch", limit=500)
        assert {"The Witcher 3: Wild Hunt", "The Elder Scrolls V: Skyrim"} <= {
            game.title for game in found
        }
        assert all("rpg" in g.genres and "switch" in g.platforms for g in found)

    def test_ends_without_a_cursor_when_the_last_page_is_full(self):
        games = Catalogue.of({"a": "A", "b": "B"})
        assert games.find(limit=2) == (list(games), None)

    @given(ids=IDS, limit=st.integers(1, 12))
    def test_shows_every_game_once_over_its_pages(self, ids, limit):
        games = Catalogue.of({id: id for id in ids})
        seen, cursor = [], None
        while True:
            page, cursor = games.find(limit=limit, after=cursor)
            seen += [game.game_id for game in page]
            if cursor is None:
                break
            assert len(page) == limit
        assert seen == sorted(ids)

    def test_goes_on_after_a_game_that_has_left(self):
        _, cursor = Catalogue.of({"a": "A", "b": "B", "c": "C"}).find(limit=2)
        page, _ = Catalogue.of({"a": "A", "c": "C"}).find(after=cursor)
        assert [game.game_id for game in page] == ["c"]

    @given(st.text(max_size=20))
    def test_reads_a_cursor_or_says_that_it_cannot(self, text):
        games = Catalogue.of({"a": "A"})
        with contextlib.suppress(InvalidRequest):  # nothing else may escape
            games.find(after=text)

    @pytest.mark.parametrize("cursor", ["", "!", "é", "YQ==", "/w", "A"])
    def test_refuses_a_cursor_it_never_gave(self, catalogue, cursor):
        with pytest.raises(InvalidRequest, match="first page"):
            catalogue.find(after=cursor)

    def test_refuses_an_empty_page(self, catalogue):
        with pytest.raises(InvalidRequest, match="at least 1"):
            catalogue.find(limit=0)

    def test_is_plain_json_on_disk(self, tmp_path):
        Catalogue.of({"portal-2": "Portal 2"}).save(tmp_path)
        game = json.loads((tmp_path / "catalogue.jsonl").read_text())
        assert game["released"] == "2011-04-18"
