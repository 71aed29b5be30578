"""Newcomers: any recommender scores items nobody has yet, by what they are like."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from flyball.errors import ArtifactCorrupt, InvalidRequest, TrainingError
from flyball.recommend.ease import Ease, EaseConfig
from flyball.recommend.histories import History
from flyball.recommend.interactions import Interactions
from flyball.recommend.newcomers import Covering, Newcomers
from flyball.recommend.popularity import Popularity, PopularityConfig
from flyball.recommend.protocols import Recommender
from flyball.recommend.tfidf import tfidf

N_ITEMS, N_NEW, N_GENRES = 60, 15, 4


def genre_world(seed=0, n_users=250):
    """Each user likes one genre; every fourth item of the catalogue is new."""
    rng = np.random.default_rng(seed)
    genres = rng.integers(0, N_GENRES, N_ITEMS)
    likes = rng.integers(0, N_GENRES, n_users)
    chance = np.where(likes[:, None] == genres, 0.35, 0.03)
    chance[:, ::4] = 0.0
    table = (rng.random(chance.shape) < chance).astype(np.float32)
    words = rng.integers(0, 5, (N_ITEMS, 3)) + 5 * genres[:, None]
    features = np.zeros((N_ITEMS, 5 * N_GENRES), dtype=np.float32)
    np.add.at(features, (np.arange(N_ITEMS)[:, None], words), 1.0)
    users = np.array([f"u{n}" for n in range(n_users)])
    items = np.array([f"i{n}" for n in range(N_ITEMS)])
    data = Interactions(users, items, csr_matrix(table), features=csr_matrix(features))
    return data, likes, genres


@pytest.fixture
def data():
    return genre_world()[0]


@pytest.fixture
def newcomers(data):
    return Newcomers.fit(data.features, data.counts > 0)


@pytest.fixture(params=["ease", "popularity"])
def model(request, data):
    if request.param == "ease":
        return Ease.fit(data, EaseConfig())
    return Popularity.fit(data, PopularityConfig())


@pytest.fixture
def covering(model, newcomers):
    return Covering(model, newcomers)


class TestNewcomers:
    @pytest.mark.parametrize(("k", "floor"), [(10, 0.2), (3, 0.5), (1000, 1e-6)])
    def test_are_the_nearest_by_cosine(self, data, k, floor):
        found = Newcomers.fit(data.features, data.counts > 0, k=k, floor=floor)
        rows = tfidf(data.features).toarray()
        for place, item in enumerate(found.items):
            cosines = np.where(data.counts > 0, rows @ rows[item], 0.0)
            near = np.argsort(-cosines, kind="stable")[:k]
            near = near[cosines[near] >= floor]
            expected = np.zeros(N_ITEMS)
            expected[near] = cosines[near] ** 4 / (cosines[near] ** 4).sum()
            found_row = found.likeness[[place]].toarray()[0]
            np.testing.assert_allclose(np.sort(found_row), np.sort(expected), atol=1e-5)
            np.testing.assert_allclose(found_row @ cosines, expected @ cosines, rtol=1e-5)

    def test_are_like_known_items_only(self, data, newcomers):
        assert (data.counts[newcomers.items] == 0).all()
        assert (data.counts[newcomers.likeness.indices] > 0).all()
        assert len(newcomers) == N_NEW

    def test_like_nothing_known_are_left_out(self, data):
        table = data.features.toarray()
        table[0] = 0.0  # a new item without text
        found = Newcomers.fit(csr_matrix(table), data.counts > 0)
        assert 0 not in found.items
        assert found.row(0) is None

    def test_may_be_none(self, data):
        found = Newcomers.fit(data.features, np.ones(N_ITEMS, dtype=bool))
        assert len(found) == 0
        model = Ease.fit(data, EaseConfig())
        asked = data.histories().one(0)
        np.testing.assert_array_equal(Covering(model, found).score(asked), model.score(asked))

    def test_may_be_all_there_is(self, data):
        assert len(Newcomers.fit(data.features, np.zeros(N_ITEMS, dtype=bool))) == 0

    def test_weigh_as_much_as_the_gain_says(self, data, newcomers):
        twice = Newcomers.fit(data.features, data.counts > 0, gain=2.0)
        np.testing.assert_allclose(newcomers.likeness.sum(axis=1), 1.0, rtol=1e-5)
        np.testing.assert_allclose(twice.likeness.sum(axis=1), 2.0, rtol=1e-5)

    def test_are_read_back_as_written(self, newcomers, tmp_path):
        newcomers.save(tmp_path)
        loaded = Newcomers.load(tmp_path)
        np.testing.assert_array_equal(loaded.items, newcomers.items)
        np.testing.assert_array_equal(loaded.likeness.toarray(), newcomers.likeness.toarray())

    @pytest.mark.parametrize("name", ["items", "data", "indices", "sizes"])
    def test_of_other_sizes_are_a_damaged_artifact(self, newcomers, tmp_path, name):
        newcomers.save(tmp_path)
        path = tmp_path / f"newcomers_{name}.npy"
        np.save(path, np.load(path)[:-1])
        with pytest.raises(ArtifactCorrupt):
            Newcomers.load(tmp_path)

    @pytest.mark.parametrize("wrong", [{"k": 0}, {"floor": 0.0}, {"floor": np.nan}, {"gain": -1}])
    def test_refuse_numbers_out_of_range(self, data, wrong):
        with pytest.raises(InvalidRequest):
            Newcomers.fit(data.features, data.counts > 0, **wrong)

    def test_refuse_features_that_are_no_numbers(self, data):
        features = data.features.copy()
        features.data[0] = np.inf
        with pytest.raises(TrainingError):
            Newcomers.fit(features, data.counts > 0)


class TestCovering:
    def test_does_what_a_fitted_recommender_does(self, covering, model):
        promised = {name for name in vars(Recommender) if not name.startswith("_")} - {"fit"}
        assert all(hasattr(covering, name) for name in promised)
        assert (covering.family, covering.version) == (model.family, model.version)

    def test_leaves_known_items_as_they_are(self, covering, model, data):
        known = data.counts > 0
        expected = model.predict(data.histories())[:, known]
        np.testing.assert_array_equal(covering.predict(data.histories())[:, known], expected)

    def test_scores_a_new_item_the_mean_of_its_neighbours(self, covering, model, newcomers, data):
        asked = data.histories().one(3)
        expected = newcomers.likeness.toarray() @ model.score(asked)
        np.testing.assert_allclose(covering.score(asked)[newcomers.items], expected, rtol=1e-5)

    def test_scores_one_history_as_it_does_many(self, covering, data):
        together = covering.predict(data.histories())
        for row in range(10):
            alone = covering.score(data.histories().one(row))
            np.testing.assert_allclose(alone, together[row], rtol=1e-4, atol=1e-6)

    def test_explains_every_score_to_the_last_term(self, covering, newcomers, data):
        asked = data.histories().one(0)
        scores = covering.score(asked)
        for item in (1, *newcomers.items[:5].tolist()):
            terms = covering.terms(asked, np.array([item]))
            assert terms.items.shape == (1, len(asked))
            total = terms.sums[0]
            np.testing.assert_allclose(total, scores[item], rtol=1e-4, atol=1e-6)

    def test_ranks_new_items_by_the_taste_of_the_user(self):
        data, likes, genres = genre_world()
        newcomers = Newcomers.fit(data.features, data.counts > 0)
        covering = Covering(Ease.fit(data, EaseConfig()), newcomers)
        scores = covering.predict(data.histories())[:, newcomers.items]
        best = np.argsort(-scores, axis=1)[:, :3]
        right = genres[newcomers.items][best] == likes[:, None]
        assert right.mean() > 0.75  # at random a quarter

    def test_finds_items_similar_to_a_new_one(self):
        data, _, genres = genre_world()
        newcomers = Newcomers.fit(data.features, data.counts > 0)
        covering = Covering(Ease.fit(data, EaseConfig()), newcomers)
        for item in newcomers.items.tolist():
            similar = covering.similar(item)
            assert similar[item] == 0.0
            best = np.argsort(-similar)[:5]
            assert (genres[best] == genres[item]).mean() >= 0.6

    def test_finds_new_items_similar_to_a_known_one(self, covering, model, newcomers):
        expected = newcomers.likeness.toarray() @ model.similar(1)
        np.testing.assert_allclose(covering.similar(1)[newcomers.items], expected, rtol=1e-5)
        assert covering.similar(1)[1] == 0.0

    def test_answers_an_empty_history(self, covering):
        nobody = History(np.empty(0, dtype=np.int64))
        assert np.isfinite(covering.score(nobody)).all()

    def test_is_read_back_as_written(self, covering, model, data, tmp_path):
        covering.save(tmp_path)
        loaded = Covering.load(tmp_path, type(model))
        histories = data.histories(slice(0, 5))
        np.testing.assert_array_equal(loaded.predict(histories), covering.predict(histories))

    def test_refuses_new_items_of_another_catalogue(self, covering, newcomers, data, tmp_path):
        fewer = data.narrowed(items=np.arange(N_ITEMS - 1))
        other = Popularity.fit(fewer, PopularityConfig())
        with pytest.raises(InvalidRequest, match="fit both on the same catalogue"):
            Covering(other, newcomers)
        covering.save(tmp_path)
        other.save(tmp_path)
        with pytest.raises(ArtifactCorrupt):
            Covering.load(tmp_path, Popularity)
