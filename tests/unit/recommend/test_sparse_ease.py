"""Sparse EASE is the closed form of each item on its neighbours, at any size of catalogue."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError as ConfigRefused
from scipy.sparse import csr_matrix, random_array

from flyball.errors import TrainingError
from flyball.ports import Model
from flyball.recommend.ease import Ease, EaseConfig
from flyball.recommend.histories import Histories, History
from flyball.recommend.interactions import Interactions
from flyball.recommend.neighbourhoods import local_weights
from flyball.recommend.sparse_ease import SparseEase, SparseEaseConfig
from flyball.testing.models import ModelContract


def data_of(table):
    matrix = csr_matrix(np.asarray(table, dtype=np.float32))
    users = np.array([f"u{n}" for n in range(matrix.shape[0])])
    items = np.array([f"i{n}" for n in range(matrix.shape[1])])
    return Interactions(users, items, matrix)


def random_table(n_users, n_items, *, chance=(0.5, 0.05)):
    """Popular and rare items, the first the most popular."""
    rng = np.random.default_rng(0)
    return (rng.random((n_users, n_items)) < np.linspace(*chance, n_items)).astype(np.float32)


def column_by_column(table, *, ridge, dropout, neighbours):
    """The formulas as they stand, one item after another."""
    gram = table.T.astype(float) @ table
    counts = np.diag(gram)
    likeness = gram / np.sqrt(np.outer(counts + ridge, counts + ridge))
    np.fill_diagonal(likeness, 0.0)
    weights = np.zeros_like(gram)
    for item in range(len(gram)):
        near = np.argsort(-likeness[:, item], kind="stable")[:neighbours]
        near = near[likeness[near, item] > 0]
        penalty = np.diag(ridge + dropout / (1 - dropout) * counts[near])
        system = gram[np.ix_(near, near)] + penalty
        weights[near, item] = np.linalg.solve(system, gram[near, item])
    return weights


def history(*items):
    return History(np.array(items, dtype=np.int64))


def weights_of(model):
    return model.predict(Histories(csr_matrix(np.eye(model.n_items, dtype=np.float32))))


class TestTheContract(ModelContract):
    @pytest.fixture
    def model(self) -> type[Model]:
        return SparseEase

    @pytest.fixture
    def data(self):
        return data_of(random_table(60, 25))

    @pytest.fixture
    def queries(self, data):
        return data.histories(slice(0, 7))


class TestSparseEase:
    @pytest.mark.parametrize("neighbours", [1, 7, 300])
    def test_solves_each_item_on_its_nearest_neighbours(self, neighbours):
        table = random_table(400, 60)
        config = SparseEaseConfig(neighbours=neighbours, regularisation=7.0, dropout=0.3)
        expected = column_by_column(table, ridge=7.0, dropout=0.3, neighbours=neighbours)
        found = weights_of(SparseEase.fit(data_of(table), config))
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert (np.count_nonzero(found, axis=0) <= neighbours).all()

    def test_is_the_dense_closed_form_where_all_items_are_neighbours(self):
        """Regressing an item on all others, without dropout, is EASE; here all pairs are met."""
        data = data_of(random_table(400, 60, chance=(0.5, 0.3)))
        dense = Ease.fit(data, EaseConfig(dropout=0.0))
        sparse = SparseEase.fit(data, SparseEaseConfig(dropout=0.0, neighbours=59))
        np.testing.assert_allclose(weights_of(sparse), weights_of(dense), atol=1e-5)

    @pytest.mark.parametrize("head", [1, 20])
    def test_gives_the_same_where_not_all_pairs_are_kept_in_memory(self, head):
        matrix = csr_matrix(random_table(400, 60))
        whole = local_weights(matrix, ridge=30, dropout=0.2, neighbours=10)
        parts = local_weights(matrix, ridge=30, dropout=0.2, neighbours=10, head=head)
        np.testing.assert_allclose(parts.toarray(), whole.toarray(), atol=1e-6)

    def test_solves_anew_what_was_kept_too_sparsely_to_be_solved(self):
        """200 items that nearly all people agree on, and a fifth of each row of counts kept."""
        rng = np.random.default_rng(0)
        table = rng.random((300, 200)) < 0.3
        agreed = rng.random((300, 1)) < 0.5
        matrix = csr_matrix(
            np.where(rng.random(table.shape) < 0.9, agreed, table), dtype=np.float32
        )
        whole = local_weights(matrix, ridge=1.0, dropout=0.0, neighbours=5)
        parts = local_weights(matrix, ridge=1.0, dropout=0.0, neighbours=5, head=1)
        np.testing.assert_allclose(parts.toarray(), whole.toarray(), atol=1e-5)

    def test_explains_a_score_to_the_last_term(self):
        data = data_of(random_table(300, 50))
        model = SparseEase.fit(data, SparseEaseConfig(neighbours=8))
        asked = data.histories().one(0)
        for item in (0, 7, int(asked.items[0])):
            terms = model.terms(asked, np.array([item]))
            expected = model.score(asked)[item]
            np.testing.assert_allclose(terms.sums[0], expected, atol=1e-6)

    def test_says_nothing_of_an_item_nobody_has(self):
        model = SparseEase.fit(data_of([[1, 1, 0], [1, 1, 0], [1, 0, 0]]), SparseEaseConfig())
        assert model.score(history(0, 1))[2] == 0.0
        assert model.score(history(2)).tolist() == [0.0, 0.0, 0.0]

    def test_of_one_item_has_nothing_to_say(self):
        assert SparseEase.fit(data_of([[1]]), SparseEaseConfig()).score(history(0)).tolist() == [0]

    def test_of_items_that_all_have_tells_none_from_another(self):
        model = SparseEase.fit(data_of(np.ones((9, 6))), SparseEaseConfig(neighbours=5))
        weights = weights_of(model)[~np.eye(6, dtype=bool)]
        np.testing.assert_allclose(weights, weights[0], rtol=1e-6)
        assert weights[0] > 0

    def test_takes_more_items_than_a_dense_matrix_has_room_for(self):
        """30,000 items: their Gram matrix alone would be 3.6 GB."""
        n_items = 26_000
        assert n_items > Ease.max_items
        rng = np.random.default_rng(0)
        cells = random_array((2000, n_items), density=0.0001, rng=rng).tocsr()
        matrix = csr_matrix((np.ones(cells.nnz, np.float32), cells.indices, cells.indptr))
        matrix.resize((2000, n_items))
        matrix.sort_indices()
        ids = [np.array([f"{n:06}" for n in range(size)]) for size in matrix.shape]
        data = Interactions(ids[0], ids[1], matrix)
        model = SparseEase.fit(data, SparseEaseConfig(neighbours=10))
        scores = model.score(data.histories().one(0))
        assert np.isfinite(scores).all()
        assert scores.any()


class TestWhatSparseEaseRefuses:
    def test_a_system_without_a_solution(self):
        config = SparseEaseConfig(regularisation=1e-300, dropout=0.0)
        with pytest.raises(TrainingError, match="raise the regularisation"):
            SparseEase.fit(data_of(np.ones((4, 3))), config)

    @pytest.mark.parametrize("wrong", [0, -1, 1001])
    def test_a_number_of_neighbours_out_of_range(self, wrong):
        with pytest.raises(ConfigRefused):
            SparseEaseConfig(neighbours=wrong)
