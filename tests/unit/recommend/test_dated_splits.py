"""Splits that keep the order of time: nothing is learnt from what came later."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from flyball.errors import InvalidRequest, TrainingError
from flyball.recommend.dated_splits import LastSplit, TimeSplit


def frame(*rows):
    """Rows of (user, item, day)."""
    return pl.DataFrame(
        {
            "user_id": [user for user, _, _ in rows],
            "item_id": [item for _, item, _ in rows],
            "day": [float(day) for _, _, day in rows],
        }
    )


def world(seed=0, n=3000):
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "user_id": rng.integers(0, 300, n),
            "item_id": rng.integers(0, 90, n),
            "day": rng.integers(16000, 16400, n),
        }
    )


def held_out(fold):
    """The test pairs, as text."""
    rows, columns = fold.test.nonzero()
    pairs = zip(fold.train.users[rows], fold.train.items[columns], strict=True)
    return sorted((str(user), str(item)) for user, item in pairs)


class TestALastSplit:
    rows = frame(("u", "a", 3), ("u", "b", 1), ("u", "c", 2), ("v", "a", 9), ("v", "b", 9))

    def test_holds_out_the_newest_item_of_each_user(self):
        assert held_out(LastSplit(min_items=2).fold(self.rows)) == [("u", "a"), ("v", "b")]

    def test_holds_out_the_greatest_id_of_several_on_the_last_day(self):
        ties = frame(("u", "b", 5), ("u", "c", 5), ("u", "a", 5), ("u", "d", 1))
        assert held_out(LastSplit(min_items=2).fold(ties)) == [("u", "c")]

    def test_asks_on_the_day_of_the_newest_row_it_learns_from(self):
        fold = LastSplit(min_items=2).fold(self.rows)
        assert fold.histories(fold.test_users).as_of.tolist() == [2, 9]

    def test_leaves_out_users_with_few_items(self):
        fold = LastSplit(min_items=3).fold(self.rows)
        assert held_out(fold) == [("u", "a")]
        assert fold.train.matrix.sum() == 4

    def test_counts_items_not_rows(self):
        again = frame(("u", "a", 1), ("u", "a", 2), ("u", "b", 3))
        assert held_out(LastSplit(min_items=3).fold(again)) == []
        assert held_out(LastSplit(min_items=2).fold(again)) == [("u", "b")]

    def test_holds_out_the_last_new_item_when_an_old_one_comes_again(self):
        again = frame(("u", "a", 1), ("u", "b", 2), ("u", "a", 3))
        assert held_out(LastSplit(min_items=2).fold(again)) == [("u", "b")]

    def test_holds_out_every_row_of_the_pair(self):
        again = frame(("u", "a", 1), ("u", "b", 2), ("u", "b", 3))
        assert LastSplit(min_items=2).split(again)[1].tolist() == [False, True, True]

    def test_does_not_depend_on_the_order_of_rows(self):
        data = world()
        shuffled = data.sample(fraction=1.0, shuffle=True, seed=5)
        assert held_out(LastSplit().fold(data)) == held_out(LastSplit().fold(shuffled))

    def test_gives_each_user_one_test_item_that_came_last(self):
        data = world()
        fold = LastSplit().fold(data)
        first = data.group_by("user_id", "item_id").agg(pl.col("day").min())
        lengths = dict(first.group_by("user_id").len().iter_rows())
        newest = dict(first.group_by("user_id").agg(pl.col("day").max()).iter_rows())
        day = {(str(user), str(item)): day for user, item, day in first.iter_rows()}
        pairs = held_out(fold)
        assert {user for user, _ in pairs} == {str(u) for u, n in lengths.items() if n >= 5}
        assert len({user for user, _ in pairs}) == len(pairs)
        assert all(day[user, item] == newest[int(user)] for user, item in pairs)

    def test_refuses_to_leave_nothing_to_learn_from(self):
        with pytest.raises(InvalidRequest, match="min_items 1"):
            LastSplit(min_items=1)


class TestATimeSplit:
    rows = frame(
        ("u", "a", 1), ("u", "b", 8), ("v", "a", 2), ("v", "c", 9), ("w", "d", 9), ("u", "a", 9)
    )

    def test_holds_out_what_came_after_the_cutoff(self):
        assert held_out(TimeSplit(cutoff=7).fold(self.rows)) == [("u", "b"), ("v", "c")]

    def test_learns_from_the_cutoff_day(self):
        assert held_out(TimeSplit(cutoff=8).fold(self.rows)) == [("v", "c")]

    def test_scores_no_user_it_knows_nothing_of_and_keeps_their_items(self):
        fold = TimeSplit(cutoff=7).fold(self.rows)
        assert fold.train.users[fold.test_users].tolist() == ["u", "v"]
        assert fold.train.items.tolist() == ["a", "b", "c", "d"]

    def test_keeps_a_pair_of_both_sides_in_training(self):
        fold = TimeSplit(cutoff=7).fold(self.rows)
        assert ("u", "a") not in held_out(fold)
        assert fold.train.matrix.toarray()[0].tolist() == [1, 0, 0, 0]

    def test_asks_on_the_cutoff_day(self):
        fold = TimeSplit(cutoff=7).fold(self.rows)
        assert fold.histories(fold.test_users).as_of.tolist() == [7, 7]

    def test_finds_the_day_after_which_the_fraction_comes(self):
        data = pl.DataFrame({"user_id": ["u"] * 100, "item_id": range(100), "day": range(100)})
        assert TimeSplit(fraction=0.1).split(data)[1].sum() == 10
        assert TimeSplit(fraction=0.105).split(data)[1].sum() == 10

    def test_never_splits_a_day(self):
        data = world()
        train, test = TimeSplit(fraction=0.2).split(data)
        days = data["day"].to_numpy()
        assert days[train].max() < days[test].min()
        assert 0.18 < test.mean() <= 0.2

    def test_takes_the_newest_day_where_it_alone_is_more_than_the_fraction(self):
        assert TimeSplit(fraction=0.1).split(self.rows)[1].tolist() == [
            False, False, False, True, True, True,
        ]  # fmt: skip

    @pytest.mark.parametrize("cutoff", [None, 0, 9, 1e6])
    def test_refuses_a_cutoff_with_nothing_on_one_side(self, cutoff):
        rows = frame(("u", "a", 9)) if cutoff is None else self.rows
        with pytest.raises(TrainingError, match="both sides of the cutoff"):
            TimeSplit(cutoff=cutoff).fold(rows)

    @pytest.mark.parametrize("wrong", [{"fraction": 0}, {"fraction": 1}, {"cutoff": np.inf}])
    def test_refuses_numbers_out_of_range(self, wrong):
        with pytest.raises(InvalidRequest, match=next(iter(wrong))):
            TimeSplit(**wrong)


@pytest.mark.parametrize("split", [LastSplit(3), TimeSplit(0.3), TimeSplit(cutoff=16100.0)])
class TestEitherSplit:
    def test_is_remade_from_its_record(self, split):
        assert type(split)(**json.loads(json.dumps(asdict(split)))) == split

    def test_puts_each_row_on_exactly_one_side(self, split):
        train, test = split.split(world())
        assert (train ^ test).all()
        assert train.any()
        assert test.any()

    def test_reads_dates_as_well_as_numbers(self, split):
        data = world()
        dated = data.with_columns(pl.col("day").cast(pl.Int32).cast(pl.Date))
        assert held_out(split.fold(dated)) == held_out(split.fold(data))

    def test_refuses_rows_without_a_day(self, split):
        data = world()
        for wrong in (data.drop("day"), data.with_columns(day=None), data.clear()):
            with pytest.raises(TrainingError, match="needs a column day"):
                split.fold(wrong)


class TestPublishedFigures:
    """The figures of ``shared/data/README.md`` on real reviews."""

    @pytest.fixture(scope="class")
    @classmethod
    def reviews(cls):
        default = Path(__file__).parents[4] / "shared" / "data"
        path = Path(os.environ.get("FLYBALL_TEST_DATA", default)) / "steam_reviews_2010_2015.csv"
        if not path.exists():
            pytest.skip("steam_reviews_2010_2015.csv is not here; set FLYBALL_TEST_DATA")
        return pl.read_csv(path).select(
            user_id="user", item_id="item_id", day=pl.col("date").str.to_date()
        )

    def test_the_last_tenth_begins_after_the_third_of_october(self, reviews):
        fold = TimeSplit().fold(reviews)
        assert fold.as_of[0] == (date(2015, 10, 3) - date(1970, 1, 1)).days
        assert len(fold.test_users) == 2174

    def test_the_last_review_is_held_out_of_as_many_users(self, reviews):
        fold = LastSplit(min_items=5).fold(reviews)
        assert len(fold.test_users) == fold.test.nnz == 2415
