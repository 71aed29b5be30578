"""What the sample world promises: the same for a seed, lifelike, and with something to learn."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from flyball.errors import EnvironmentFailed, InvalidRequest
from flyball.games.catalogue import game_id, known_games
from flyball.games.world import World


@pytest.fixture(scope="module")
def world():
    return World(7, players=400)


@pytest.fixture(scope="module")
def rows(world):
    return world.interactions()


def of(rows, event):
    return rows.filter(pl.col("event") == pl.lit(event))


class TestTheHistory:
    """Half a year of purchases and plays."""

    def test_is_the_same_to_the_byte_for_a_seed(self, tmp_path):
        for name in ("a.csv", "b.csv"):
            World(3, players=50).write(tmp_path / name)
        assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()

    def test_differs_for_another_seed(self):
        one, other = (World(seed, players=50).interactions() for seed in (3, 4))
        assert not one.equals(other)

    def test_does_not_depend_on_what_was_asked_before(self):
        world = World(3, players=50)
        world.clicks("player-00001", ["portal-2"], np.random.default_rng(0))
        world.affinity("somebody", "portal-2")
        assert world.interactions().equals(World(3, players=50).interactions())

    def test_has_the_promised_columns_in_order_of_time(self, rows):
        assert rows.schema == {
            "user_id": pl.String,
            "title": pl.String,
            "event": pl.String,
            "value": pl.Float64,
            "timestamp": pl.Datetime("us", "UTC"),
        }
        assert rows["timestamp"].is_sorted()
        assert rows.null_count().sum_horizontal().item() == 0

    def test_has_tens_of_thousands_of_rows_by_default(self):
        assert 40_000 <= len(World(7).interactions()) <= 65_000

    def test_covers_half_a_year_from_the_start(self):
        rows = World(7, players=200, start=date(2019, 3, 1)).interactions()
        start = datetime(2019, 3, 1, tzinfo=UTC)
        assert start <= rows["timestamp"].min() < start + timedelta(days=4)
        assert start + timedelta(days=178) < rows["timestamp"].max() < start + timedelta(days=182)

    def test_is_about_known_games(self, rows):
        assert {game_id(title) for title in rows["title"].unique()} <= known_games().keys()

    def test_sells_no_game_twice_to_a_player(self, rows):
        assert not of(rows, "purchase").select("user_id", "title").is_duplicated().any()

    def test_sells_no_game_before_it_is_out(self):
        rows = of(World(7, players=400).interactions(), "purchase")
        released = {game.title: game.released for game in known_games().values()}
        out = rows["title"].replace_strict(released, return_dtype=pl.Date)
        assert (rows["timestamp"].dt.date() >= out).all()
        assert (out >= date(2024, 1, 1)).any()  # new releases do sell

    def test_plays_only_what_was_bought_before(self, rows):
        bought = of(rows, "purchase").select("user_id", "title", bought="timestamp")
        played = of(rows, "play").join(bought, on=["user_id", "title"], how="left")
        assert (played["timestamp"] > played["bought"]).all()
        assert played["bought"].null_count() == 0

    def test_counts_a_purchase_as_one_and_a_play_in_hours(self, rows):
        assert (of(rows, "purchase")["value"] == 1.0).all()
        hours = of(rows, "play")["value"]
        assert hours.min() >= 0.1
        assert hours.max() <= 500
        assert hours.mean() > 1.3 * hours.median()  # a long tail

    def test_is_busier_in_the_evening_and_at_weekends(self, rows):
        times = of(rows, "purchase")["timestamp"]
        evening = times.dt.hour().is_between(18, 21).sum()
        night = times.dt.hour().is_between(2, 5).sum()
        assert evening > 5 * night
        weekend = (times.dt.weekday() >= 6).sum() / 2
        assert weekend > 1.2 * (times.dt.weekday() <= 4).sum() / 4

    @pytest.mark.parametrize("by", ["user_id", "title"])
    def test_has_few_that_count_for_much(self, rows, by):
        counts = of(rows, "purchase").group_by(by).len()["len"].sort(descending=True)
        assert counts.head(len(counts) // 5).sum() > 0.4 * counts.sum()

    def test_is_written_with_a_header_and_nothing_left_over(self, world, rows, tmp_path):
        path = tmp_path / "new" / "sample.csv"
        world.write(path)
        assert path.read_text().startswith("user_id,title,event,value,timestamp\n")
        assert [file.name for file in path.parent.iterdir()] == ["sample.csv"]
        read = pl.read_csv(path, try_parse_dates=True)
        assert read["timestamp"].dt.epoch().to_list() == rows["timestamp"].dt.epoch().to_list()
        assert read.drop("timestamp").equals(rows.drop("timestamp"))

    def test_says_where_it_could_not_be_written(self, world, tmp_path):
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(EnvironmentFailed, match=r"sample\.csv"):
            world.write(tmp_path / "file" / "sample.csv")

    def test_leaves_no_half_file_where_the_name_is_taken_by_a_folder(self, world, tmp_path):
        (tmp_path / "sample.csv").mkdir()
        with pytest.raises(EnvironmentFailed):
            world.write(tmp_path / "sample.csv")
        assert [path.name for path in tmp_path.iterdir()] == ["sample.csv"]


class TestTheTastes:
    """Something for personalisation to find."""

    def test_show_in_what_players_buy(self, world):
        rng = np.random.default_rng(0)
        ids = [game.game_id for game in world.games]
        bought, random = [], []
        for user in world.user_ids[:150]:
            owned = sorted(world.owned(user))
            bought += [world.affinity(user, game) for game in owned]
            random += [world.affinity(user, game) for game in rng.choice(ids, len(owned))]
        assert np.mean(bought) > np.mean(random) + 0.5

    def test_differ_between_players_more_than_they_agree(self, world):
        ids = [game.game_id for game in world.games]
        tastes = np.array([[world.affinity(u, g) for g in ids] for u in world.user_ids[:40]])
        between = np.corrcoef(tastes)[np.triu_indices(40, 1)]
        assert np.median(np.abs(between)) < 0.5

    def test_let_players_be_predicted_better_than_by_popularity(self):
        """EASE on 80% of each player's purchases ranks the rest twice as well, by NDCG@10."""
        from flyball.recommend import ndcg, rank
        from flyball.recommend.ease import Ease
        from flyball.recommend.popularity import Popularity, PopularityConfig
        from flyball.recommend.split import HoldoutSplit

        rows = of(World(11, players=800).interactions(), "purchase")
        fold = HoldoutSplit(seed=1).fold(rows.rename({"title": "item_id"}))
        ease = Ease.fit(fold.train, Ease.Config(regularisation=100.0, dropout=0.2))
        popularity = Popularity.fit(fold.train, PopularityConfig())
        gained, base = (ndcg(rank(m, fold, depth=10), 10).mean() for m in (ease, popularity))
        assert gained > 2 * base

    def test_belong_to_strangers_too_and_stay_theirs(self, world):
        taste = [world.affinity("stranger", game.game_id) for game in world.games]
        again = World(7, players=400)
        assert taste == [again.affinity("stranger", game.game_id) for game in again.games]
        assert np.std(taste) == pytest.approx(1.0)
        assert world.owned("stranger") == frozenset()

    def test_are_neutral_about_games_nobody_knows(self, world):
        assert world.affinity("player-00001", "no-such-game") == 0.0


