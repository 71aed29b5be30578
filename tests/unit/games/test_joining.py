"""What the application makes of several tables: items, titles and ids become one kind of game."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from flyball.errors import TrainingError
from flyball.games.application import GamesApplication
from flyball.games.catalogue import known_games
from flyball.games.joining import GAME, join_report, owned
from flyball.games.listing import Listing
from flyball.games.preparation import catalogue
from flyball.games.store_words import words
from flyball.recommend import Popularity
from flyball.testing.games import as_tables, packaged, some_purchases

APPLICATION = GamesApplication()


def listed(**columns):
    """A catalogue table with these columns, and typed as the schema says."""
    types = {
        "item_id": pl.String, "name": pl.String, "genres": pl.List(pl.String),
        "tags": pl.List(pl.String), "specs": pl.List(pl.String), "developer": pl.String,
        "price": pl.Float64, "release_date": pl.Datetime("us", "UTC"), "early_access": pl.Boolean,
    }  # fmt: skip
    return pl.DataFrame(columns, schema={name: types[name] for name in columns})


SHOP = listed(
    item_id=["620", "10", "7", "9000"],
    name=["Portal 2", "My Own Game", "PORTAL  2!", "Sam &amp; Max"],
    genres=[["Action", "Design &amp; Illustration"], ["Indie", "RPG"], ["Sports"], None],
    tags=[["Puzzle", "Co-op Campaign", "FPS"], None, None, []],
    specs=[["Multi-player", "Steam Cloud"], None, None, None],
    developer=["Someone Else", "Me &amp; You", None, None],
    price=[1.5, 0.0, 99.0, None],
    release_date=[
        datetime(2020, 5, 6, tzinfo=UTC),
        datetime(1970, 1, 1, 0, 33, 36, tzinfo=UTC),
        None,
        None,
    ],
    early_access=[False, True, None, None],
)


def ids(frame, catalogue=None):
    tables = as_tables(frame, catalogue)
    return owned(tables, Listing.of(tables))[GAME].to_list()


class TestAGame:
    def test_is_told_by_its_title_its_item_or_its_own_id(self):
        rows = pl.DataFrame(
            {
                "user_id": ["u"] * 4,
                "title": ["PORTAL 2", None, None, None],
                "item_id": [None, "620", None, "1"],
                "game_id": [None, None, "portal-2", None],
            }
        )
        assert ids(rows, SHOP) == ["portal-2", "portal-2", "portal-2", None]

    def test_is_told_by_its_title_where_there_is_no_catalogue(self):
        rows = pl.DataFrame({"user_id": ["u", "u"], "title": ["Portal 2", None]})
        assert ids(rows) == ["portal-2", None]

    def test_is_the_same_with_a_title_that_a_web_page_spelled(self):
        rows = pl.DataFrame({"user_id": ["u", "u"], "title": ["Sam &amp; Max", "Sam & Max"]})
        assert ids(rows) == ["sam-and-max"] * 2

    @pytest.mark.parametrize(
        ("event", "counts"),
        [("purchase", True), ("play", True), ("review", True), (None, True),
         ("impression", False), ("click", False), ("dislike", False)],
    )  # fmt: skip
    def test_is_owned_after_some_events_only(self, event, counts):
        rows = pl.DataFrame(
            {"user_id": ["u"], "title": ["Portal 2"], "event": [event]},
            schema_overrides={"event": pl.String},
        )
        assert bool(ids(rows)) is counts


class TestTheListing:
    def test_takes_the_newest_facts_of_an_item(self):
        again = listed(item_id=["10"], name=["My Own Game"], price=[5.0])
        tables = {"catalogue": pl.concat([SHOP, again], how="diagonal")}
        assert Listing.of(tables).games(["my-own-game"])["my-own-game"].price_usd == 5.0

    def test_gives_two_items_of_one_name_the_facts_of_the_lower_number_and_counts_them(self):
        listing = Listing.of({"catalogue": SHOP})
        assert listing.shared == 1
        assert listing.games(["portal-2"])["portal-2"].price_usd == 99.0
        rows = listing.rows.filter(pl.col("game_id") == "portal-2")
        assert rows["item_id"].to_list() == ["7", "620"]

    def test_takes_no_bare_year_for_a_day_in_1970(self):
        assert (
            Listing.of({"catalogue": SHOP}).games(["my-own-game"])["my-own-game"].released is None
        )

    def test_is_empty_without_a_catalogue(self):
        assert Listing.of({}).rows.height == 0
        assert Listing.of({}).games(["portal-2"]) == {}


class TestFacts:
    def test_of_the_catalogue_come_before_those_that_ship_with_flyball(self):
        one = SHOP.filter(pl.col("item_id") == "620")
        (game,) = catalogue(as_tables(pl.DataFrame(), one), ["portal-2"])
        known = known_games()["portal-2"]
        assert (game.price_usd, game.released) == (1.5, date(2020, 5, 6))
        assert game.developer == "Someone Else"
        assert game.genres == ("action", "puzzle")
        assert game.tags == ("co-op", "design-and-illustration", "first-person", "multiplayer")
        assert game.platforms == known.platforms  # of which the catalogue says nothing

    def test_that_the_catalogue_lacks_are_those_that_ship_with_flyball(self):
        bare = listed(item_id=["620"], name=["Portal 2"])
        (game,) = catalogue(as_tables(pl.DataFrame(), bare), ["portal-2"])
        assert game == known_games()["portal-2"]

    def test_of_a_game_nobody_else_knows_are_all_from_the_catalogue(self):
        (game,) = catalogue(as_tables(pl.DataFrame(), SHOP), ["my-own-game"])
        assert (game.title, game.developer) == ("My Own Game", "Me & You")
        assert game.genres == ("rpg",)
        assert game.tags == ("early-access", "indie")
        assert game.price_usd == 0.0

    def test_name_a_game_by_its_id_where_nothing_else_does(self):
        (game,) = catalogue({}, ["some-game"])
        assert game.title == "some-game"


class TestWords:
    @pytest.mark.parametrize(
        ("said", "genres", "tags"),
        [
            (["RPG", "Indie"], ("rpg",), ("indie",)),
            (["Massively Multiplayer"], (), ("mmo",)),
            (["Rogue-lite", "Rogue-like"], (), ("roguelike",)),
            (["Hidden Object", "™"], (), ("hidden-object",)),
        ],
    )
    def test_become_ours_where_we_have_one_and_slugs_else(self, said, genres, tags):
        assert words(said, [], []) == (genres, tags)
        assert words([], said, []) == (genres, tags)

    def test_about_pads_and_cards_are_dropped(self):
        assert words([], [], ["Steam Trading Cards", "HTC Vive", "MMO"]) == ((), ("mmo", "vr"))


class TestTraining:
    def test_says_how_many_rows_no_catalogue_resolves(self):
        rows = some_purchases().with_columns(pl.lit(None, pl.String).alias("item_id"))
        extra = pl.DataFrame({"user_id": ["player-1"] * 3, "item_id": ["1", "2", "2"]})
        whole = pl.concat([rows, extra], how="diagonal")
        assert APPLICATION.prepare(as_tables(whole), seed=7).split["unresolved"] == 3

    def test_on_items_without_a_catalogue_says_that_it_is_missing(self):
        rows = pl.DataFrame({"user_id": ["u"] * 9, "item_id": [str(n) for n in range(9)]})
        with pytest.raises(TrainingError, match="9 rows name items that no ingested catalogue"):
            APPLICATION.prepare(as_tables(rows), seed=7)

    def test_on_items_is_training_on_their_titles(self):
        titled = some_purchases().select("user_id", "title")
        names = titled["title"].unique().sort().to_list()
        shop = listed(item_id=[str(n) for n in range(len(names))], name=names)
        by_item = titled.join(
            shop.rename({"name": "title"}), on="title", maintain_order="left"
        ).drop("title")
        of_titles = APPLICATION.prepare(as_tables(titled), seed=7)
        of_items = APPLICATION.prepare(as_tables(by_item, shop), seed=7)
        assert (of_items.final.train.matrix != of_titles.final.train.matrix).nnz == 0
        assert of_items.split["catalogue"]["unmatched"] == 0

    def test_ignores_who_only_looked(self):
        rows = some_purchases()
        looks = rows.with_columns(
            pl.lit("click").alias("event"), ("x" + pl.col("user_id")).alias("user_id")
        )
        with_looks = APPLICATION.prepare(as_tables(pl.concat([rows, looks])), seed=7)
        assert with_looks.final.train.users.tolist() == (
            APPLICATION.prepare(as_tables(rows), seed=7).final.train.users.tolist()
        )


class TestTheReport:
    def test_counts_what_the_catalogue_does_not_list(self):
        rows = pl.DataFrame(
            {
                "user_id": ["a", "b", "c", "d", "e"],
                "title": ["Portal 2", "Lost", "Lost", "Gone", None],
                "item_id": [None, None, None, None, "5"],
            }
        )
        tables = as_tables(rows, SHOP)
        listing = Listing.of(tables)
        assert join_report(owned(tables, listing), listing) == {
            "listed": 4,
            "shared": 1,
            "games": 4,
            "unmatched": 3,
            "share": 0.75,
            "rows": 5,
            "unmatched_rows": 4,
            "share_of_rows": 0.8,
            "examples": ["Lost", "5", "Gone"],
        }


def test_filters_and_answers_know_the_ingested_facts(tmp_path):
    frame = some_purchases()
    shop = listed(
        item_id=["1", "2"],
        name=["Obscure Game 1", "Obscure Game 2"],
        genres=[["Racing"], ["Racing", "Sports"]],
        price=[3.0, 30.0],
    )
    servable = packaged(Popularity, tmp_path, frame, shop)
    assert servable.catalogue.get("obscure-game-2").genres == ("racing", "sports")
    found, _ = servable.catalogue.find(genre="Racing", title="obscure")
    assert [game.title for game in found] == ["Obscure Game 1", "Obscure Game 2"]
    assert servable.catalogue.get("obscure-game-3").genres == ()
