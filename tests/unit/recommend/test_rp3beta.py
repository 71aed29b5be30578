"""RP3beta is the published walk."""

from __future__ import annotations

import numpy as np
import pytest

from flyball.recommend.rp3beta import Rp3Beta, Rp3BetaConfig
from recommender_promises import (
    RecommenderPromises,
    data_of,
    ndcg_of,
    random_data,
    steam,
    weights_of,
)


def naive(table, config):
    """The walk by transition matrices, dense and in float64."""
    table = np.asarray(table, dtype=np.float64)
    to_items = (table / np.maximum(table.sum(axis=1, keepdims=True), 1)) ** config.alpha * table
    to_users = (table.T / np.maximum(table.sum(axis=0)[:, None], 1)) ** config.alpha * table.T
    walk = to_users @ to_items / np.maximum(table.sum(axis=0), 1) ** config.beta
    np.fill_diagonal(walk, 0)
    kept = np.zeros_like(walk)
    for item in range(len(walk)):
        best = np.argsort(-walk[item], kind="stable")[: config.neighbours]
        kept[item, best] = walk[item, best]
    return kept


class TestRp3Beta(RecommenderPromises):
    @pytest.fixture
    def model(self):
        return Rp3Beta

    @pytest.mark.parametrize(("alpha", "beta"), [(1.0, 0.0), (0.8, 0.4), (0.0, 0.0), (1.7, 1.2)])
    def test_is_the_walk_of_three_steps(self, alpha, beta):
        config = Rp3BetaConfig(alpha=alpha, beta=beta)
        data = random_data(200, 40, 0.2)
        expected = naive(data.matrix.toarray(), config)
        np.testing.assert_allclose(weights_of(Rp3Beta.fit(data, config)), expected, rtol=1e-4)

    @pytest.mark.parametrize("neighbours", [1, 7])
    def test_keeps_the_strongest_of_each_item(self, neighbours):
        config = Rp3BetaConfig(neighbours=neighbours)
        data = random_data(200, 40, 0.2)
        expected = naive(data.matrix.toarray(), config)
        np.testing.assert_allclose(weights_of(Rp3Beta.fit(data, config)), expected, rtol=1e-4)

    def test_of_two_items_is_what_one_works_out_by_hand(self):
        """From 0 (two users) to the one who has both (two items) and on: 1/2 * 1/2 / 1 user."""
        config = Rp3BetaConfig(alpha=1.0, beta=1.0)
        weights = weights_of(Rp3Beta.fit(data_of([[1, 1], [1, 0]]), config))
        np.testing.assert_allclose(weights, [[0, 1 / 4], [1 / 4, 0]], rtol=1e-6)

    @pytest.mark.parametrize(
        ("name", "config", "reference"),
        [
            ("all", {"alpha": 1.0, "beta": 0.3}, 0.441),
            ("plays", {"alpha": 0.6, "beta": 0.3}, 0.274),
            ("all", {}, 0.454),
        ],
    )
    def test_is_as_accurate_on_steam_as_measured(self, name, config, reference):
        """Within one standard error of the two references, and the default."""
        fold = steam(name)
        model = Rp3Beta.fit(fold.train, Rp3BetaConfig(**config))
        assert ndcg_of(model, fold) == pytest.approx(reference, abs=0.006)
