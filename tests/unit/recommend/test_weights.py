"""Dense and sparse weights say the same, whatever the way that is asked."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from flyball.errors import ArtifactCorrupt
from flyball.recommend.weights import DenseWeights, SparseWeights

ITEMS = 100


def table(seed=0):
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(ITEMS, ITEMS)).astype(np.float32)
    found[rng.random(found.shape) < 0.7] = 0.0
    np.fill_diagonal(found, 0.0)
    return found


def block():
    """Dense weights over every third item."""
    columns = np.arange(0, ITEMS, 3, dtype=np.int32)
    return DenseWeights(np.ascontiguousarray(table()[np.ix_(columns, columns)]), columns, ITEMS)


def whole(weights):
    return weights.product(csr_matrix(np.eye(ITEMS, dtype=np.float32)))


MADE = {
    "dense": lambda: DenseWeights(table()),
    "block": block,
    "sparse": lambda: SparseWeights(csr_matrix(table())),
}


@pytest.fixture(params=MADE)
def weights(request):
    return MADE[request.param]()


def test_dense_and_sparse_weights_are_the_table():
    np.testing.assert_array_equal(whole(MADE["dense"]()), table())
    np.testing.assert_array_equal(whole(MADE["sparse"]()), table())


def test_items_outside_the_block_neither_speak_nor_are_spoken_for():
    found = whole(block())
    outside = np.arange(ITEMS) % 3 != 0
    assert not found[outside].any()
    assert not found[:, outside].any()
    np.testing.assert_array_equal(found[::3, ::3], table()[::3, ::3])


@pytest.mark.parametrize("n", [0, 1, 7, 70])
def test_a_sum_is_the_product_of_one_row(weights, n):
    rng = np.random.default_rng(n)
    items = rng.permutation(ITEMS)[:n]
    values = rng.random(n, dtype=np.float32)
    expected = values @ whole(weights)[items] if n else np.zeros(ITEMS)
    np.testing.assert_allclose(weights.sum(items, values), expected, rtol=1e-4, atol=1e-5)
    plain = whole(weights)[items].sum(axis=0)
    np.testing.assert_allclose(weights.sum(items, None), plain, rtol=1e-4, atol=1e-5)


def test_a_column_is_what_each_item_says_of_one(weights):
    items = np.array([0, 5, 42, 99])
    for item in (0, 3, 50):
        np.testing.assert_array_equal(weights.column(items, item), whole(weights)[items, item])


def test_two_of_one_form_add_up():
    for name in ("dense", "sparse"):
        one = MADE[name]()
        both = one.plus(MADE[name](), 2.0)
        np.testing.assert_allclose(whole(both), 3.0 * whole(one), rtol=1e-5)


def test_two_of_different_forms_do_not():
    assert MADE["dense"]().plus(MADE["sparse"](), 1.0) is None
    assert MADE["sparse"]().plus(MADE["dense"](), 1.0) is None


def test_they_come_back_from_disk(weights, tmp_path):
    weights.save(tmp_path)
    np.testing.assert_array_equal(whole(type(weights).load(tmp_path)), whole(weights))


def test_columns_that_do_not_fit_are_a_damaged_artifact(tmp_path):
    block().save(tmp_path)
    np.save(tmp_path / "columns.npy", np.arange(3, dtype=np.int32))
    with pytest.raises(ArtifactCorrupt, match="do not fit"):
        DenseWeights.load(tmp_path)


def test_sparse_parts_that_do_not_fit_are_a_damaged_artifact(tmp_path):
    MADE["sparse"]().save(tmp_path)
    np.save(tmp_path / "indices.npy", np.full(5, ITEMS + 1, dtype=np.int32))
    with pytest.raises(ArtifactCorrupt, match="do not fit"):
        SparseWeights.load(tmp_path)
