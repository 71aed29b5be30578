"""What holds for all interactions, splits and scores, not only the ones we thought of."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix

from flyball.recommend import (
    Ease,
    EaseConfig,
    Fold,
    Histories,
    HoldoutSplit,
    Interactions,
    ndcg,
    rank,
    recall,
    top_k,
)

ids = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3)
pairs = st.lists(st.tuples(st.integers(0, 6), ids), min_size=1, max_size=60)
splits = st.builds(
    HoldoutSplit,
    seed=st.integers(-(2**63), 2**63 - 1),
    fraction=st.floats(0.01, 0.99),
    min_items=st.integers(1, 6),
)
tables = arrays(
    np.float32,
    st.tuples(st.integers(1, 12), st.integers(1, 8)),
    elements=st.sampled_from([0.0, 1.0]),
)


def frame(rows):
    users, items = zip(*rows, strict=True)
    return pl.DataFrame(
        {"user_id": users, "item_id": items}, schema_overrides={"item_id": pl.String}
    )


def interactions(table):
    users, items = (np.array([f"{n:02}" for n in range(size)]) for size in table.shape)
    return Interactions(users, items, csr_matrix(table))


@given(pairs)
def test_interactions_hold_exactly_the_distinct_pairs(rows):
    data = Interactions.from_frame(frame(rows))
    found = {
        (str(data.users[row]), str(data.items[column]))
        for row, column in zip(*data.matrix.nonzero(), strict=True)
    }
    assert found == {(str(user), item) for user, item in rows}
    assert data.items.tolist() == sorted(data.items.tolist())


@given(pairs, splits)
def test_a_split_honours_its_promises_to_every_user(rows, split):
    train, test = split.split(frame(rows))
    assert (train ^ test).all()
    for user in {user for user, _ in rows}:
        mine = [place for place, row in enumerate(rows) if row[0] == user]
        n_items = len({rows[place][1] for place in mine})
        assert train[mine].any()
        if n_items < split.min_items or n_items < 2:
            assert not test[mine].any()
        else:
            assert test[mine].any()


@given(pairs, splits, st.randoms(use_true_random=False))
def test_a_split_does_not_depend_on_the_order_of_rows(rows, split, random):
    shuffled = random.sample(rows, len(rows))
    one = dict(zip(rows, split.split(frame(rows))[1].tolist(), strict=True))
    assert one == dict(zip(shuffled, split.split(frame(shuffled))[1].tolist(), strict=True))


@given(pairs, splits, st.integers(1, 12))
def test_a_narrowed_fold_is_a_part_of_the_fold(rows, split, n_items):
    fold = split.fold(frame(rows))
    narrow = fold.narrowed(n_items)
    columns = np.searchsorted(fold.train.items, narrow.train.items)
    kept = np.searchsorted(fold.train.users, narrow.train.users)
    assert len(columns) == min(n_items, len(fold.train.items))
    for small, large in ((narrow.train.matrix, fold.train.matrix), (narrow.test, fold.test)):
        np.testing.assert_array_equal(small.toarray(), large[kept][:, columns].toarray())
    assert set(narrow.train.users[narrow.test_users]) <= set(fold.train.users[fold.test_users])
    assert narrow.test.nnz == fold.test[:, columns].nnz


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 4), st.integers(1, 20)),
        elements=st.floats(width=32, allow_nan=False) | st.sampled_from([0.0, -0.0, 1.0]),
    ),
    st.integers(1, 25),
)
def test_the_top_of_a_list_is_that_of_a_full_stable_sort(scores, k):
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    hidden = np.take_along_axis(scores, expected, axis=1) == -np.inf
    np.testing.assert_array_equal(top_k(scores, k), np.where(hidden, -1, expected))


@settings(deadline=None)
@given(tables, st.floats(0.5, 2000.0), st.floats(0.0, 0.8))
def test_ease_of_any_data_is_finite_and_never_speaks_for_itself(table, strength, dropout):
    table[0, 0] = 1.0
    model = Ease.fit(interactions(table), EaseConfig(regularisation=strength, dropout=dropout))
    weights = model.predict(Histories(csr_matrix(np.eye(table.shape[1], dtype=np.float32))))
    assert np.isfinite(weights).all()
    assert (np.diagonal(weights) == 0.0).all()
    assert (weights[table.sum(axis=0) == 0] == 0.0).all()


@given(tables, st.integers(1, 8))
def test_a_model_that_knows_the_answer_gets_full_marks(table, k):
    """And NDCG and recall never leave [0, 1]."""
    fold = Fold(interactions(np.zeros_like(table)), csr_matrix(table))

    class Oracle:
        def predict(self, histories):
            return table[fold.test_users].copy()

    class Contrary:
        def predict(self, histories):
            return -table[fold.test_users]

    best, worst = (rank(model, fold, depth=k) for model in (Oracle(), Contrary()))
    np.testing.assert_allclose(ndcg(best, k), 1.0)
    np.testing.assert_allclose(recall(best, k), np.minimum(k, best.held_out) / best.held_out)
    for value in (ndcg(worst, k), recall(worst, k)):
        assert ((value >= 0.0) & (value <= 1.0)).all()
    assert (ndcg(worst, k) <= ndcg(best, k) + 1e-12).all()
