"""Made-up users, and how far they bring the item they push."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from flyball.errors import InvalidRequest
from flyball.recommend import Ease, EaseConfig, Histories, Interactions, Popularity
from flyball.recommend.popularity import PopularityConfig
from flyball.recommend.shilling import Attack, attacked, lifts, n_fakes, places, unpopular
from ranking_worlds import Fixed


def a_crowd(n_users=400, n_items=60, seed=0, *, dated=False):
    """Users of 8 items each, drawn by popularity: item 0 is everybody's, the last ones nobody's."""
    rng = np.random.default_rng(seed)
    weights = 1.0 / np.arange(1, n_items + 1)
    table = np.zeros((n_users, n_items), dtype=np.float32)
    for row in table:
        row[rng.choice(n_items, 8, replace=False, p=weights / weights.sum())] = 1.0
    matrix = csr_matrix(table)
    days = rng.integers(0, 300, matrix.nnz).astype(np.float32) if dated else None
    hours = rng.uniform(1, 9, matrix.nnz).astype(np.float32) if dated else None
    users = np.array([f"u{n:04}" for n in range(n_users)])
    return Interactions(users, np.array([f"i{n:03}" for n in range(n_items)]), matrix, hours, days)


class TestTheMadeUpUsers:
    def test_there_are_as_many_as_was_said_and_all_have_the_target(self):
        data = a_crowd()
        attack = Attack("average", 0.05, 50)
        made = attacked(data, [attack], seed=1)
        assert len(made.users) - len(data.users) == n_fakes(data, attack) == 20
        fakes = made.matrix[len(data.users) :].toarray()
        assert fakes[:, 50].all()
        assert (fakes.sum(axis=1) == 8).all()

    def test_the_genuine_users_stay_as_they_were(self):
        data = a_crowd(dated=True)
        made = attacked(data, [Attack("bandwagon", 0.05, 50)], seed=1)
        kept = made.narrowed(users=np.arange(len(data.users)))
        assert kept.frame().equals(data.frame())
        assert (np.sort(made.users) == made.users).all()

    def test_a_bandwagon_has_what_is_most_popular(self):
        data = a_crowd()
        made = attacked(data, [Attack("bandwagon", 0.05, 50)], seed=1)
        best = np.argsort(-data.counts, kind="stable")[:5]
        assert made.matrix[len(data.users) :].toarray()[:, best].all()

    def test_an_average_profile_has_popular_items_more_often(self):
        data = a_crowd()
        made = attacked(data, [Attack("average", 0.2, 59)], seed=1)
        fakes = made.matrix[len(data.users) :].toarray().mean(axis=0)
        order = np.argsort(-data.counts)
        assert fakes[order[:10]].mean() > 3 * fakes[order[30:]].mean()

    def test_they_act_when_genuine_users_do(self):
        data = a_crowd(dated=True)
        made = attacked(data, [Attack("average", 0.5, 50)], seed=1)
        days = made.days[data.matrix.nnz :]
        assert np.isin(days, data.days).all()
        assert np.median(days) == pytest.approx(np.median(data.days), abs=40)

    def test_in_a_burst_they_act_within_the_last_week(self):
        data = a_crowd(dated=True)
        made = attacked(data, [Attack("average", 0.05, 50, burst=True)], seed=1)
        days = made.days[data.matrix.nnz :]
        assert days.min() > data.now - 7
        assert made.now == data.now

    def test_the_same_seed_makes_the_same_users(self):
        data, attacks = a_crowd(), [Attack("average", 0.05, 50), Attack("bandwagon", 0.01, 51)]
        one, other = (attacked(data, attacks, seed=3).matrix for _ in range(2))
        assert (one != other).nnz == 0

    def test_one_is_made_at_least(self):
        assert n_fakes(a_crowd(20), Attack("average", 0.001, 3)) == 1

    @pytest.mark.parametrize("attack", [Attack("average", 0.1, 60), Attack("average", 0.0, 3)])
    def test_an_attack_that_cannot_be_made_is_refused(self, attack):
        with pytest.raises(InvalidRequest, match="cannot be made"):
            attacked(a_crowd(), [attack], seed=0)


class TestTargets:
    def test_they_are_had_by_somebody_and_by_few(self):
        counts = np.array([0, 9, 8, 7, 1, 2, 3, 0])
        assert set(unpopular(counts, 3, seed=0)) == {4, 5, 6}

    def test_fewer_come_back_where_there_are_fewer(self):
        assert unpopular(np.array([0, 1]), 5, seed=0) == [1]


class TestPlaces:
    histories = Histories(csr_matrix(np.array([[1, 0, 0, 0], [0, 0, 1, 0]], dtype=np.float32)))

    def test_count_from_one_among_what_the_user_does_not_have(self):
        found = places(Fixed([9, 8, 7, 6]), self.histories, [1, 3])
        assert found.tolist() == [[1, 3], [2, 3]]

    def test_equal_scores_stand_by_index(self):
        assert places(Fixed([1, 1, 1, 1]), self.histories, [3]).tolist() == [[3], [3]]

    def test_who_has_the_target_is_not_asked(self):
        assert places(Fixed([9, 8, 7, 6]), self.histories, [0]).tolist() == [[0], [1]]


class TestWhatAnAttackReaches:
    def test_owners_of_the_target_do_not_count(self):
        before, after = np.array([[0], [20], [30]]), np.array([[0], [5], [40]])
        (found,) = lifts([Attack("average", 0.01, 0)], before, after)
        assert (found.asked, found.shown_before, found.shown_after) == (2, 0.0, 0.5)
        assert (found.rank_before, found.rank_after) == (25.0, 22.5)

    def test_nobody_to_ask_is_no_lift(self):
        nobody = np.zeros((3, 1), dtype=int)
        (found,) = lifts([Attack("average", 0.01, 0)], nobody, nobody)
        assert (found.asked, found.shown_after) == (0, 0.0)

    def test_fashion_is_fooled_where_a_regularised_model_is_not(self):
        """Popularity of the last day follows a handful of made-up users into every list; EASE
        with much regularisation lets them into few."""
        data = a_crowd(dated=True)
        attack = Attack("bandwagon", 0.05, 55, burst=True)
        crowd = attacked(data, [attack], seed=1)

        def reached(kind, config):
            before, after = (
                places(kind.fit(d, config), data.histories(), [55]) for d in (data, crowd)
            )
            return lifts([attack], before, after)[0].shown_after

        assert reached(Popularity, PopularityConfig(half_life_days=1.0)) > 0.9
        assert reached(Ease, EaseConfig(regularisation=500.0)) < 0.2
