"""EASE is the published closed form, whatever the shortcuts taken to compute it."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from pydantic import ValidationError as ConfigRefused
from scipy.sparse import csr_matrix, random_array

from flyball.errors import ArtifactCorrupt, TrainingError
from flyball.ports import Model
from flyball.recommend import Ease, EaseConfig, History, Interactions
from flyball.recommend.histories import Histories
from flyball.testing.models import ModelContract


def data_of(table, hours=None):
    matrix = csr_matrix(np.asarray(table, dtype=np.float32))
    users = np.array([f"u{n}" for n in range(matrix.shape[0])])
    items = np.array([f"i{n}" for n in range(matrix.shape[1])])
    cells = None if hours is None else np.asarray(hours, dtype=np.float32)[matrix.nonzero()]
    return Interactions(users, items, matrix, hours=cells)


def random_data(n_users, n_items, density, seed=0):
    rng = np.random.default_rng(seed)
    matrix = random_array((n_users, n_items), density=density, rng=rng, dtype=np.float64)
    return data_of((matrix.toarray() > 0).astype(np.float32))


def closed_form(table, config):
    """The formulas of the paper, written down as they stand, in float64."""
    table = np.asarray(table, dtype=np.float64)
    lengths = np.count_nonzero(table, axis=1)
    users = np.where(lengths > 1, np.maximum(lengths, 1.0) ** -config.user_power, 0.0)
    if config.user_power == 0:
        users[:] = 1.0
    weighted = np.sqrt(users)[:, None] * table
    if (weighted**2).sum() > 0:
        weighted *= np.sqrt(np.count_nonzero(table) / (weighted**2).sum())
    gram = weighted.T @ weighted
    ratio = config.dropout / (1 - config.dropout)
    penalty = config.regularisation * np.eye(len(gram)) + ratio * np.diag(np.diag(gram))
    inverse = np.linalg.inv(gram + penalty)
    weights = np.eye(len(gram)) - inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


def history(*items, **known):
    return History(np.array(items, dtype=np.int64), **known)


def weights_of(model):
    return model.predict(Histories(csr_matrix(np.eye(model.n_items, dtype=np.float32))))


class TestTheContract(ModelContract):
    @pytest.fixture
    def model(self) -> type[Model]:
        return Ease

    @pytest.fixture
    def data(self):
        return random_data(60, 25, 0.3)

    @pytest.fixture
    def queries(self, data):
        return data.histories(slice(0, 7))


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
        assert model.score(history(0, 1))[2] == 0.0
        assert model.score(history(2)).tolist() == [0.0, 0.0, 0.0]

    @pytest.mark.parametrize("config", [EaseConfig(), EaseConfig(hours_weight=0.5)])
    def test_explains_a_score_to_the_last_term(self, config):
        table = random_data(300, 50, 0.2).matrix.toarray()
        data = data_of(table, hours=np.arange(table.size).reshape(table.shape) % 97 + 1.0)
        model = Ease.fit(data, config)
        asked = data.histories().one(0)
        for item in (0, 7, int(asked.items[0])):
            terms = model.terms(asked, np.array([item]))
            assert terms.exact
            assert terms.items.shape == (1, *asked.items.shape)
            expected = model.score(asked)[item]
            np.testing.assert_allclose(terms.sums[0], expected, rtol=1e-4)

    def test_finds_similar_what_an_owner_of_that_item_alone_is_offered(self):
        model = Ease.fit(random_data(300, 50, 0.2), EaseConfig())
        np.testing.assert_array_equal(model.similar(9), model.score(history(9)))

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
        block = Ease.load(tmp_path).weights.block
        assert isinstance(block.base, np.memmap)
        assert not block.flags.writeable

    def test_of_one_item_has_nothing_to_say(self):
        model = Ease.fit(data_of([[1], [1]]), EaseConfig())
        assert model.score(history(0)).tolist() == [0.0]


class TestWhatUsersCount:
    @pytest.mark.parametrize("power", [0.6, 1.0])
    def test_is_less_for_a_collector_in_the_gram_matrix(self, power):
        config = EaseConfig(user_power=power)
        data = random_data(300, 40, 0.1)
        expected = closed_form(data.matrix.toarray(), config)
        np.testing.assert_allclose(weights_of(Ease.fit(data, config)), expected, atol=1e-5)

    def test_leaves_a_fan_of_two_items_with_more_say_than_a_collector(self):
        """Two fans have 0 and 1; two collectors have 0 and all items but 1."""
        fans, collectors = [1, 1] + [0] * 8, [1, 0] + [1] * 8
        data = data_of([fans, fans, collectors, collectors])
        equal = Ease.fit(data, EaseConfig()).score(history(0))
        fair = Ease.fit(data, EaseConfig(user_power=1.0)).score(history(0))
        assert fair[1] / fair[2] > 1.5 * equal[1] / equal[2]

    def test_may_be_nothing_at_all(self):
        """Everybody has one item: no pair, nothing to learn, and no NaN."""
        model = Ease.fit(data_of(np.eye(5)), EaseConfig(user_power=0.6))
        assert not weights_of(model).any()


class TestHoursAndAge:
    HOURS = ((1.0, 500.0, 0.0), (2.0, 300.0, 0.0), (5.0, 0.0, 1.0), (3.0, 0.0, 2.0))

    def fitted(self, **config):
        table = (np.array(self.HOURS) > 0).astype(float)
        return Ease.fit(data_of(table, hours=self.HOURS), EaseConfig(regularisation=1, **config))

    def test_are_off_by_default(self):
        known = history(0, 1, hours=np.array([1, 9], np.float32), days=np.array([1, 9], np.float32))
        model = self.fitted()
        np.testing.assert_array_equal(model.score(known), model.score(history(0, 1)))

    def test_let_an_item_played_longer_than_usual_say_more(self):
        model = self.fitted(hours_weight=1.0)
        hours = np.array([[1.0, 400.0], [400.0, 1.0]], dtype=np.float32)
        third = np.array([2])
        long_1, long_0 = (model.terms(history(0, 1, hours=h), third).items[0] for h in hours)
        assert abs(long_1[1]) > 1.5 * abs(long_0[1])
        assert abs(long_0[0]) > 1.5 * abs(long_1[0])

    def test_say_nothing_in_training(self):
        played = weights_of(self.fitted(hours_weight=1.0))
        np.testing.assert_array_equal(played, weights_of(self.fitted()))

    def test_that_nobody_knows_count_as_ownership(self):
        hours = np.array(self.HOURS)
        hours[hours > 0] = np.nan
        table = (np.array(self.HOURS) > 0).astype(float)
        config = EaseConfig(regularisation=1, hours_weight=1.0)
        model = Ease.fit(data_of(table, hours=hours), config)
        np.testing.assert_allclose(weights_of(model), weights_of(self.fitted()), rtol=1e-6)

    def test_let_an_item_of_a_half_life_ago_count_half(self):
        model = self.fitted(half_life_days=10.0)
        aged = history(0, 1, days=np.array([90.0, 100.0], np.float32))
        rows = weights_of(model)
        np.testing.assert_allclose(model.score(aged), rows[0] / 2 + rows[1], rtol=1e-5)


class TestWhatEaseRefuses:
    def test_a_catalogue_too_large_for_a_dense_matrix(self):
        n_items = Ease.max_items + 1
        matrix = csr_matrix(np.ones((1, n_items), dtype=np.float32))
        items = np.array([str(n) for n in range(n_items)])
        with pytest.raises(TrainingError, match=r"at most 25000; choose sparse_ease"):
            Ease.fit(Interactions(np.array(["u"]), items, matrix), EaseConfig())

    def test_no_catalogue_for_its_items_that_nobody_has(self):
        n_items = Ease.max_items + 1
        matrix = csr_matrix(([1.0, 1.0], ([0, 0], [0, 1])), shape=(1, n_items), dtype=np.float32)
        items = np.array([str(n) for n in range(n_items)])
        model = Ease.fit(Interactions(np.array(["u"]), items, matrix), EaseConfig())
        assert np.flatnonzero(model.score(history(0))).tolist() == [1]

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
            {"user_power": 1.1},
            {"hours_weight": -1.0},
            {"half_life_days": 0.0},
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
    assert trial.ranges == {
        "regularisation": (1.0, 2000.0, True),
        "dropout": (0.0, 0.8, False),
        "user_power": (0.0, 1.0, False),
    }
    assert config == EaseConfig(regularisation=2000.0, dropout=0.8, user_power=1.0)
