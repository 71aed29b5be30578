"""What a model's scores mean, learnt from a fold; and the map on disk."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from flyball.errors import ArtifactCorrupt, InvalidRequest, ValidationError
from flyball.recommend import Fold, Interactions
from flyball.recommend.calibrated import (
    calibrated,
    open_calibration,
    unseen_cells,
    write_calibration,
)
from flyball.stats.probability import Calibration

N_USERS, N_ITEMS = 400, 500


class Fixed:
    """A model whose scores were written down before, by row of the fold.

    Users tell themselves apart by item 0, 1, 2 ... which each of them has.
    """

    def __init__(self, scores: np.ndarray) -> None:
        self.scores = scores.astype(np.float32)

    def predict(self, histories):
        rows = histories.matrix.indices[histories.matrix.indptr[:-1]]
        return self.scores[rows % len(self.scores)].copy()


def a_world(seed: int = 1, n_users: int = N_USERS) -> tuple[Fixed, Fold, np.ndarray]:
    """Users who take items with known probabilities, and a model that scores by their log-odds."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n_users, N_ITEMS))
    chances = 1 / (1 + np.exp(5 - 1.5 * scores))
    train = np.zeros((n_users, N_ITEMS), dtype=np.float32)
    train[np.arange(n_users), np.arange(n_users)] = 1
    test = ((rng.random(chances.shape) < chances) & (train == 0)).astype(np.float32)
    users = np.array([f"u{n:04}" for n in range(n_users)])
    items = np.array([f"i{n:04}" for n in range(N_ITEMS)])
    fold = Fold(Interactions(users, items, csr_matrix(train)), csr_matrix(test))
    return Fixed(scores), fold, chances


class TestProbabilities:
    """Of a user to have held out an item."""

    def test_are_those_with_which_users_took_items(self):
        model, fold, chances = a_world()
        found = calibrated(model, fold, seed=0).calibration.apply(model.scores)
        assert np.abs(found - chances).mean() < 0.003
        assert np.corrcoef(found.ravel(), chances.ravel())[0, 1] > 0.99

    def test_are_judged_on_users_they_were_not_learnt_from(self):
        model, fold, _ = a_world()
        judged = calibrated(model, fold, seed=0).reliability
        assert judged.holds is True
        assert judged.units == pytest.approx(N_USERS / 2, abs=5)
        assert judged.skill > 0.05

    def test_of_scores_that_say_nothing_are_the_base_rate(self):
        """A memory of the learnt half would look better than that."""
        _, fold, _ = a_world()
        noise = Fixed(np.random.default_rng(9).normal(size=(N_USERS, N_ITEMS)))
        found = calibrated(noise, fold, seed=0)
        assert abs(found.reliability.skill) < 0.002
        assert found.calibration.apply(noise.scores).mean() == pytest.approx(
            fold.test.nnz / (N_USERS * (N_ITEMS - 1)), rel=0.05
        )

    def test_do_not_depend_on_which_misses_were_drawn(self):
        """The sample is there for speed only."""
        model, fold, _ = a_world()
        one, other = (calibrated(model, fold, seed=seed).calibration for seed in (0, 1))
        np.testing.assert_allclose(one.apply(model.scores), other.apply(model.scores), atol=0.02)

    def test_are_the_same_for_the_same_seed(self):
        model, fold, _ = a_world()
        one, other = (calibrated(model, fold, seed=4).calibration for _ in range(2))
        np.testing.assert_array_equal(one.scores, other.scores)
        np.testing.assert_array_equal(one.probabilities, other.probabilities)

    def test_of_few_users_are_given_without_a_judgement(self):
        model, fold, _ = a_world(n_users=2)
        found = calibrated(model, fold, seed=0)
        assert 0 < found.calibration.apply(0.0) < 1
        assert found.reliability is None or found.reliability.holds is None

    def test_need_users_with_held_out_items(self):
        model, fold, _ = a_world()
        nothing = Fold(fold.train, csr_matrix(fold.test.shape, dtype=np.float32))
        with pytest.raises(InvalidRequest, match="held-out"):
            calibrated(model, nothing, seed=0)

    @pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
    def test_are_not_learnt_from_scores_that_are_not_finite(self, wrong):
        model, fold, _ = a_world()
        model.scores[3, 7] = wrong
        with pytest.raises(ValidationError, match="finite"):
            calibrated(model, fold, seed=0)

    def test_are_not_learnt_from_scores_of_another_catalogue(self):
        model, fold, _ = a_world()
        model.scores = model.scores[:, 1:]
        with pytest.raises(ValidationError, match="shape"):
            calibrated(model, fold, seed=0)


