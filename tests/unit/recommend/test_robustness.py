"""Histories with gaps, with noise, and such as nobody expects."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from flyball.errors import InvalidRequest
from flyball.recommend import Ease, EaseConfig, Histories, Popularity, PopularityConfig, ndcg, rank
from flyball.recommend.robustness import Disturbed, dropped, noisy, odd_histories
from ranking_worlds import random_world


def some(n=200, n_items=50, seed=0, *, known=True):
    rng = np.random.default_rng(seed)
    matrix = csr_matrix((rng.random((n, n_items)) < 0.3).astype(np.float32))
    numbers = np.arange(matrix.nnz, dtype=np.float32)
    return Histories(matrix, numbers if known else None, numbers + 7 if known else None)


def pairs(histories):
    rows = np.repeat(np.arange(len(histories)), histories.lengths)
    return set(zip(rows.tolist(), histories.matrix.indices.tolist(), strict=True))


class TestGaps:
    def test_about_the_share_goes_and_nothing_comes(self):
        whole = some()
        found = dropped(whole, 0.2, np.random.default_rng(1))
        assert pairs(found) < pairs(whole)
        assert found.matrix.nnz / whole.matrix.nnz == pytest.approx(0.8, abs=0.03)

    def test_one_item_always_stays(self):
        found = dropped(some(), 1.0, np.random.default_rng(1))
        assert (found.lengths == 1).all()

    def test_hours_and_days_stay_with_their_items(self):
        found = dropped(some(), 0.5, np.random.default_rng(1))
        assert (found.days == found.hours + 7).all()

    def test_an_empty_history_stays_empty(self):
        nothing = Histories(csr_matrix((3, 5), dtype=np.float32))
        assert dropped(nothing, 0.5, np.random.default_rng(1)).matrix.nnz == 0

    def test_refuses_more_than_all(self):
        with pytest.raises(InvalidRequest, match=r"a share of 1\.5"):
            dropped(some(), 1.5, np.random.default_rng(1))


class TestNoise:
    def test_what_was_there_stays_and_about_the_share_comes(self):
        whole = some(400, 1000)
        found = noisy(whole, 0.1, np.random.default_rng(1))
        assert pairs(whole) < pairs(found)
        assert found.matrix.nnz / whole.matrix.nnz == pytest.approx(1.07, abs=0.02)  # 30% collide

    def test_columns_rise_and_no_item_is_there_twice(self):
        found = noisy(some(), 0.5, np.random.default_rng(1))
        assert found.matrix.has_sorted_indices
        assert len(pairs(found)) == found.matrix.nnz

    def test_what_was_there_keeps_its_hours_and_what_comes_has_some_of_the_same_user(self):
        whole = some()
        found = noisy(whole, 0.5, np.random.default_rng(1))
        assert (found.days == found.hours + 7).all()
        rows = np.repeat(np.arange(len(found)), found.lengths)
        owners = np.repeat(np.arange(len(whole)), whole.lengths)
        assert (owners[found.hours.astype(int)] == rows).all()

    def test_an_empty_history_stays_empty(self):
        nothing = Histories(csr_matrix((3, 5), dtype=np.float32))
        assert noisy(nothing, 0.5, np.random.default_rng(1)).matrix.nnz == 0


class TestADisturbedModel:
    fold = random_world(3, n_users=300, n_items=40)[0]

    def lost(self, model, disturbance):
        intact = ndcg(rank(model, self.fold), 10).mean()
        seen = Disturbed(model, disturbance, np.random.default_rng(2))
        return intact - ndcg(rank(seen, self.fold), 10).mean()

    def test_what_asks_no_history_loses_nothing(self):
        model = Popularity.fit(self.fold.train, PopularityConfig())
        assert self.lost(model, lambda h, rng: dropped(h, 0.5, rng)) == 0.0

    def test_what_recognises_whole_histories_loses_all(self):
        """A model that learnt histories by heart is found out by the first gap."""
        train, test = self.fold.train, self.fold.test

        class ByHeart:
            def predict(self, histories):
                known = {row.tobytes(): n for n, row in enumerate(train.matrix.toarray())}
                scores = np.zeros(histories.matrix.shape, dtype=np.float32)
                for place, row in enumerate(histories.matrix.toarray()):
                    found = known.get(row.tobytes())
                    if found is not None:
                        scores[place] = test[found].toarray()[0]
                return scores

        intact = ndcg(rank(ByHeart(), self.fold), 10).mean()
        assert intact > 0.9
        assert self.lost(ByHeart(), lambda h, rng: dropped(h, 0.5, rng)) > 0.5 * intact

    def test_the_same_seed_disturbs_alike(self):
        model = Ease.fit(self.fold.train, EaseConfig())
        losses = {self.lost(model, lambda h, rng: noisy(h, 0.3, rng)) for _ in range(2)}
        assert len(losses) == 1


class TestOddHistories:
    @pytest.mark.parametrize("n_items", [1, 2, 40])
    @pytest.mark.parametrize("now", [None, 20_000.0])
    def test_are_histories_of_all_the_items(self, n_items, now):
        found = odd_histories(n_items, now=now)
        assert found["nothing"].matrix.nnz == 0
        assert found["everything"].matrix.nnz == n_items
        assert all(each.matrix.shape == (1, n_items) for each in found.values())
        assert ("from the future" in found) == (now is not None)
