"""Ranking metrics, by hand, by brute force, and against published figures."""

from __future__ import annotations

import math
import os
import tracemalloc
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix, random_array

from flyball.errors import InvalidRequest, ValidationError
from flyball.recommend import (
    Ease,
    EaseConfig,
    Fold,
    Interactions,
    Popularity,
    coverage,
    hit_rate,
    ndcg,
    rank,
    recall,
    top_k,
)
from flyball.recommend.metrics import (
    auc,
    average_precision,
    dcg,
    precision,
    reciprocal_rank,
)
from flyball.recommend.ranking import CELL_BYTES
from ranking_worlds import Fixed, fold_of


class TestByHand:
    """One user who has item 0; items 2 and 4 of five are held out; scores fall with the index."""

    fold = fold_of([[1, 0, 0, 0, 0]], [[0, 0, 1, 0, 1]])
    model = Fixed([5, 4, 3, 2, 1])

    def test_the_list_leaves_out_what_the_user_has(self):
        assert rank(self.model, self.fold, depth=4).items.tolist() == [[1, 2, 3, 4]]

    def test_places_without_an_item_are_minus_one(self):
        ranking = rank(self.model, self.fold, depth=6)
        assert ranking.items.tolist() == [[1, 2, 3, 4, -1, -1]]
        assert ranking.hits.tolist() == [[False, True, False, True, False, False]]

    def test_ndcg(self):
        ranking = rank(self.model, self.fold, depth=4)
        ideal = 1 + 1 / math.log2(3)
        assert ndcg(ranking, 4).tolist() == pytest.approx(
            [(1 / math.log2(3) + 1 / math.log2(5)) / ideal]
        )
        assert ndcg(ranking, 2).tolist() == pytest.approx([1 / math.log2(3) / ideal])
        assert ndcg(ranking, 1).tolist() == [0.0]

    def test_recall_divides_by_all_held_out_items(self):
        ranking = rank(self.model, self.fold, depth=4)
        assert [recall(ranking, k).tolist() for k in (1, 2, 4)] == [[0.0], [0.5], [1.0]]

    def test_recall_of_a_user_with_more_held_out_than_places_stays_below_one(self):
        ranking = rank(Fixed([2, 1, 0]), fold_of([[0, 0, 0]], [[1, 1, 1]]), depth=2)
        assert recall(ranking, 2).tolist() == pytest.approx([2 / 3])
        assert ndcg(ranking, 2).tolist() == [1.0]

    def test_hit_rate(self):
        ranking = rank(self.model, self.fold, depth=4)
        assert [hit_rate(ranking, k).tolist() for k in (1, 2)] == [[0.0], [1.0]]

    def test_precision_divides_by_the_places_asked_for(self):
        ranking = rank(self.model, self.fold, depth=6)
        values = [precision(ranking, k).tolist() for k in (1, 2, 6)]
        assert values == [[0.0], [0.5], pytest.approx([2 / 6])]

    def test_dcg(self):
        ranking = rank(self.model, self.fold, depth=4)
        assert dcg(ranking, 4).tolist() == pytest.approx([1 / math.log2(3) + 1 / math.log2(5)])

    def test_reciprocal_rank_looks_further_than_the_places_kept(self):
        ranking = rank(self.model, self.fold, depth=1)
        assert reciprocal_rank(ranking).tolist() == [0.5]
        assert reciprocal_rank(ranking, 2).tolist() == [0.5]
        assert reciprocal_rank(ranking, 1).tolist() == [0.0]

    def test_average_precision_looks_further_than_the_places_kept(self):
        ranking = rank(self.model, self.fold, depth=1)
        assert average_precision(ranking).tolist() == pytest.approx([(1 / 2 + 2 / 4) / 2])
        assert average_precision(ranking, 3).tolist() == pytest.approx([(1 / 2) / 2])

    def test_auc_is_the_share_of_pairs_in_the_right_order(self):
        """The full list is 1 2 3 4: of the pairs (2,1) (2,3) (4,1) (4,3), one is right."""
        assert auc(rank(self.model, self.fold, depth=1)).tolist() == [0.25]

    def test_auc_counts_equal_scores_one_half(self):
        assert auc(rank(Fixed([0, 0, 0, 0, 0]), self.fold)).tolist() == [0.5]

    def test_auc_of_a_user_with_nothing_else_to_show_says_nothing(self):
        assert auc(rank(Fixed([1, 2]), fold_of([[1, 0]], [[0, 1]]))).tolist() == [0.5]

    def test_the_places_of_held_out_items_are_kept_best_first(self):
        ranking = rank(Fixed([5, 1, 1, 3, 3]), self.fold, depth=1)  # the list: 3 4 1 2
        assert ranking.wanted.tolist() == [4, 2]
        assert ranking.places.tolist() == [2, 4]
        assert ranking.midranks.tolist() == [1.5, 3.5]
        assert ranking.unseen.tolist() == [4]

    def test_coverage_counts_known_items_only(self):
        fold = fold_of([[1, 0, 0, 0], [0, 1, 1, 0]], [[0, 1, 0, 0], [1, 0, 0, 0]])
        ranking = rank(Fixed([9, 8, 1, 7]), fold, depth=2)  # shown: 1 and 3; 0 and 3
        assert coverage(ranking, 1) == pytest.approx(2 / 3)
        assert coverage(ranking, 2) == pytest.approx(2 / 3)  # nobody trained on item 3