class TestALivePlayer:
    """How players behave in front of a list."""

    def ranked(self, world, user):
        ids = [game.game_id for game in world.games]
        return sorted(ids, key=lambda id: -world.affinity(user, id))

    def test_clicks_more_on_what_appeals(self, world):
        rng = np.random.default_rng(0)
        user = world.user_ids[0]
        ranked = self.ranked(world, user)
        best, worst = (
            sum(len(world.clicks(user, games, rng)) for _ in range(200))
            for games in (ranked[:10], ranked[-10:])
        )
        assert best > 5 * max(worst, 1)

    def test_clicks_more_on_the_top_than_on_the_bottom(self, world):
        rng = np.random.default_rng(0)
        user = world.user_ids[0]
        same = self.ranked(world, user)[:1]
        clicked = [world.clicks(user, ["no-such-game"] * 9 + same, rng) for _ in range(400)]
        last = sum(same[0] in each for each in clicked)
        first = sum(bool(world.clicks(user, same, rng)) for _ in range(400))
        assert first > 1.5 * last

    def test_buys_nothing_that_does_not_run_on_what_they_own(self, world):
        """Switch exclusives divide the players: some buy them, some never do."""
        rng = np.random.default_rng(0)
        exclusives = [game.game_id for game in world.games if game.platforms == ("switch",)]
        buyers = sum(
            any(world.buys(user, exclusives, rng) for _ in range(30))
            for user in world.user_ids[:100]
        )
        assert 15 <= buyers <= 60

    def test_plays_longer_what_appeals(self, world):
        rng = np.random.default_rng(0)
        user = world.user_ids[0]
        ranked = self.ranked(world, user)
        best, worst = (
            np.mean([world.hours(user, game, rng) for _ in range(300)])
            for game in (ranked[0], ranked[-1])
        )
        assert best > 2 * worst

    def test_comes_by_more_often_when_active(self, world):
        rng = np.random.default_rng(0)
        busiest = world.user_ids[int(np.argmax(world.activity))]
        came = [world.pick(rng) for _ in range(3000)]
        assert came.count(busiest) > 3 * len(came) / len(world.user_ids)

    def test_pays_the_list_price(self, world):
        assert world.price("portal-2") == 9.99
        assert world.price("no-such-game") == 0.0


@pytest.mark.parametrize("wrong", [{"players": 0}, {"start": date(1980, 1, 1)}])
def test_a_world_without_players_or_games_is_refused(wrong):
    with pytest.raises(InvalidRequest):
        World(1, **wrong)