class TestTheSample:
    """Of what users do not have."""

    def sample(self, best: int = 20, sampled: int = 30, seed: int = 0):
        model, fold, _ = a_world()
        rng = np.random.default_rng(seed)
        return fold, model, unseen_cells(
            model, fold, fold.test_users, rng=rng, best=best, sampled=sampled
        )  # fmt: skip

    def test_has_every_hit_once_and_nothing_that_users_have(self):
        fold, _, cells = self.sample()
        assert cells.hits.sum() == fold.test.nnz
        assert (cells.weights[cells.hits] == 1).all()
        owned = {(u, np.float32(s)) for u, s in enumerate(self.owned_scores())}
        assert not owned & set(zip(cells.users.tolist(), cells.scores, strict=True))

    @staticmethod
    def owned_scores():
        model, _, _ = a_world()
        return model.scores[np.arange(N_USERS), np.arange(N_USERS)]

    def test_has_the_best_items_of_every_user(self):
        _, model, cells = self.sample(best=20)
        masked = model.scores.copy()
        masked[np.arange(N_USERS), np.arange(N_USERS)] = -np.inf
        for user in (0, 57, 399):
            mine = cells.scores[(cells.users == user) & (cells.weights == 1)]
            assert set(np.sort(masked[user])[-20:].tolist()) <= set(mine.tolist())

    def test_stands_for_all_cells_and_for_any_sum_over_them(self):
        """On average over the draws; 4 standard errors."""
        fold, model, _ = self.sample()
        unseen = fold.train.matrix.toarray() == 0
        counts, sums = [], []
        for seed in range(40):
            _, _, cells = self.sample(seed=seed)
            counts.append(cells.weights.sum())
            sums.append((cells.weights * cells.scores).sum())
        for drawn, whole in ((counts, unseen.sum()), (sums, model.scores[unseen].sum())):
            assert abs(np.mean(drawn) - whole) < 4 * np.std(drawn) / np.sqrt(40)

    def test_is_everything_where_that_is_little(self):
        fold, _, cells = self.sample(best=10_000)
        assert len(cells.scores) == N_USERS * (N_ITEMS - 1)
        assert (cells.weights == 1).all()
        assert cells.hits.sum() == fold.test.nnz

    def test_of_nobody_is_empty(self):
        model, fold, _ = a_world()
        none = unseen_cells(model, fold, np.array([], dtype=np.int64), rng=np.random.default_rng(0))
        assert len(none.scores) == 0


class TestOnDisk:
    """A map is an array of two rows."""

    found = Calibration(np.array([-1.5, 0.1, 2.0]), np.array([0.001, 0.2, 0.9]))

    def test_comes_back_bit_by_bit(self, tmp_path):
        write_calibration(tmp_path, "calibration", self.found)
        back = open_calibration(tmp_path, "calibration")
        np.testing.assert_array_equal(back.scores, self.found.scores)
        np.testing.assert_array_equal(back.probabilities, self.found.probabilities)

    @pytest.mark.parametrize(
        "table",
        [
            np.zeros((2, 3), np.float32),
            np.zeros((3, 3), np.float32),
            np.zeros((2, 0), np.float32),
            np.array([[0, 1], [0.5, np.nan]], np.float32),
        ],
    )
    def test_is_refused_where_it_is_no_rising_map(self, tmp_path, table):
        np.save(tmp_path / "calibration.npy", table)
        with pytest.raises(ArtifactCorrupt, match="no calibration"):
            open_calibration(tmp_path, "calibration")

    def test_is_refused_where_it_is_missing_or_torn(self, tmp_path):
        with pytest.raises(ArtifactCorrupt):
            open_calibration(tmp_path, "calibration")
        write_calibration(tmp_path, "calibration", self.found)
        path = tmp_path / "calibration.npy"
        path.write_bytes(path.read_bytes()[:-5])
        with pytest.raises(ArtifactCorrupt):
            open_calibration(tmp_path, "calibration")
