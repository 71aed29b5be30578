"""Metrics agree with independent libraries: trec_eval by way of ir_measures, and scikit-learn."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from flyball.recommend import hit_rate, ndcg, rank, recall
from flyball.recommend.metrics import auc, average_precision, precision, reciprocal_rank
from ranking_worlds import Fixed, fold_of, random_world

DEPTH = 10


def without_ties(seed):
    fold, scores = random_world(seed)
    places = np.argsort(np.random.default_rng(seed).random(scores.shape), axis=1)
    return fold, places.astype(np.float32)


WORLDS = {
    "with ties": random_world,
    "without ties": without_ties,
    "of short lists": partial(random_world, n_users=60, n_items=6),
}


@pytest.fixture(params=[(name, seed) for name in WORLDS for seed in range(3)], ids=str)
def world(request):
    name, seed = request.param
    return WORLDS[name](seed)


def judged_by_trec_eval(fold, scores, measure):
    """The measure of each test user. trec_eval breaks ties by falling name, we by rising index."""
    import ir_measures
    from ir_measures import Qrel, ScoredDoc

    def name(item):
        return f"{99_999 - item}"

    held, has = fold.test.toarray() > 0, fold.train.matrix.toarray() > 0
    wanted = [Qrel(f"{user:05}", name(item), 1) for user, item in np.argwhere(held)]
    shown = [
        ScoredDoc(f"{user:05}", name(item), float(scores[user, item]))
        for user, item in np.argwhere(~has)
    ]
    found = ir_measures.pytrec_eval.iter_calc([ir_measures.parse_measure(measure)], wanted, shown)
    return [metric.value for metric in sorted(found, key=lambda metric: metric.query_id)]


@pytest.mark.parametrize(
    ("measure", "ours"),
    [
        ("nDCG", lambda ranking: ndcg(ranking, ranking.depth)),
        ("nDCG@3", lambda ranking: ndcg(ranking, 3)),
        ("nDCG@10", lambda ranking: ndcg(ranking, 10)),
        ("R@1", lambda ranking: recall(ranking, 1)),
        ("R@10", lambda ranking: recall(ranking, 10)),
        ("P@1", lambda ranking: precision(ranking, 1)),
        ("P@10", lambda ranking: precision(ranking, 10)),
        ("Success@1", lambda ranking: hit_rate(ranking, 1)),
        ("Success@5", lambda ranking: hit_rate(ranking, 5)),
        ("RR", reciprocal_rank),
        ("AP", average_precision),
        ("AP@5", lambda ranking: average_precision(ranking, 5)),
    ],
)
def test_each_users_value_is_that_of_trec_eval(world, measure, ours):
    pytest.importorskip("ir_measures", reason="compares with ir_measures; install it")
    fold, scores = world
    depth = 25 if measure == "nDCG" else DEPTH  # without a cutoff it looks at the full list
    ranking = rank(Fixed(scores), fold, depth=depth)
    assert ours(ranking) == pytest.approx(judged_by_trec_eval(fold, scores, measure), abs=1e-6)


def test_each_users_auc_is_that_of_scikit_learn(world):
    from sklearn.metrics import roc_auc_score

    fold, scores = world
    held, has = fold.test.toarray() > 0, fold.train.matrix.toarray() > 0
    expected = [
        roc_auc_score(held[user, ~has[user]], scores[user, ~has[user]])
        if (~held & ~has)[user].any()
        else 0.5
        for user in fold.test_users
    ]
    assert auc(rank(Fixed(scores), fold)) == pytest.approx(expected, abs=1e-12)


def test_auc_holds_for_a_long_list_of_equal_scores():
    """A popularity model gives most of a catalogue one score: ties everywhere but at the top."""
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    held = rng.random((3, 5000)) < 0.01
    scores = np.where(rng.random(5000) < 0.02, rng.random(5000), 0.0).astype(np.float32)
    fold = fold_of(np.zeros_like(held), held)
    expected = [roc_auc_score(row, scores) for row in held]
    assert auc(rank(Fixed(scores), fold)) == pytest.approx(expected, abs=1e-12)
