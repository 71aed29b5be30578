"""How much of the catalogue is shown, to how many, and how alike what is shown is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.metrics.pairwise import cosine_similarity

from flyball.errors import InvalidRequest
from flyball.recommend import rank
from flyball.recommend.beyond import (
    average_popularity,
    exposure,
    gini,
    intra_list_diversity,
    novelty,
)
from ranking_worlds import Fixed, fold_of, random_world

# Four items that 4, 2, 1 and 0 of four users have; two more users are asked about item 3.
KNOWN = [[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
ASKED = [[0, 0, 0, 0]] * 4 + [[0, 0, 0, 1]] * 2


def shown(lists):
    """A ranking in which each of the two users is shown these items first."""
    scores = np.zeros((2, 4))
    for row, items in enumerate(lists):
        scores[row, list(items)] = np.arange(len(items), 0, -1)
    return rank(Fixed(scores), fold_of(KNOWN, ASKED), depth=4)


class TestExposure:
    def test_counts_the_lists_an_item_stands_in(self):
        assert exposure(shown([[0, 1], [0, 2]]), 2).tolist() == [2, 1, 1, 0]

    def test_does_not_count_empty_places(self):
        ranking = rank(Fixed([4, 3, 2]), fold_of([[1, 0, 0]], [[0, 1, 0]]), depth=9)
        assert exposure(ranking, 9).tolist() == [0, 1, 1]


class TestGini:
    def test_is_zero_where_all_known_items_are_shown_equally_often(self):
        assert gini(shown([[0, 1, 2], [2, 1, 0]]), 3) == 0.0

    def test_is_one_where_one_item_is_all_that_is_shown(self):
        assert gini(shown([[0], [0]]), 1) == 1.0

    def test_is_half_the_relative_mean_difference(self):
        ranking = shown([[0, 1], [0, 3]])  # shown 2, 1, 0 times; item 3 is not known
        x = np.array([2, 1, 0])
        differences = np.abs(x[:, None] - x[None, :]).sum() / (3 * 2)
        assert gini(ranking, 2) == pytest.approx(differences / 2 / x.mean())

    def test_of_one_item_or_nothing_shown_is_zero(self):
        assert gini(rank(Fixed([1, 2]), fold_of([[1, 0]], [[0, 1]])), 1) == 0.0
        assert gini(shown([[3], [3]]), 1) == 0.0


class TestPopularityAndNovelty:
    def test_are_of_the_users_who_have_any_item(self):
        ranking = shown([[0, 1], [2, 1]])  # 4, 2 and 1 of four users have them
        assert average_popularity(ranking, 2).tolist() == pytest.approx([0.75, 0.375])
        assert novelty(ranking, 2).tolist() == pytest.approx([0.5, 1.5])  # bits: 0, 1 and 2

    def test_an_unknown_item_counts_as_if_one_user_had_it(self):
        ranking = shown([[3], [2]])
        assert novelty(ranking, 1).tolist() == [2.0, 2.0]
        assert average_popularity(ranking, 1).tolist() == [0.0, 0.25]

    def test_are_means_over_the_items_there_are(self):
        ranking = rank(Fixed([1, 2, 3]), fold_of([[1, 1, 0], [0, 0, 0]], [[0, 0, 1], [1, 0, 0]]))
        assert average_popularity(ranking, 20).tolist() == pytest.approx([0.0, 2 / 3])

    def test_of_a_fold_nobody_trained_on_are_finite(self):
        ranking = rank(Fixed([1, 2]), fold_of([[0, 0]], [[0, 1]]))
        assert novelty(ranking, 2).tolist() == average_popularity(ranking, 2).tolist() == [0.0]


class TestIntraListDiversity:
    features = csr_matrix(np.array([[1, 0], [2, 0], [0, 5], [0, 0]], dtype=np.float32))

    def test_of_items_described_alike_is_zero(self):
        assert intra_list_diversity(shown([[0, 1], [1, 0]]), 2, self.features).tolist() == [0, 0]

    def test_of_items_with_nothing_in_common_is_one(self):
        values = intra_list_diversity(shown([[0, 2], [2, 1]]), 2, self.features)
        assert values.tolist() == [1.0, 1.0]

    def test_takes_an_item_without_features_for_unlike_all_others(self):
        values = intra_list_diversity(shown([[0, 3], [0, 1, 3]]), 3, self.features)
        assert values[1] == pytest.approx((0 + 1 + 1) / 3)

    def test_of_one_item_is_zero(self):
        assert intra_list_diversity(shown([[0], [2]]), 1, self.features).tolist() == [0.0, 0.0]

    @pytest.mark.parametrize("seed", range(3))
    def test_is_the_mean_over_all_pairs(self, seed):
        """In several chunks, the last one short."""
        fold, scores = random_world(seed)
        rng = np.random.default_rng(seed)
        features = np.where(rng.random((25, 6)) < 0.5, rng.integers(-2, 9, (25, 6)), 0)
        ranking = rank(Fixed(scores), fold, depth=10)
        alike = cosine_similarity(features)
        expected = []
        for row in ranking.items:
            items = row[row >= 0]
            pairs = [1 - alike[a, b] for n, a in enumerate(items) for b in items[:n]]
            expected.append(np.mean(pairs) if pairs else 0.0)
        values = intra_list_diversity(ranking, 10, csr_matrix(features), chunk=7)
        assert values == pytest.approx(expected, abs=1e-9)

    def test_refuses_features_of_another_catalogue(self):
        with pytest.raises(InvalidRequest, match="features of 3 items"):
            intra_list_diversity(shown([[0], [1]]), 1, self.features[:3])

    def test_refuses_features_that_are_not_finite(self):
        wrong = self.features.copy()
        wrong.data[0] = math.nan
        with pytest.raises(InvalidRequest, match="NaN"):
            intra_list_diversity(shown([[0], [1]]), 1, wrong)


@pytest.mark.parametrize("metric", [exposure, gini, average_popularity, novelty])
def test_places_that_were_not_kept_are_refused(metric):
    with pytest.raises(InvalidRequest, match="k = 5"):
        metric(shown([[0], [1]]), 5)


def test_lists_of_nobody_have_no_values():
    ranking = rank(Fixed([1, 2]), fold_of([[1, 0]], [[0, 0]]))
    assert novelty(ranking, 1).shape == average_popularity(ranking, 1).shape == (0,)
    assert intra_list_diversity(ranking, 2, csr_matrix(np.eye(2))).shape == (0,)
    assert gini(ranking, 1) == 0.0
