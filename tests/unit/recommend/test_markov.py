"""The Markov model counts who goes on to what, and how soon."""

from __future__ import annotations

import numpy as np
import pytest

from flyball.errors import TrainingError
from flyball.recommend.histories import History
from flyball.recommend.markov import Markov, MarkovConfig
from recommender_promises import (
    RecommenderPromises,
    data_of,
    ndcg_of,
    random_data,
    reviews,
    weights_of,
)

PLAIN = {"alpha": 0.0, "half_life_days": None, "neighbours": 10**6}
"""Counts as they are."""


def sequence(*days):
    """One user for each row of days; 0: does not have the item."""
    table = np.asarray(days)
    return data_of(table > 0, days=table)


def transitions(data, **config):
    return weights_of(Markov.fit(data, MarkovConfig(**(PLAIN | config))))


def naive(data, config):
    """Every ordered pair of every user, one at a time."""
    n_items = len(data.items)
    counted = np.zeros((n_items, n_items))
    for row in range(data.matrix.shape[0]):
        history = data.histories().one(row)
        steps = {day: step for step, day in enumerate(sorted(set(history.days.tolist())))}
        for j, day_j in zip(history.items, history.days, strict=True):
            for i, day_i in zip(history.items, history.days, strict=True):
                distance = steps[float(day_i)] - steps[float(day_j)]
                if i == j or abs(distance) > config.window:
                    continue
                found = config.decay ** (abs(distance) - 1) if distance else 0.5
                if config.gap_half_life_days is not None:
                    found *= 2 ** -(abs(day_i - day_j) / config.gap_half_life_days)
                if distance >= 0:
                    counted[j, i] += found
                if distance <= 0:
                    counted[j, i] += found * config.backward
    users = np.maximum(data.matrix.toarray().sum(axis=0), 1.0)
    return counted / users[:, None] ** config.alpha / users**config.beta


class TestMarkov(RecommenderPromises):
    @pytest.fixture
    def model(self):
        return Markov

    @pytest.mark.parametrize(
        "config",
        [
            {},
            {"window": 1},
            {"window": 3, "decay": 0.5, "backward": 0.3},
            {"gap_half_life_days": 4.0, "alpha": 1.0, "beta": 0.5},
            {"window": 1000, "decay": 1.0, "backward": 1.0},
        ],
    )
    def test_counts_every_ordered_pair_of_a_user(self, config):
        """Days on which a user has several items are among them."""
        chosen = MarkovConfig(**(PLAIN | config))
        data = random_data()
        expected = naive(data, chosen)
        np.testing.assert_allclose(transitions(data, **config), expected, rtol=1e-4, atol=1e-6)

    def test_of_three_steps_is_what_one_works_out_by_hand(self):
        """0, then 1, then 2: the second step ahead counts half."""
        found = transitions(sequence([10, 20, 30]), window=2, decay=0.5)
        assert found.tolist() == [[0, 1, 0.5], [0, 0, 1], [0, 0, 0]]

    def test_looks_no_further_than_its_window(self):
        found = transitions(sequence([10, 20, 30]), window=1)
        assert found.tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]

    def test_counts_half_both_ways_on_one_day(self):
        """Which came first is not known; both together are one transition."""
        assert transitions(sequence([10, 10])).tolist() == [[0, 0.5], [0.5, 0]]

    def test_takes_a_day_for_one_step_however_much_happened(self):
        """From the 10th, all that came on the 20th is one step away, and the 30th two."""
        found = transitions(sequence([10, 20, 20, 30]), window=5, decay=0.5)
        assert found[0].tolist() == [0, 1, 1, 0.5]

    def test_never_steps_from_one_user_to_the_next(self):
        assert not transitions(sequence([10, 0], [0, 20]), window=5).any()

    def test_ignores_order_where_backward_is_one(self):
        found = transitions(random_data(), backward=1.0)
        np.testing.assert_allclose(found, found.T, rtol=1e-5)

    def test_keeps_the_strongest_of_each_item(self):
        whole = transitions(random_data())
        few = transitions(random_data(), neighbours=3)
        assert ((few > 0).sum(axis=1) == 3).all()
        np.testing.assert_allclose(few.max(axis=1), whole.max(axis=1))
        assert (few[few > 0] == whole[few > 0]).all()

    def test_lets_the_newest_of_a_history_count_most(self):
        """Ten days before the newest item, with a half-life of ten days, an item counts half."""
        data = sequence([1, 0, 9, 0], [0, 1, 0, 9])
        model = Markov.fit(data, MarkovConfig(**(PLAIN | {"half_life_days": 10.0})))
        days = np.array([100.0, 110.0], dtype=np.float32)
        scores = model.score(History(np.array([0, 1]), days=days))
        assert scores.tolist() == [0, 0, 0.5, 1]

    def test_refuses_data_without_dates(self):
        with pytest.raises(TrainingError, match="no dates"):
            Markov.fit(data_of([[1, 1], [1, 0]]), MarkovConfig())

    def test_learns_nothing_from_users_of_one_item(self):
        """That is an answer: every score is zero."""
        assert not transitions(sequence([10, 0], [0, 20])).any()

    def test_is_as_accurate_on_reviews_as_the_reference(self):
        """.077 for the last review of each user; this reaches .087, within a standard error."""
        fold = reviews()
        model = Markov.fit(fold.train, MarkovConfig())
        assert ndcg_of(model, fold) == pytest.approx(0.087, abs=0.0045)
