"""Feature-augmented EASE is collective EASE, and knows items that nobody has."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError as ConfigRefused
from scipy.sparse import csr_matrix

from flyball.errors import TrainingError
from flyball.ports import Model
from flyball.recommend.ease import Ease, EaseConfig
from flyball.recommend.feature_ease import FeatureEase, FeatureEaseConfig
from flyball.recommend.histories import Histories
from flyball.recommend.interactions import Interactions
from flyball.recommend.tfidf import tfidf
from flyball.testing.models import ModelContract

N_GENRES = 4


def genre_world(n_users=300, n_items=80, cold=20, seed=0):
    """Each user likes one genre; the last ``cold`` items have a genre and no user."""
    rng = np.random.default_rng(seed)
    genres = np.arange(n_items) % N_GENRES
    likes = rng.integers(0, N_GENRES, n_users)
    chance = np.where(likes[:, None] == genres, 0.3, 0.03)
    chance[:, n_items - cold :] = 0.0
    table = (rng.random(chance.shape) < chance).astype(np.float32)
    words = rng.integers(0, 5, (n_items, 3)) + 5 * genres[:, None]
    features = np.zeros((n_items, 5 * N_GENRES), dtype=np.float32)
    np.add.at(features, (np.arange(n_items)[:, None], words), 1.0)
    users = np.array([f"u{n}" for n in range(n_users)])
    items = np.array([f"i{n}" for n in range(n_items)])
    data = Interactions(users, items, csr_matrix(table), features=csr_matrix(features))
    return data, likes, genres


def weights_of(model):
    return model.predict(Histories(csr_matrix(np.eye(model.n_items, dtype=np.float32))))


STRAIGHT = {"tilt_level": 0.0, "tilt_slope": 0.0}


class TestTheContract(ModelContract):
    @pytest.fixture
    def model(self) -> type[Model]:
        return FeatureEase

    @pytest.fixture
    def data(self):
        return genre_world()[0]

    @pytest.fixture
    def queries(self, data):
        return data.histories(slice(0, 7))


class TestFeatureEase:
    def test_is_the_closed_form_of_both_matrices(self):
        data = genre_world()[0]
        config = FeatureEaseConfig(
            regularisation=9.0, dropout=0.25, feature_weight=4.0, user_power=0.0, **STRAIGHT
        )
        table = data.matrix.toarray().astype(float)
        rows = tfidf(data.features).toarray().astype(float)
        gram = table.T @ table + 4.0 * rows @ rows.T
        inverse = np.linalg.inv(gram + np.diag(9.0 + np.diag(gram) / 3))
        expected = -inverse / np.diag(inverse)
        np.fill_diagonal(expected, 0.0)
        found = weights_of(FeatureEase.fit(data, config))
        np.testing.assert_allclose(found, expected, atol=1e-5)

    def test_ranks_items_nobody_has_by_the_taste_of_the_user(self):
        data, likes, genres = genre_world()
        scores = FeatureEase.fit(data, FeatureEaseConfig()).predict(data.histories())[:, -20:]
        best = np.argsort(-scores, axis=1)[:, :5]
        right = genres[-20:][best] == likes[:, None]
        assert right.mean() > 0.7  # at random a quarter

    def test_explains_the_score_of_a_new_item_to_the_last_term(self):
        data = genre_world()[0]
        model = FeatureEase.fit(data, FeatureEaseConfig())
        asked = data.histories().one(0)
        for item in (0, len(data.items) - 1):
            terms = model.terms(asked, np.array([item]))
            expected = model.score(asked)[item]
            np.testing.assert_allclose(terms.sums[0], expected, rtol=1e-4)

    def test_scores_an_item_without_interactions_and_features_zero(self):
        data = genre_world()[0]
        features = data.features.toarray()
        features[-1] = 0.0
        bare = Interactions(data.users, data.items, data.matrix, features=csr_matrix(features))
        model = FeatureEase.fit(bare, FeatureEaseConfig())
        assert not model.predict(bare.histories())[:, -1].any()

    def test_leaves_new_items_out_where_there_is_no_room_for_them(self):
        class Small(FeatureEase):
            max_described = 79

        data = genre_world()[0]
        scores = Small.fit(data, FeatureEaseConfig()).predict(data.histories())
        assert scores[:, :60].any(axis=0).all()
        assert not scores[:, 60:].any()

    def test_comes_near_plain_ease_as_features_lose_weight(self):
        data = genre_world()[0]
        shared = {"regularisation": 30.0, "dropout": 0.2, "user_power": 0.0}
        config = FeatureEaseConfig(**shared, **STRAIGHT, feature_weight=1e-4)
        model = FeatureEase.fit(data, config)
        plain = Ease.fit(data, EaseConfig(**shared))
        np.testing.assert_allclose(weights_of(model), weights_of(plain), atol=1e-4)


class TestWhatFeatureEaseRefuses:
    def test_items_without_any_text(self):
        data = genre_world()[0]
        for features in (None, csr_matrix(data.features.shape, dtype=np.float32)):
            bare = Interactions(data.users, data.items, data.matrix, features=features)
            with pytest.raises(TrainingError, match="ingest a catalogue"):
                FeatureEase.fit(bare, FeatureEaseConfig())

    def test_features_that_are_no_numbers(self):
        data = genre_world()[0]
        features = data.features.copy()
        features.data[0] = np.nan
        wrong = Interactions(data.users, data.items, data.matrix, features=features)
        with pytest.raises(TrainingError, match="not finite"):
            FeatureEase.fit(wrong, FeatureEaseConfig())

    def test_more_known_items_than_it_has_room_for(self):
        class Small(FeatureEase):
            max_items = 59

        with pytest.raises(TrainingError, match="choose sparse_ease"):
            Small.fit(genre_world()[0], FeatureEaseConfig())

    def test_features_without_weight(self):
        with pytest.raises(ConfigRefused):
            FeatureEaseConfig(feature_weight=0.0)
