"""Dense and sparse weights say the same, whatever the way that is asked."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from flyball.errors import ArtifactCorrupt
from flyball.recommend.sparse_weights import SparseWeights
from flyball.recommend.weights import DenseWeights

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
    "sparse": lambda: SparseWeights.of(csr_matrix(table())),
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


@pytest.mark.parametrize("n", [0, 1, 4, ITEMS])
def test_cells_are_what_each_item_says_of_each_column(weights, n):
    items = np.random.default_rng(n).permutation(ITEMS)[:n]
    for columns in ([0, 3, 50], [99], [], range(ITEMS)):
        asked = np.array(columns, dtype=np.int64)
        expected = whole(weights)[items][:, asked].T
        np.testing.assert_array_equal(weights.cells(items, asked), expected)


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


@pytest.mark.parametrize("known", [ITEMS - 10, ITEMS - 11, ITEMS - 1, ITEMS])
def test_a_block_of_nearly_all_items_is_the_same_from_disk_whichever_form_it_takes(known, tmp_path):
    """From nine tenths on, it is stored over all of them, and says the same to the last digit."""
    columns = np.sort(np.random.default_rng(known).permutation(ITEMS)[:known]).astype(np.int32)
    made = DenseWeights(np.ascontiguousarray(table()[np.ix_(columns, columns)]), columns, ITEMS)
    made.save(tmp_path)
    found = DenseWeights.load(tmp_path)
    assert found.n_items == made.n_items == ITEMS
    assert (found.columns is None) == (known >= 0.9 * ITEMS)
    np.testing.assert_array_equal(whole(found), whole(made))
    rng = np.random.default_rng(0)
    for n in (0, 1, 7, 70):
        items = rng.permutation(ITEMS)[:n]
        for values in (None, rng.random(n, dtype=np.float32)):
            np.testing.assert_array_equal(found.sum(items, values), made.sum(items, values))
        asked = rng.integers(0, ITEMS, 20)
        np.testing.assert_array_equal(found.cells(items, asked), made.cells(items, asked))
    both = found.plus(DenseWeights.load(tmp_path), 2.0)
    np.testing.assert_allclose(whole(both), 3.0 * whole(made), rtol=1e-5)


def test_columns_that_do_not_fit_are_a_damaged_artifact(tmp_path):
    block().save(tmp_path)
    np.save(tmp_path / "columns.npy", np.arange(3, dtype=np.int32))
    with pytest.raises(ArtifactCorrupt, match="do not fit"):
        DenseWeights.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("lows", lambda lows: np.full_like(lows, ITEMS)),  # no such item
        ("lows", lambda lows: lows[::-1].copy()),  # falling within a row
        ("lows", lambda lows: lows[:-1]),
        ("data", lambda data: data[:-1]),
        ("ends", lambda ends: ends[::-1].copy()),
        ("ends", lambda ends: ends[:-1]),
        ("ends", lambda ends: ends + 1),
        ("n_items", lambda n_items: n_items + 1),
        ("n_items", lambda n_items: np.repeat(n_items, 2)),
    ],
)
def test_sparse_parts_that_do_not_fit_are_a_damaged_artifact(name, harm, tmp_path):
    MADE["sparse"]().save(tmp_path)
    path = tmp_path / f"{name}.npy"
    np.save(path, harm(np.load(path)))
    with pytest.raises(ArtifactCorrupt, match="do not fit"):
        SparseWeights.load(tmp_path)


@pytest.mark.parametrize("n_items", [65_535, 65_536, 65_537, 140_000])
def test_sparse_weights_of_more_items_than_16_bits_count_are_exact(n_items, tmp_path):
    """Cells on both sides of each multiple of 65,536, in memory and from disk."""
    edges = [c for c in (0, 7, 65_535, 65_536, 65_537, 131_071, 131_072) if c < n_items]
    rng = np.random.default_rng(n_items)
    rows = np.repeat([0, 1, 65_534, n_items - 1], 200)
    columns = rng.choice([*edges, *rng.integers(0, n_items, 300).tolist()], len(rows))
    columns[::50] = n_items - 1
    pairs = np.unique(np.stack([rows, columns]), axis=1)
    values = rng.random(pairs.shape[1], dtype=np.float32)
    matrix = csr_matrix((values, pairs), shape=(n_items, n_items))
    made = SparseWeights.of(matrix)
    made.save(tmp_path)
    items = np.array([n_items - 1, 0, 5, 65_534])
    asked = np.array([*edges, n_items - 1, 12])
    factors = rng.random(len(items), dtype=np.float32)
    expected = np.asarray(factors @ matrix[items].toarray())
    for weights in (made, SparseWeights.load(tmp_path)):
        assert (weights.matrix != matrix).nnz == 0
        np.testing.assert_allclose(weights.sum(items, factors), expected, rtol=1e-6)
        cells = matrix[items].toarray()[:, asked].T
        np.testing.assert_array_equal(weights.cells(items, asked), cells)
