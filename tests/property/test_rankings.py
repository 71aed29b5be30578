"""What holds for every full ranking, not only the ones we thought of."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix

from flyball.recommend import Fold, Interactions, rank
from flyball.recommend import beyond as b
from flyball.recommend import metrics as m
from flyball.recommend.dated_splits import LastSplit, TimeSplit
from flyball.recommend.segments import by_item
from ranking_worlds import Fixed, fold_of

ACCURACY = {
    "ndcg": lambda ranking: m.ndcg(ranking, 3),
    "recall": lambda ranking: m.recall(ranking, 3),
    "precision": lambda ranking: m.precision(ranking, 3),
    "hit_rate": lambda ranking: m.hit_rate(ranking, 3),
    "reciprocal_rank": m.reciprocal_rank,
    "average_precision": m.average_precision,
    "auc": m.auc,
}


@st.composite
def worlds(draw):
    """A fold and scores (n_users, n_items) of few distinct values: ties are common."""
    shape = (draw(st.integers(1, 6)), draw(st.integers(1, 8)))
    kind = draw(arrays(np.int8, shape, elements=st.integers(0, 2)))
    scores = draw(arrays(np.float32, shape, elements=st.sampled_from([-2.0, -0.0, 0.0, 1.0, 3.5])))
    return fold_of(kind == 1, kind == 2), scores


def ranked(fold, scores):
    return rank(Fixed(scores[fold.test_users]), fold, depth=8)


@given(worlds())
def test_accuracy_never_leaves_its_bounds(world):
    ranking = ranked(*world)
    for metric in ACCURACY.values():
        values = metric(ranking)
        assert values.shape == ranking.users.shape
        assert ((values >= 0) & (values <= 1 + 1e-12)).all()


@given(worlds())
def test_a_perfect_ranking_has_full_marks(world):
    fold, _ = world
    ranking = ranked(fold, fold.test.toarray())
    others = ranking.unseen > ranking.held_out
    np.testing.assert_allclose(m.ndcg(ranking, 3), 1)
    np.testing.assert_allclose(m.reciprocal_rank(ranking), 1)
    np.testing.assert_allclose(m.average_precision(ranking), 1)
    np.testing.assert_allclose(m.auc(ranking)[others], 1)


@given(worlds())
def test_turning_the_scores_around_turns_auc_around(world):
    fold, scores = world
    both = m.auc(ranked(fold, scores)) + m.auc(ranked(fold, -scores))
    np.testing.assert_allclose(both, 1)


@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_users_does_not_matter(world, random):
    fold, scores = world
    order = random.sample(range(len(scores)), len(scores))
    data = Interactions(fold.train.users, fold.train.items, fold.train.matrix[order])
    shuffled = ranked(Fold(data, fold.test[order]), scores[order])
    ranking = ranked(fold, scores)
    back = np.array([order[user] for user in shuffled.users], dtype=np.int64)
    for metric in ACCURACY.values():
        values = dict(zip(ranking.users.tolist(), metric(ranking).tolist(), strict=True))
        assert [values[user] for user in back.tolist()] == metric(shuffled).tolist()
    assert b.gini(ranking, 3) == b.gini(shuffled, 3)
    assert b.coverage(ranking, 3) == b.coverage(shuffled, 3)


@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_items_does_not_matter_but_to_break_ties(world, random):
    fold, scores = world
    order = random.sample(range(scores.shape[1]), scores.shape[1])
    distinct = np.argsort(np.argsort(scores, axis=1, kind="stable"), axis=1).astype(np.float32)
    train, test = fold.train.matrix.toarray(), fold.test.toarray()
    moved = ranked(fold_of(train[:, order], test[:, order]), distinct[:, order])
    ranking = ranked(fold, distinct)
    for metric in ACCURACY.values():
        np.testing.assert_allclose(metric(ranking), metric(moved))
    tied, moved = ranked(fold, scores), ranked(fold_of(train[:, order], test[:, order]),
                                               scores[:, order])  # fmt: skip
    np.testing.assert_allclose(m.auc(tied), m.auc(moved))


@given(worlds())
def test_the_kept_places_and_the_kept_list_agree(world):
    ranking = ranked(*world)
    for row, user in enumerate(ranking.users.tolist()):
        mine = ranking.owners == row
        listed = ranking.items[row][ranking.items[row] >= 0]
        assert len(listed) == ranking.unseen[row]
        assert listed[ranking.places[mine] - 1].tolist() == ranking.wanted[mine].tolist()
        assert set(ranking.wanted[mine]) == set(world[0].test[[user]].indices)
    total = ranking.held_out * (ranking.held_out + 1) // 2
    assert ranking.orders.sum() == total.sum()


@given(worlds())
def test_what_accuracy_hides_never_leaves_its_bounds(world):
    fold, scores = world
    ranking = ranked(fold, scores)
    features = csr_matrix(np.abs(scores.T))
    for value in (b.coverage(ranking, 3), b.gini(ranking, 3)):
        assert 0 <= value <= 1
    for values in (
        b.average_popularity(ranking, 3),
        b.intra_list_diversity(ranking, 3, features),
    ):
        assert ((values >= 0) & (values <= 1 + 1e-12)).all()
    assert (b.novelty(ranking, 3) >= 0).all()
    assert b.exposure(ranking, 8).sum() == ranking.unseen.sum()


@given(worlds(), st.integers(0, 255), st.integers(1, 9))
def test_a_segment_is_never_served_better_than_perfectly(world, bits, k):
    fold, scores = world
    mask = (bits >> np.arange(scores.shape[1])) & 1 == 1
    values = by_item(ranked(fold, scores), {"some": mask, "rest": ~mask}, k).values
    known = values[~np.isnan(values)]
    assert ((known >= 0) & (known <= 1 + 1e-12)).all()
    assert not np.isnan(values).all(axis=1).any()  # each wanted item is in one of the two


rows = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(0, 9)), min_size=2, max_size=50
).filter(lambda rows: len({day for _, _, day in rows}) > 1)
splits = st.builds(LastSplit, st.integers(2, 5)) | st.builds(TimeSplit, st.floats(0.01, 0.99))


@given(rows, splits)
def test_a_split_by_time_tests_on_nothing_it_showed_and_asks_on_a_day_it_has(rows, split):
    users, items, days = zip(*rows, strict=True)
    frame = pl.DataFrame({"user_id": users, "item_id": items, "day": days})
    fold = split.fold(frame)
    assert fold.train.matrix.multiply(fold.test).nnz == 0
    assert (np.diff(fold.train.matrix.indptr)[fold.test_users] > 0).all()
    asked = fold.histories(fold.test_users)
    latest = [asked.one(row).days.max() for row in range(len(asked))]
    assert (asked.as_of >= latest).all()
    if isinstance(split, TimeSplit):
        assert fold.train.days.max() <= fold.as_of[0]
