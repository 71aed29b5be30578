"""ItemKNN is the published cosine, whatever the blocks it is computed in."""

from __future__ import annotations

import tracemalloc
from typing import ClassVar

import numpy as np
import pytest
from scipy.sparse import csr_matrix, random_array

from flyball.recommend.interactions import Interactions
from flyball.recommend.item_knn import ItemKnn, ItemKnnConfig
from recommender_promises import (
    RecommenderPromises,
    data_of,
    ndcg_of,
    random_data,
    steam,
    weights_of,
)


def naive(table, config):
    """The formulas as they stand, dense and in float64."""
    table = np.asarray(table, dtype=np.float64)
    weights = np.ones(len(table))
    if config.weighting == "tf-idf":
        weights = np.log(table.shape[1]) - np.log1p(table.sum(axis=1))
    weighted = table * np.maximum(weights, 0)[:, None]
    gram = weighted.T @ weighted
    norms = np.sqrt(np.diag(gram))
    similar = gram / (np.outer(norms, norms) + config.shrinkage)
    np.fill_diagonal(similar, 0)
    kept = np.zeros_like(similar)
    for item in range(len(similar)):
        best = np.argsort(-similar[item], kind="stable")[: config.neighbours]
        kept[item, best] = similar[item, best]
    return kept if config.around == "owned" else kept.T


class TestItemKnn(RecommenderPromises):
    @pytest.fixture
    def model(self):
        return ItemKnn

    plain: ClassVar[dict[str, object]] = {"weighting": "cosine"}

    @pytest.mark.parametrize("around", ["owned", "candidate"])
    @pytest.mark.parametrize("shrinkage", [0.0, 7.5])
    @pytest.mark.parametrize("neighbours", [1, 5, 100])
    def test_is_the_tf_idf_cosine(self, around, shrinkage, neighbours):
        config = ItemKnnConfig(neighbours=neighbours, shrinkage=shrinkage, around=around)
        data = random_data(200, 40, 0.2)
        expected = naive(data.matrix.toarray(), config)
        np.testing.assert_allclose(weights_of(ItemKnn.fit(data, config)), expected, atol=1e-6)

    def test_is_the_plain_cosine_where_asked(self):
        """Three users of both; four of the one, nine of the other: 3 / sqrt(4 * 9) = 1/2."""
        table = np.zeros((10, 2))
        table[:4, 0] = 1
        table[1:, 1] = 1
        config = ItemKnnConfig(weighting="cosine", shrinkage=0.0)
        weights = weights_of(ItemKnn.fit(data_of(table), config))
        np.testing.assert_allclose(weights, [[0, 1 / 2], [1 / 2, 0]], rtol=1e-6)

    def test_is_the_same_across_blocks(self):
        """4.4 million similarities: more than one block holds."""
        table = np.random.default_rng(0).random((400, 2100)) < 0.1
        config = ItemKnnConfig(neighbours=3000)
        expected = naive(table, config)
        weights = weights_of(ItemKnn.fit(data_of(table), config))
        np.testing.assert_allclose(weights, expected, atol=1e-6)

    def test_of_equals_at_the_edge_keeps_as_many_as_asked_for(self):
        """Everyone has everything: each item has three of its nine equals."""
        config = ItemKnnConfig(neighbours=3, weighting="cosine", around="owned")
        weights = weights_of(ItemKnn.fit(data_of(np.ones((5, 10))), config))
        assert (weights > 0).sum(axis=1).tolist() == [3] * 10

    def test_falls_back_to_counting_where_tf_idf_tells_nobody_apart(self):
        """Everyone has everything, so every weight of the formula would be below zero."""
        weights = weights_of(ItemKnn.fit(data_of(np.ones((4, 3))), ItemKnnConfig(shrinkage=0.0)))
        np.testing.assert_allclose(weights, 1 - np.eye(3), rtol=1e-6)

    def test_never_needs_the_memory_of_all_pairs(self):
        """8,000 items: all pairs would be 256 MB in float32."""
        n_items = 8000
        rng = np.random.default_rng(0)
        found = random_array((4000, n_items), density=0.006, rng=rng, dtype=np.float32)
        matrix = csr_matrix(found)
        matrix.data[:] = 1
        matrix.sort_indices()
        ids = np.array([f"{n:05}" for n in range(n_items)])
        data = Interactions(ids[:4000], ids, matrix)
        tracemalloc.start()
        ItemKnn.fit(data, ItemKnnConfig())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < n_items * n_items * 4 * 0.75

    @pytest.mark.parametrize(
        ("config", "reference"),
        [({"shrinkage": 0.0, "around": "owned"}, 0.421), ({}, 0.452)],
        ids=["reference", "default"],
    )
    def test_is_as_accurate_on_steam_as_measured(self, config, reference):
        """Within one standard error of the reference (20 neighbours, TF-IDF), and the default."""
        fold = steam("all")
        model = ItemKnn.fit(fold.train, ItemKnnConfig(**config))
        assert ndcg_of(model, fold) == pytest.approx(reference, abs=0.006)
