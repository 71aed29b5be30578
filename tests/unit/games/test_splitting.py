"""How players' games are divided, and which listed games are new."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from flyball.games.listing import Listing
from flyball.games.preparation import interactions, new_games
from flyball.games.splitting import divided
from flyball.recommend import Interactions

START = date(2020, 1, 1)


def pairs(*, dated=True, players=60, days=300):
    rng = np.random.default_rng(5)
    rows = [
        (f"p{player:02}", f"g{game:02}", START + timedelta(days=int(rng.integers(days))))
        for player in range(players)
        for game in rng.permutation(30)[:10]
    ]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "day"], orient="row")
    hours = pl.lit(None, pl.Float64).alias("hours")
    frame = frame.with_columns(hours).sort("user_id", "item_id")
    return frame if dated else frame.with_columns(pl.lit(None, pl.Date).alias("day"))


class TestDatedRows:
    def test_are_divided_by_time(self):
        parts = divided(pairs(), seed=1)
        assert parts.described["kind"] == "what came last, by time"
        assert parts.final.train.days.max() <= parts.described["cutoff"]
        assert set(parts.final.as_of.tolist()) == {parts.described["cutoff"]}

    def test_the_search_sees_nothing_of_what_decides(self):
        parts = divided(pairs(), seed=1)
        searched = parts.search[-1]
        assert searched.as_of[0] < parts.described["cutoff"]
        cells = searched.train.matrix.nnz + searched.test.nnz
        assert cells <= parts.final.train.matrix.nnz

    def test_of_two_days_are_divided_by_hash(self):
        assert divided(pairs(days=2), seed=1).described["kind"].startswith("holdout by hash")

    def test_of_players_that_hardly_come_back_are_divided_by_hash(self):
        few = divided(pairs(players=10), seed=1)
        assert few.described["kind"].startswith("holdout by hash")


class TestUndatedRows:
    def test_are_divided_by_hash_whatever_the_order(self):
        one = divided(pairs(dated=False), seed=1)
        other = divided(pairs(dated=False).sample(fraction=1.0, shuffle=True, seed=3), seed=1)
        assert one.described == other.described
        assert (one.final.test != other.final.test).nnz == 0

    def test_one_row_without_a_date_makes_all_of_them_undated(self):
        frame = pairs().with_row_index()
        one = pl.when(pl.col("index") == 7).then(None).otherwise(pl.col("day")).alias("day")
        parts = divided(frame.with_columns(one).drop("index"), seed=1)
        assert parts.described["kind"].startswith("holdout by hash")


class TestInteractions:
    def rows(self, *rows):
        schema = {
            "user_id": pl.String,
            "__game": pl.String,
            "event": pl.String,
            "value": pl.Float64,
            "timestamp": pl.Datetime("us"),
        }
        return pl.DataFrame(rows, schema=schema, orient="row")

    def test_add_up_day_by_day_and_begin_on_the_first_day(self):
        found = interactions(
            self.rows(
                ("p", "doom", "purchase", 1.0, datetime(2020, 1, 1)),
                ("p", "doom", "play", 2.5, datetime(2020, 1, 3)),
                ("p", "doom", "play", 4.0, datetime(2020, 1, 2)),
            )
        )
        days = [date(2020, 1, 1), date(2020, 1, 2), date(2020, 1, 3)]
        assert found.select("item_id", "day", "hours").rows() == [
            ("doom", days[0], None),
            ("doom", days[1], 4.0),
            ("doom", days[2], 2.5),
        ]
        together = Interactions.from_frame(found)
        assert together.hours.tolist() == [6.5]
        assert together.days.tolist() == [(days[0] - date(1970, 1, 1)).days]

    def test_a_purchase_alone_says_nothing_of_hours(self):
        found = interactions(self.rows(("p", "doom", "purchase", 1.0, None)))
        assert found.select("item_id", "day", "hours").rows() == [("doom", None, None)]


class TestNewGames:
    def listing(self, *games):
        table = pl.DataFrame(
            [(str(n), name, when) for n, (name, when) in enumerate(games)],
            schema={"item_id": pl.String, "name": pl.String, "release_date": pl.Datetime("us")},
            orient="row",
        )
        return Listing.of({"catalogue": table})

    GAMES = (
        ("Owned", datetime(2020, 5, 1)),
        ("Fresh", datetime(2020, 5, 20)),
        ("Older", datetime(2020, 2, 1)),
        ("Ancient", datetime(1999, 1, 1)),
        ("Coming", datetime(2020, 9, 1)),
        ("Undated", None),
    )

    def test_are_those_of_the_last_year_that_nobody_has(self):
        found = new_games(self.listing(*self.GAMES), ["owned"], newest=date(2020, 6, 1))
        assert found == ["fresh", "older"]

    def test_are_the_last_released_where_rows_are_not_dated(self):
        found = new_games(self.listing(*self.GAMES), ["owned"], newest=None)
        assert found == ["ancient", "coming", "fresh", "older"]

    @pytest.mark.parametrize("listing", [Listing.of({})])
    def test_are_none_without_a_catalogue(self, listing):
        assert new_games(listing, [], newest=None) == []
