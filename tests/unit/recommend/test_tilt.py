"""Whom an item is for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from flyball.errors import ArtifactCorrupt
from flyball.recommend import History, Interactions
from flyball.recommend.linear import DenseLinear
from flyball.recommend.tilt import Tilt
from flyball.recommend.weights import DenseWeights


def data_of(table):
    matrix = csr_matrix(np.asarray(table, dtype=np.float32))
    users = np.array([f"u{n:03}" for n in range(matrix.shape[0])])
    items = np.array([f"i{n:03}" for n in range(matrix.shape[1])])
    return Interactions(users, items, matrix)


@pytest.fixture
def shop():
    """20 beginners have item 0 alone; 10 collectors have items 1 to 9; nobody has item 10."""
    table = np.zeros((30, 11))
    table[:20, 0] = 1
    table[20:, 1:10] = 1
    return data_of(table)


class Model(DenseLinear):
    family = "tilted"


def model(shop, *, level=0.1, slope=0.1):
    rng = np.random.default_rng(4)
    weights = DenseWeights(rng.random((11, 11), dtype=np.float32))
    return Model(weights, tilt=Tilt.fit(shop, level=level, slope=slope))


def test_no_strength_is_no_tilt(shop):
    tilt = Tilt.fit(shop, level=0.0, slope=0.0)
    np.testing.assert_array_equal(tilt.tables(np.array([1, 5, 100])), np.ones((3, 11)))


def test_collectors_items_gain_for_everyone_by_their_level(shop):
    factors = Tilt.fit(shop, level=0.1, slope=0.0).tables(np.array([1, 50]))
    assert (factors[:, 1:10] > factors[:, :1]).all()
    np.testing.assert_array_equal(factors[0], factors[1])


def test_popular_items_gain_for_beginners_and_lose_for_collectors(shop):
    beginner, collector = Tilt.fit(shop, level=0.0, slope=0.1).tables(np.array([1, 50]))
    assert beginner[0] > beginner[1]
    assert collector[0] < collector[1]


def test_an_item_that_nobody_has_is_a_typical_one(shop):
    np.testing.assert_allclose(Tilt.fit(shop, level=0.1, slope=0.1).factors(3)[10], 1.0)


def test_is_the_formula_as_it_stands(shop):
    """Written down again, item by item."""
    tilt = Tilt.fit(shop, level=0.2, slope=0.3)
    lengths = np.asarray(shop.matrix.sum(axis=1)).ravel()
    owners = [np.flatnonzero(shop.matrix[:, [i]].toarray().ravel()) for i in range(11)]
    mean = np.mean([np.log(lengths[u]) for users in owners for u in users])
    library = [(np.log(lengths[u]).sum() + 3 * mean) / (len(u) + 3) for u in owners]
    only = [np.mean(lengths[u] == 1) if len(u) else 0.0 for u in owners]
    popular = [np.log1p(len(u)) for u in owners]
    weights = [len(u) for u in owners]

    def z(values):
        middle = np.average(values, weights=weights)
        spread = np.sqrt(np.average((np.array(values) - middle) ** 2, weights=weights))
        return np.where(np.array(weights) > 0, np.clip((values - middle) / spread, -3, 3), 0.0)

    expected = np.exp(
        0.2 * (z(library) - z(only) / 2) + (np.log(7) - 2) * 0.3 * (z(library) / 2 - z(popular))
    )
    np.testing.assert_allclose(tilt.factors(7), expected, rtol=1e-5)
    some = np.array([4, 0])
    np.testing.assert_array_equal(tilt.factors(7, some), tilt.factors(7)[some])
    np.testing.assert_allclose(tilt.tables(np.array([7]))[0], tilt.factors(7), rtol=1e-6)


def test_all_equal_items_stay_equal():
    tilt = Tilt.fit(data_of(np.ones((5, 4))), level=1.0, slope=1.0)
    np.testing.assert_array_equal(tilt.tables(np.array([1, 9])), np.ones((2, 4)))


def test_a_tilted_models_reasons_add_up(shop):
    tilted, history = model(shop), History(np.array([1, 4, 7]))
    for item in (0, 3, 10):
        terms = tilted.terms(history, np.array([item]))
        assert terms.sums[0] == pytest.approx(tilted.score(history)[item], rel=1e-5)


def test_a_tilted_model_comes_back_from_disk(shop, tmp_path):
    tilted = model(shop)
    tilted.save(tmp_path)
    everyone = shop.histories()
    loaded = Model.load(tmp_path)
    np.testing.assert_array_equal(loaded.predict(everyone), tilted.predict(everyone))


def test_a_tilt_of_other_items_is_a_damaged_artifact(shop, tmp_path):
    model(shop).save(tmp_path)
    np.save(tmp_path / "tilt.npy", np.zeros((2, 5), dtype=np.float32))
    with pytest.raises(ArtifactCorrupt, match=r"expected \(2, 11\)"):
        Model.load(tmp_path)