def brute_force(scores, train, test, k):
    """Per user: the list, NDCG, recall and hit, in plain Python."""
    out = []
    for row, has, held in zip(scores, train, test, strict=True):
        wanted = {item for item, flag in enumerate(held) if flag}
        if not wanted:
            continue
        unseen = [item for item in range(len(row)) if not has[item]]
        best = sorted(unseen, key=lambda item, row=row: (-row[item], item))[:k]
        gain = sum(1 / math.log2(place + 2) for place, item in enumerate(best) if item in wanted)
        ideal = sum(1 / math.log2(place + 2) for place in range(min(k, len(wanted))))
        found = len(wanted & set(best))
        out.append((best, gain / ideal, found / len(wanted), float(found > 0)))
    return zip(*out, strict=True)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("k", [1, 3, 10])
def test_metrics_equal_a_brute_force_count(seed, k):
    """With many equal scores, chunks of two users, and users without a held-out item."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(3, size=(40, 25), p=[0.7, 0.2, 0.1])
    scores = rng.integers(-3, 4, size=25) / 3
    fold = fold_of(kind == 1, kind == 2)
    ranking = rank(Fixed(scores), fold, depth=k, chunk_bytes=2 * CELL_BYTES * 25)
    lists, gains, recalls, found = brute_force(
        np.tile(np.float32(scores), (40, 1)), kind == 1, kind == 2, k
    )
    assert [[item for item in row if item >= 0] for row in ranking.items.tolist()] == list(lists)
    assert ndcg(ranking, k).tolist() == pytest.approx(list(gains))
    assert recall(ranking, k).tolist() == pytest.approx(list(recalls))
    assert hit_rate(ranking, k).tolist() == list(found)


class TestARanking:
    def test_of_nobody_is_empty(self):
        ranking = rank(Fixed([1, 2]), fold_of([[1, 0]], [[0, 0]]), depth=2)
        for metric in (ndcg, recall, hit_rate, precision, dcg, average_precision, reciprocal_rank):
            assert metric(ranking, 2).shape == (0,)
        assert auc(ranking).shape == (0,)
        assert coverage(ranking, 2) == 0.0

    def test_names_the_users_its_values_belong_to(self):
        fold = fold_of([[1, 0], [0, 1], [1, 0]], [[0, 1], [0, 0], [0, 1]])
        ranking = rank(Fixed([1, 2]), fold, depth=1)
        assert ranking.users.tolist() == [0, 2]
        assert ranking.held_out.tolist() == [1, 1]

    @pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
    def test_refuses_a_model_whose_scores_are_not_finite(self, wrong):
        with pytest.raises(ValidationError, match="Fixed scored 1 items NaN or infinite"):
            rank(Fixed([1, wrong]), fold_of([[1, 0]], [[0, 1]]), depth=1)

    def test_refuses_a_fold_that_asks_for_what_it_showed(self):
        with pytest.raises(InvalidRequest, match="1 pairs of the fold are in both"):
            rank(Fixed([1, 2]), fold_of([[1, 0]], [[1, 1]]), depth=1)

    def test_refuses_a_model_of_another_catalogue(self):
        with pytest.raises(ValidationError, match="another catalogue"):
            rank(Fixed([1, 2, 3]), fold_of([[1, 0]], [[0, 1]]), depth=1)

    @pytest.mark.parametrize("k", [0, 3])
    @pytest.mark.parametrize("metric", [ndcg, dcg, recall, precision, hit_rate, coverage])
    def test_refuses_places_that_were_not_ranked(self, metric, k):
        ranking = rank(Fixed([1, 2]), fold_of([[1, 0]], [[0, 1]]), depth=2)
        with pytest.raises(InvalidRequest, match=f"k = {k}"):
            metric(ranking, k)

    @pytest.mark.parametrize("metric", [average_precision, reciprocal_rank])
    def test_refuses_places_that_are_none(self, metric):
        ranking = rank(Fixed([1, 2]), fold_of([[1, 0]], [[0, 1]]))
        with pytest.raises(InvalidRequest, match="k = 0 is no place"):
            metric(ranking, 0)

    def test_refuses_a_depth_of_nothing(self):
        with pytest.raises(InvalidRequest, match="at least one place"):
            rank(Fixed([1, 2]), fold_of([[1, 0]], [[0, 1]]), depth=0)

    def test_of_many_users_needs_little_memory(self):
        """8,000 x 4,000 float32 scores alone would be 128 MB, their sort keys twice that."""
        rng = np.random.default_rng(0)
        train, test = (
            csr_matrix(random_array((8000, 4000), density=0.002, rng=rng, dtype=np.float32))
            for _ in range(2)
        )
        train.data[:] = 1.0
        test = csr_matrix(test - test.multiply(train))
        test.eliminate_zeros()
        data = Interactions(np.arange(8000).astype(str), np.arange(4000).astype(str), train)
        model = Popularity.fit(data, Popularity.Config())
        tracemalloc.start()
        try:
            rank(model, Fold(data, test), depth=20)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 100e6


class TestTheTopOfAList:
    def test_orders_equal_scores_by_index(self):
        scores = np.array([0, 1, 1, -1, 1, -0.0], dtype=np.float32)
        assert top_k(scores, 6).tolist() == [1, 2, 4, 0, 5, 3]

    def test_marks_masked_items(self):
        scores = np.array([-np.inf, -3e38, -np.inf, np.inf], dtype=np.float32)
        assert top_k(scores, 4).tolist() == [3, 1, -1, -1]

    def test_is_no_longer_than_the_list(self):
        assert top_k(np.array([1, 2], dtype=np.float32), 10).tolist() == [1, 0]

    def test_leaves_the_scores_as_they_were(self):
        scores = np.array([3, 1, 2], dtype=np.float32)
        top_k(scores, 2)
        assert scores.tolist() == [3, 1, 2]


class TestPublishedFigures:
    """The figures of a reference run on a fixed split, to the three digits it was given in."""

    @pytest.fixture(scope="class")
    @classmethod
    def fold(cls):
        default = Path(__file__).parents[4] / "shared" / "data"
        path = Path(os.environ.get("FLYBALL_TEST_DATA", default)) / "split_steam_plays.parquet"
        if not path.exists():
            pytest.skip(
                "split_steam_plays.parquet is not here; set FLYBALL_TEST_DATA to its folder"
            )
        frame = pl.read_parquet(path)
        pairs = frame.select(user_id="user", item_id="title")
        return Fold.from_frame(pairs, frame["test"].to_numpy())

    @pytest.mark.parametrize(
        ("kind", "config", "expected"),
        [
            (Popularity, Popularity.Config(), (0.164, 0.272, 0.009)),
            (Ease, EaseConfig(regularisation=100, dropout=0.5), (0.299, 0.426, 0.129)),
        ],
    )
    def test_are_reached(self, fold, kind, config, expected):
        ranking = rank(kind.fit(fold.train, config), fold, depth=20)
        assert len(ranking.users) == 2436
        means = (ndcg(ranking, 10).mean(), recall(ranking, 20).mean(), coverage(ranking, 10))
        assert means == pytest.approx(expected, abs=6e-4)
