"""The launch experiment: would the players of new games have been shown them?"""

from __future__ import annotations

import json
from datetime import datetime

import polars as pl
import pytest

from flyball.errors import InvalidRequest, NotFound, TrainingError
from flyball.games.application import GamesApplication
from flyball.games.launch import launch
from flyball.recommend.content import Content, ContentConfig
from flyball.recommend.ease import Ease, EaseConfig
from flyball.recommend.popularity import Popularity
from launch_world import N_GAMES, catalogue, game_name, purchases, tables

N_HIDDEN = N_GAMES // 10


def launched(world, model=Ease, **options):
    return launch(model, model.Config(), world, seed=7, **options)


def scores(day):
    return {score["name"]: score["recall"]["mean"] for score in day["scores"]}


@pytest.fixture(scope="module")
def undated():
    return launched(tables())


@pytest.fixture(scope="module")
def dated():
    return launched(tables(dated=True))


class TestDayZero:
    @pytest.mark.parametrize("model", [Ease, Content])
    def test_a_model_that_knows_what_games_are_finds_their_players(self, model):
        day = launched(tables(), model)["days"][0]
        assert day["times"]["random"] > 2
        assert day["times"]["genre popularity"] > 2

    def test_chance_is_what_the_shelf_allows(self, undated):
        day = undated["days"][0]
        assert day["recall_at"] == N_HIDDEN // 5
        assert scores(day)["random"] == pytest.approx((N_HIDDEN // 5) / N_HIDDEN)
        assert scores(day)["random, one draw"] == pytest.approx(scores(day)["random"], abs=0.06)

    def test_popularity_knows_no_new_game_and_is_no_better_than_chance(self):
        # without likeness nothing tells two new games apart, so likeness is taken away
        world = tables(genres=[[f"Kind {n}"] for n in range(N_GAMES)], developer=[None] * N_GAMES)
        day = launched(world, Popularity)["days"][0]
        assert scores(day)["model"] == pytest.approx(scores(day)["random"], abs=0.06)

    def test_the_newest_games_are_hidden_and_no_others(self, undated):
        games = undated["games"]
        assert (games["hidden"], games["eligible"], games["of"]) == (24, N_GAMES, N_GAMES)
        first = N_GAMES - N_HIDDEN
        assert games["released_from"] == str(catalogue()["release_date"][first].date())
        assert games["released_until"] == str(catalogue()["release_date"][-1].date())

    def test_interactions_of_hidden_games_are_counted_in_truth(self, undated):
        rows = purchases()
        hidden = {game_name(n) for n in range(N_GAMES - N_HIDDEN, N_GAMES)}
        of_hidden = rows.filter(pl.col("title").is_in(list(hidden))).height
        assert undated["games"]["interactions"] == of_hidden
        exposure = undated["days"][0]["exposure"]
        assert exposure["share_of_interactions"] == pytest.approx(of_hidden / rows.height)
        assert 0 <= exposure["share_of_places"] <= 1
        assert exposure["games_shown"] <= N_HIDDEN

    def test_the_interval_of_each_mean_holds_it(self, undated):
        for score in undated["days"][0]["scores"]:
            for metric in ("recall", "ndcg"):
                found = score[metric]
                assert 0 <= found["low"] <= found["mean"] <= found["high"] <= 1

    def test_players_with_hidden_games_alone_are_not_judged(self, undated):
        world = tables()
        newest = game_name(N_GAMES - 1)
        stranger = pl.DataFrame(
            {"user_id": ["stranger"], "title": [newest], "event": ["purchase"], "value": [1.0]}
        )
        more = {**world, "interactions": pl.concat([world["interactions"], stranger])}
        before, after = (found["days"][0] for found in (undated, launched(more)))
        assert after["players"] == before["players"]
        assert after["interactions"] == before["interactions"]


class TestDaySeven:
    def test_of_undated_rows_is_not_made_up(self, undated):
        assert undated["days"][1] == {
            "day": 7,
            "why": "the rows are not dated: nobody knows what a first week brought",
        }

    def test_foretells_only_what_came_after_the_week(self, dated):
        zero, seven = dated["days"]
        assert 0 < seven["interactions"] < zero["interactions"]
        # rows come 0 to 29 days after the release: 23 of 30 of these are later
        assert seven["interactions"] / zero["interactions"] == pytest.approx(23 / 30, abs=0.05)

    def test_compares_with_the_model_of_day_0_on_the_same_players(self, dated):
        seven = scores(dated["days"][1])
        assert seven["model of day 0"] > 1.5 * seven["random"]
        assert seven["model"] > 1.5 * seven["random"]

    def test_shows_new_games_more_than_on_day_0(self, dated):
        zero, seven = (day["exposure"] for day in dated["days"])
        assert seven["games_shown"] > 0
        assert seven["share_of_interactions"] == zero["share_of_interactions"]

    def test_counts_from_the_first_row_where_the_release_is_older_than_all_rows(self):
        """A game is not over its first week because its store page is old."""
        older = catalogue().with_columns(pl.col("release_date").dt.offset_by("-10y"))
        world = {"interactions": purchases(dated=True), "catalogue": older}
        seven = launched(world)["days"][1]
        assert seven["players"] > 100

    def test_says_so_where_too_few_players_came_later(self):
        world = tables(dated=True)
        rows = world["interactions"].join(
            world["catalogue"].select(title="name", out="release_date"), on="title"
        )
        soon = rows.filter(pl.col("timestamp") < pl.col("out") + pl.duration(days=6)).drop("out")
        assert "why" in launched({**world, "interactions": soon})["days"][1]


class TestTheAnswer:
    def test_is_the_same_each_time(self, dated):
        assert launched(tables(dated=True)) == dated

    def test_is_plain_json_without_nan(self, undated, dated):
        for found in (undated, dated):
            assert json.loads(json.dumps(found, allow_nan=False)) == found


class TestWhatIsRefused:
    def test_a_world_without_release_dates(self):
        world = tables(release_date=pl.Series([None] * N_GAMES, dtype=pl.Datetime))
        with pytest.raises(TrainingError, match=r"0 have a release date.*ingest a catalogue"):
            launched(world)

    def test_a_world_without_a_catalogue(self):
        with pytest.raises(TrainingError, match="at least 20 new games"):
            launched({"interactions": purchases()})

    def test_a_share_that_gives_too_few_games(self):
        with pytest.raises(TrainingError, match=r"share of 0\.05 gives 12.*raise the share"):
            launched(tables(), share=0.05)

    @pytest.mark.parametrize("share", [0, 1, -0.1, 2, float("nan")])
    def test_a_share_that_is_none(self, share):
        with pytest.raises(InvalidRequest, match="cannot be hidden"):
            launched(tables(), share=share)

    def test_a_dataset_without_owners(self):
        rows = purchases().with_columns(event=pl.lit("impression"))
        with pytest.raises(TrainingError, match="no row says"):
            launched({"interactions": rows, "catalogue": catalogue()})

    def test_new_games_that_hardly_anybody_has(self):
        world = tables()
        newest = [game_name(n) for n in range(N_GAMES - N_HIDDEN, N_GAMES)]
        rows = world["interactions"].filter(~pl.col("title").is_in(newest))
        few = pl.DataFrame(
            [(f"player-{n}", title, "purchase", 1.0) for n in range(12) for title in newest],
            schema=rows.schema,
            orient="row",
        )
        with pytest.raises(TrainingError, match=r"^12 players have one of the 24 hidden games"):
            launched({**world, "interactions": pl.concat([rows, few])})

    @pytest.mark.parametrize("options", [{"shares": 0.1}, {"share": "much"}, {"share": True}])
    def test_options_that_nobody_knows(self, options):
        with pytest.raises(InvalidRequest, match="takes `share`"):
            GamesApplication().experiment(
                "launch", Ease, EaseConfig(), tables(), seed=7, options=options
            )

    def test_an_experiment_that_does_not_exist(self):
        with pytest.raises(NotFound, match=r"no experiment 'lunch'; there is launch"):
            GamesApplication().experiment("lunch", Ease, EaseConfig(), tables(), seed=7, options={})


def test_contradicting_facts_do_no_harm():
    """Listed twice with other dates, released before computers, without genres: still an answer."""
    listed = catalogue()
    wrong = listed.head(40).with_columns(
        pl.lit(datetime(1960, 1, 1)).cast(listed["release_date"].dtype).alias("release_date"),
        pl.lit([], dtype=pl.List(pl.String)).alias("genres"),
    )
    found = launched({"interactions": purchases(), "catalogue": pl.concat([listed, wrong])})
    # an item listed again is as it was listed last, and nothing came out in 1960
    assert (found["games"]["eligible"], found["games"]["hidden"]) == (N_GAMES - 40, 20)
    assert found["days"][0]["times"]["random"] > 1.5


def test_the_options_of_an_experiment_reach_it():
    found = GamesApplication().experiment(
        "launch", Content, ContentConfig(), tables(), seed=7, options={"share": 0.2}
    )
    assert found["games"]["hidden"] == N_GAMES // 5
