"""A split that can be made again, on more data, by anyone who has its three numbers."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix

from flyball.errors import InvalidRequest
from flyball.recommend import Fold, HoldoutSplit, Interactions


def world(n_users=400, n_items=80, seed=3):
    """Random interactions: each user has 1 to 40 items."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 41, size=n_users)
    users = np.repeat([f"user {n}" for n in range(n_users)], sizes)
    items = np.concatenate([rng.choice(n_items, size, replace=False) for size in sizes])
    return pl.DataFrame({"user_id": users, "item_id": [f"item {n}" for n in items]})


def fold_of(train, test):
    """A fold from two dense 0/1 tables; users u0.. and items i0.. in that order."""
    train, test = np.array(train, dtype=np.float32), np.array(test, dtype=np.float32)
    users = np.array([f"u{n}" for n in range(train.shape[0])])
    items = np.array([f"i{n}" for n in range(train.shape[1])])
    return Fold(Interactions(users, items, csr_matrix(train)), csr_matrix(test))


class TestAHoldoutSplit:
    def test_holds_out_about_the_fraction_of_rows(self):
        data = world()
        _, test = HoldoutSplit(seed=1, fraction=0.2, min_items=1).split(data)
        spread = (0.2 * 0.8 / data.height) ** 0.5
        assert abs(test.mean() - 0.2) < 5 * spread + 1 / 40  # the two exceptions shift it a little

    def test_puts_each_row_on_exactly_one_side(self):
        train, test = HoldoutSplit(seed=1).split(world())
        assert (train ^ test).all()

    def test_gives_the_known_answer_of_version_one(self):
        """Recorded splits stay valid: these masks must never change."""
        data = pl.DataFrame({"user_id": ["ann"] * 12, "item_id": [f"g{n}" for n in range(12)]})
        _, test = HoldoutSplit(seed=42, fraction=0.5).split(data)
        assert np.flatnonzero(test).tolist() == [0, 1, 8, 9]

    def test_leaves_users_with_few_items_out_of_the_test(self):
        data = world()
        _, test = HoldoutSplit(seed=1, min_items=5).split(data)
        sizes = data.with_columns(size=pl.len().over("user_id"))["size"].to_numpy()
        assert not test[sizes < 5].any()

    def test_gives_every_other_user_a_test_row_and_a_train_row(self):
        data = world()
        for fraction in (0.01, 0.2, 0.99):
            _, test = HoldoutSplit(seed=1, fraction=fraction, min_items=2).split(data)
            users = data.with_columns(test=pl.Series(test)).group_by("user_id")
            shares = users.agg(pl.len(), share=pl.col("test").mean()).filter(pl.col("len") >= 2)
            assert shares["share"].is_between(0, 1, closed="none").all()

    def test_keeps_a_lone_item_for_training(self):
        data = pl.DataFrame({"user_id": [f"u{n}" for n in range(50)], "item_id": ["a"] * 50})
        _, test = HoldoutSplit(seed=1, fraction=0.9, min_items=1).split(data)
        assert not test.any()

    def test_puts_repeated_pairs_on_one_side(self):
        data = world(n_users=50)
        twice = pl.concat([data, data])
        _, test = HoldoutSplit(seed=1).split(twice)
        assert (test[: data.height] == test[data.height :]).all()

    def test_does_not_move_rows_when_other_users_arrive(self):
        data = world()
        others = world(n_users=300, seed=8).with_columns(user_id="new " + pl.col("user_id"))
        split = HoldoutSplit(seed=1)
        both = pl.concat([others, data])
        assert (split.split(both)[1][others.height :] == split.split(data)[1]).all()

    def test_depends_on_its_seed(self):
        data = world()
        assert (HoldoutSplit(seed=1).split(data)[1] != HoldoutSplit(seed=2).split(data)[1]).any()

    def test_is_remade_from_its_record(self):
        split = HoldoutSplit(seed=-5, fraction=0.3, min_items=4)
        assert HoldoutSplit(**json.loads(json.dumps(asdict(split)))) == split

    @pytest.mark.parametrize(
        "wrong", [{"fraction": 0.0}, {"fraction": 1.0}, {"min_items": 0}, {"seed": 2**63}]
    )
    def test_refuses_numbers_out_of_range(self, wrong):
        with pytest.raises(InvalidRequest, match=next(iter(wrong))):
            HoldoutSplit(**{"seed": 1, **wrong})


class TestAFold:
    def test_keeps_items_that_only_the_test_has(self):
        data = pl.DataFrame({"user_id": ["u", "u", "v"], "item_id": ["a", "b", "a"]})
        fold = Fold.from_frame(data, np.array([False, True, False]))
        assert fold.train.items.tolist() == ["a", "b"]
        assert fold.train.matrix.toarray().tolist() == [[1, 0], [1, 0]]
        assert fold.test.toarray().tolist() == [[0, 1], [0, 0]]
        assert fold.test_users.tolist() == [0]

    def test_never_asks_for_a_pair_it_showed(self):
        data = pl.DataFrame({"user_id": ["u", "u", "u"], "item_id": ["a", "a", "b"]})
        fold = Fold.from_frame(data, np.array([False, True, True]))
        assert fold.train.matrix.toarray().tolist() == [[1, 0]]
        assert fold.test.toarray().tolist() == [[0, 1]]

    def test_is_what_the_masks_of_its_split_say(self):
        data, split = world(), HoldoutSplit(seed=1)
        masked, direct = Fold.from_frame(data, split.split(data)[1]), split.fold(data)
        assert (masked.test != direct.test).nnz == 0
        assert (masked.train.matrix != direct.train.matrix).nnz == 0

    def test_refuses_matrices_of_different_shape(self):
        with pytest.raises(InvalidRequest, match="same users and items"):
            Fold(fold_of([[1, 0]], [[0, 1]]).train, csr_matrix((1, 3), dtype=np.float32))


class TestANarrowedFold:
    def test_has_the_most_popular_items_and_breaks_ties_by_id(self):
        fold = fold_of(
            [[1, 0, 1, 1], [0, 0, 1, 1], [0, 1, 0, 1]],
            [[0, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0]],
        )  # users per item: 1, 1, 2, 3
        narrow = fold.narrowed(3)
        assert narrow.train.items.tolist() == ["i0", "i2", "i3"]
        assert narrow.test.shape == narrow.train.matrix.shape

    def test_drops_users_whose_test_items_are_gone_and_keeps_the_rest(self):
        fold = fold_of(
            [[1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 1]],
            [[0, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]],
        )
        narrow = fold.narrowed(2)  # i0 and i1; u1 lost its test item, u3 its only item
        assert narrow.train.users.tolist() == ["u0", "u2"]
        assert narrow.train.matrix.toarray().tolist() == [[1, 0], [1, 1]]
        assert narrow.test.toarray().tolist() == [[0, 1], [0, 0]]

    def test_to_all_items_is_the_same_fold(self):
        fold = HoldoutSplit(seed=1).fold(world())
        narrow = fold.narrowed(10_000)
        assert narrow.train.items.tolist() == fold.train.items.tolist()
        assert (narrow.test != fold.test).nnz == 0

    def test_to_nothing_is_refused(self):
        with pytest.raises(InvalidRequest, match="at least 1"):
            fold_of([[1]], [[0]]).narrowed(0)
