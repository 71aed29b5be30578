"""How popular a new item may become is told by what is known of it, and bounded."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from flyball.errors import InvalidRequest, TrainingError
from flyball.recommend.fame import MOST, by_fame, expected_users
from flyball.recommend.newcomers import Newcomers

FREE, PUZZLE, STUDIO, TITLE = range(4)
N = 40


@pytest.fixture
def features():
    """Puzzles, every other one free; four words of a title tell them apart a little."""
    table = np.zeros((N, TITLE + 4), dtype=np.float32)
    table[:, PUZZLE] = 1
    table[::2, FREE] = 1
    table[np.arange(N), TITLE + np.arange(N) % 4] = 1
    return csr_matrix(table)


@pytest.fixture
def counts():
    """Free ones find a hundred users, others ten; the last four are new."""
    found = np.where(np.arange(N) % 2 == 0, 100, 10)
    found[-4:] = 0
    return found


class TestExpectedUsers:
    def test_are_more_where_games_of_the_kind_had_more(self, features, counts):
        expected = expected_users(features, counts)
        new = expected[-4:]
        assert new[::2] == pytest.approx([100, 100], rel=0.2)
        assert new[1::2] == pytest.approx([10, 10], rel=0.2)

    def test_are_never_more_than_any_known_item_has(self, features, counts):
        counts[0] = 5000
        expected = expected_users(features, counts, ridge=1e-6)
        assert expected.min() >= 0
        assert expected.max() <= 5000 * (1 + 1e-9)

    def test_are_usual_where_nothing_is_known_of_an_item(self, counts):
        features = csr_matrix(np.eye(N, 3, dtype=np.float32))
        expected = expected_users(features, counts)
        assert 10 < expected[-1] < 100

    def test_are_the_same_each_time(self, features, counts):
        first, second = (expected_users(features, counts) for _ in range(2))
        assert np.array_equal(first, second)

    @pytest.mark.parametrize(
        ("cut", "ridge"), [(N - 1, 1.0), (N, 0.0), (N, -1.0), (N, float("nan"))]
    )
    def test_of_what_does_not_fit_are_refused(self, features, counts, cut, ridge):
        with pytest.raises(InvalidRequest, match="do not fit"):
            expected_users(features, counts[:cut], ridge=ridge)

    def test_where_nobody_has_anything_are_refused(self, features):
        with pytest.raises(InvalidRequest):
            expected_users(features, np.zeros(N, dtype=np.int64))

    def test_of_broken_features_are_refused(self, features, counts):
        features.data[0] = np.nan
        with pytest.raises(TrainingError):
            expected_users(features, counts)


class TestByFame:
    @pytest.fixture
    def newcomers(self, features, counts):
        return Newcomers.fit(features, counts > 0, k=20, floor=0.01)

    def test_new_items_keep_their_neighbours(self, newcomers, features, counts):
        made = by_fame(newcomers, features, counts)
        assert np.array_equal(made.items, newcomers.items)
        assert np.array_equal(made.likeness.indices, newcomers.likeness.indices)
        ratios = made.likeness.data / newcomers.likeness.data
        rows = np.repeat(np.arange(len(made)), np.diff(made.likeness.indptr))
        for row in range(len(made)):
            assert np.ptp(ratios[rows == row]) < 1e-4

    def test_the_famous_to_be_count_more_than_the_others(self, newcomers, features, counts):
        made = by_fame(newcomers, features, counts)
        sums = np.asarray(made.likeness.sum(axis=1)).ravel()
        neighbours = newcomers.likeness @ counts.astype(float)
        worth = sums * neighbours  # what a model of popularity makes of them
        assert worth[::2].min() > worth[1::2].max()

    def test_power_0_changes_nothing(self, newcomers, features, counts):
        made = by_fame(newcomers, features, counts, power=0.0)
        assert made.likeness.data == pytest.approx(newcomers.likeness.data)

    def test_power_1_makes_popularity_what_is_expected(self, newcomers, features, counts):
        made = by_fame(newcomers, features, counts, power=1.0)
        expected = expected_users(features, counts)[made.items]
        assert made.likeness @ counts.astype(float) == pytest.approx(expected, rel=1e-4)

    def test_no_factor_leaves_its_bounds(self, newcomers, features, counts):
        counts[:36] = np.where(np.arange(36) % 2 == 0, 100_000, 1)
        made = by_fame(newcomers, features, counts, power=1.0)
        factors = made.likeness.sum(axis=1) / newcomers.likeness.sum(axis=1)
        assert factors.min() >= 1 / MOST - 1e-6
        assert factors.max() <= MOST + 1e-6

    def test_neighbours_whose_users_were_held_out_do_no_harm(self, newcomers, features, counts):
        counts[newcomers.likeness.indices] = 0
        counts[0] = 50
        made = by_fame(newcomers, features, counts)
        assert np.isfinite(made.likeness.data).all()
        assert made.likeness.data.min() > 0

    @pytest.mark.parametrize("power", [-0.1, 1.1, float("nan")])
    def test_a_power_out_of_range_is_refused(self, newcomers, features, counts, power):
        with pytest.raises(InvalidRequest, match="power"):
            by_fame(newcomers, features, counts, power=power)
