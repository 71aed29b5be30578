"""Whether what a model is judged by was kept from what it learnt from."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix

from flyball.recommend import Fold, Interactions, TimeSplit
from flyball.recommend.leakage import (
    changed_after,
    later_rows,
    missing_pairs,
    same_rows,
    shared_pairs,
)
from ranking_worlds import fold_of


def dated(n=600, seed=0):
    """Distinct pairs of 40 users and 30 items over 100 days."""
    rng = np.random.default_rng(seed)
    cells = rng.permutation(40 * 30)[:n]
    days = [date(2024, 1, 1) + timedelta(days=int(d)) for d in rng.integers(0, 100, n)]
    return pl.DataFrame(
        {
            "user_id": [f"u{c // 30:02}" for c in cells],
            "item_id": [f"i{c % 30:02}" for c in cells],
            "hours": rng.uniform(0, 9, n).astype(np.float32),
            "day": days,
        }
    ).sort("user_id", "item_id")


class TestPairsInBothParts:
    def test_are_counted(self):
        clean = fold_of([[1, 1, 0], [0, 1, 0]], [[0, 0, 1], [1, 0, 0]])
        dirty = Fold(clean.train, csr_matrix(np.array([[1, 0, 1], [0, 1, 0]], np.float32)))
        assert (shared_pairs(clean), shared_pairs(dirty)) == (0, 2)


class TestLaterRows:
    def test_a_split_by_time_has_none(self):
        assert later_rows(TimeSplit().fold(dated())) == 0

    def test_rows_after_the_day_of_the_question_are_counted(self):
        fold = TimeSplit().fold(dated())
        days = fold.train.days.copy()
        days[:3] = fold.as_of.max() + 1
        assert later_rows(replace(fold, train=replace(fold.train, days=days))) == 3

    def test_without_days_there_is_no_later(self):
        assert later_rows(fold_of([[1, 0]], [[0, 1]])) is None


class TestAChangedFuture:
    def test_changes_what_is_later_and_nothing_else(self):
        pairs = dated()
        fold = TimeSplit().fold(pairs)
        cutoff = float(fold.as_of[0])
        changed = changed_after(pairs, cutoff, seed=1)
        later = pairs["day"].to_physical().to_numpy() > cutoff
        assert changed.filter(~pl.Series(later)).equals(pairs.filter(~pl.Series(later)))
        moved = (changed["item_id"] != pairs["item_id"]).to_numpy()
        assert moved[later].mean() > 0.3  # half of all pairs are taken
        assert not changed.select("user_id", "item_id").is_duplicated().any()
        assert changed["day"].equals(pairs["day"])

    def test_leaves_an_honest_split_where_it_was(self):
        pairs = dated()
        fold = TimeSplit().fold(pairs)
        again = TimeSplit().fold(changed_after(pairs, float(fold.as_of[0]), seed=1))
        assert same_rows(again.train, fold.train)
        assert (again.test != fold.test).nnz

    def test_moves_a_split_that_looked_ahead(self):
        """One that lets a later row slip into training."""
        pairs = dated()
        cutoff = float(TimeSplit().fold(pairs).as_of[0])

        def leaky(frame):
            test = frame["day"].to_physical().to_numpy() > cutoff
            test[np.flatnonzero(test)[::3]] = False
            return Fold.from_frame(frame, test)

        one, other = leaky(pairs), leaky(changed_after(pairs, cutoff, seed=1))
        assert not same_rows(one.train, other.train)


class TestMissingPairs:
    held = Interactions(
        np.array(["a", "b"]),
        np.array(["x", "y", "z"]),
        csr_matrix(np.array([[1, 1, 0], [0, 0, 1]], np.float32)),
    )

    def missing(self, users, items, table):
        matrix = csr_matrix(np.array(table, np.float32))
        return missing_pairs(self.held, np.array(users), np.array(items), matrix)

    def test_none_where_all_are_held_whatever_the_order_of_ids(self):
        assert self.missing(["b", "a"], ["z", "x"], [[1, 0], [0, 1]]) == 0

    def test_counts_pairs_users_and_items_that_are_not_there(self):
        assert self.missing(["a"], ["x", "z"], [[1, 1]]) == 1
        assert self.missing(["nobody"], ["x", "y"], [[1, 1]]) == 2
        assert self.missing(["a"], ["unheard of", "x"], [[1, 1]]) == 1
