"""EASE is the published closed form, whatever the shortcuts taken to compute it."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from pydantic import ValidationError as ConfigRefused
from scipy.sparse import csr_matrix, random_array

from flyball.errors import ArtifactCorrupt, TrainingError
from flyball.recommend import Ease, EaseConfig, Interactions


def data_of(table):
    matrix = csr_matrix(np.asarray(table, dtype=np.float32))
    users = np.array([f"u{n}" for n in range(matrix.shape[0])])
    items = np.array([f"i{n}" for n in range(matrix.shape[1])])
    return Interactions(users, items, matrix)


def random_data(n_users, n_items, density, seed=0):
    rng = np.random.default_rng(seed)
    matrix = random_array((n_users, n_items), density=density, rng=rng, dtype=np.float64)
    return data_of((matrix.toarray() > 0).astype(np.float32))


def closed_form(table, config):
    """The formulas of the paper, written down as they stand, in float64."""
    table = np.asarray(table, dtype=np.float64)
    gram = table.T @ table
    ratio = config.dropout / (1 - config.dropout)
    penalty = config.regularisation * np.eye(len(gram)) + ratio * np.diag(np.diag(gram))
    inverse = np.linalg.inv(gram + penalty)
    weights = np.eye(len(gram)) - inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


def weights_of(model):
    return model.predict(csr_matrix(np.eye(model.n_items, dtype=np.float32)))


class TestEase:
    @pytest.mark.parametrize(("strength", "dropout"), [(30.0, 0.2), (1.0, 0.0), (500.0, 0.8)])
    def test_is_the_closed_form(self, strength, dropout):
        config = EaseConfig(regularisation=strength, dropout=dropout)
        data = random_data(300, 600, 0.05)  # more items than one block, and no multiple of it
        expected = closed_form(data.matrix.toarray(), config)
        np.testing.assert_allclose(weights_of(Ease.fit(data, config)), expected, atol=1e-5)

    def test_stays_accurate_where_single_precision_would_not(self):
        """Items that are always bought together, and hardly any regularisation."""
        config = EaseConfig(regularisation=0.1, dropout=0.0)
        data = data_of(np.repeat(random_data(2000, 20, 0.7).matrix.toarray(), 2, axis=1))
        expected = closed_form(data.matrix.toarray(), config)
        np.testing.assert_allclose(weights_of(Ease.fit(data, config)), expected, atol=1e-6)

    def test_of_two_items_is_what_one_works_out_by_hand(self):
        """G = [[2, 1], [1, 1]], lambda 1: P = [[2, -1], [-1, 3]] / 5; B_01 = 1/3, B_10 = 1/2."""
        config = EaseConfig(regularisation=1.0, dropout=0.0)
        model = Ease.fit(data_of([[1, 1], [1, 0]]), config)
        np.testing.assert_allclose(weights_of(model), [[0, 1 / 3], [1 / 2, 0]], rtol=1e-6)

    def test_gives_an_item_nobody_has_a_score_of_zero(self):
        model = Ease.fit(data_of([[1, 1, 0], [1, 0, 0]]), EaseConfig())
        assert model.score(np.array([0, 1]))[2] == 0.0
        assert model.score(np.array([2])).tolist() == [0.0, 0.0, 0.0]

    def test_explains_a_score_to_the_last_term(self):
        data = random_data(300, 50, 0.2)
        model = Ease.fit(data, EaseConfig())
        history = data.matrix[0].indices
        for item in (0, 7, int(history[0])):
            terms = model.contributions(history, item)
            assert terms.shape == history.shape
            np.testing.assert_allclose(terms.sum(), model.score(history)[item], rtol=1e-5)

    def test_finds_similar_what_an_owner_of_that_item_alone_is_offered(self):
        model = Ease.fit(random_data(300, 50, 0.2), EaseConfig())
        np.testing.assert_array_equal(model.similar(9), model.score(np.array([9])))

    def test_needs_room_for_one_dense_matrix_and_blocks(self):
        n_items = 2500
        data = random_data(2000, n_items, 0.01)
        tracemalloc.start()
        try:
            Ease.fit(data, EaseConfig())
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 1.75 * 4 * n_items**2

    def test_is_mapped_from_disk_and_cannot_be_changed(self, tmp_path):
        Ease.fit(random_data(50, 20, 0.2), EaseConfig()).save(tmp_path)
        weights = Ease.load(tmp_path)._weights
        assert isinstance(weights.base, np.memmap)
        assert not weights.flags.writeable


class TestWhatEaseRefuses:
    def test_a_catalogue_too_large_for_a_dense_matrix(self):
        n_items = Ease.max_items + 1
        matrix = csr_matrix(([1.0], ([0], [0])), shape=(1, n_items), dtype=np.float32)
        items = np.array([str(n) for n in range(n_items)])
        with pytest.raises(TrainingError, match="narrow the catalogue"):
            Ease.fit(Interactions(np.array(["u"]), items, matrix), EaseConfig())

    def test_a_matrix_that_has_no_inverse(self):
        config = EaseConfig(regularisation=1e-300, dropout=0.0)
        with pytest.raises(TrainingError, match=r"could not invert.*raise the regularisation"):
            Ease.fit(data_of(np.ones((4, 2))), config)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"regularisation": 0.0},
            {"regularisation": float("inf")},
            {"dropout": 1.0},
            {"dropout": -0.1},
            {"dropout": float("nan")},
        ],
    )
    def test_a_configuration_out_of_range(self, wrong):
        with pytest.raises(ConfigRefused):
            EaseConfig(**wrong)

    def test_weights_that_are_not_square(self, tmp_path):
        np.save(tmp_path / "weights.npy", np.zeros((2, 3), dtype=np.float32))
        with pytest.raises(ArtifactCorrupt, match="expected a square"):
            Ease.load(tmp_path)


def test_the_search_covers_the_stated_ranges():
    class Asked:
        def __init__(self):
            self.ranges = {}

        def suggest_float(self, name, low, high, *, log=False):
            self.ranges[name] = (low, high, log)
            return high

    trial = Asked()
    config = EaseConfig.suggest(trial)
    assert trial.ranges == {"regularisation": (1.0, 2000.0, True), "dropout": (0.0, 0.8, False)}
    assert config == EaseConfig(regularisation=2000.0, dropout=0.8)
