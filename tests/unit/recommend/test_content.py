"""Content: items described alike are offered together, whoever has them."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError as ConfigRefused
from scipy.sparse import csr_matrix

from flyball.errors import ArtifactCorrupt, TrainingError
from flyball.ports import Model
from flyball.recommend.content import Content, ContentConfig
from flyball.recommend.histories import History
from flyball.recommend.interactions import Interactions
from flyball.recommend.tfidf import embeddings, tfidf
from flyball.testing.models import ModelContract


def counts(rows):
    return csr_matrix(np.asarray(rows, dtype=np.float32))


def random_counts(n_items=40, n_features=30, seed=0):
    rng = np.random.default_rng(seed)
    table = rng.poisson(0.4, (n_items, n_features)).astype(np.float32)
    table[np.arange(n_items), np.arange(n_items) % n_features] += 1
    return counts(table)


def world(features, n_users=50, seed=1):
    rng = np.random.default_rng(seed)
    n_items = features.shape[0]
    table = (rng.random((n_users, n_items)) < 0.2).astype(np.float32)
    table[0, 0] = 1.0
    users = np.array([f"u{n}" for n in range(n_users)])
    items = np.array([f"i{n}" for n in range(n_items)])
    return Interactions(users, items, csr_matrix(table), features=features)


def history(*items, hours=None):
    known = None if hours is None else np.array(hours, dtype=np.float32)
    return History(np.array(items, dtype=np.int64), hours=known)


class TestTheContract(ModelContract):
    @pytest.fixture
    def model(self) -> type[Model]:
        return Content

    @pytest.fixture
    def data(self):
        return world(random_counts())

    @pytest.fixture
    def queries(self, data):
        return data.histories(slice(0, 7))


class TestTfidf:
    def test_is_the_formula(self):
        table = random_counts().toarray()
        some = (table > 0).sum(axis=0)
        expected = np.where(table > 0, 1 + np.log(np.maximum(table, 1)), 0.0)
        expected *= 1 + np.log((1 + len(table)) / (1 + some))
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        np.testing.assert_allclose(tfidf(counts(table)).toarray(), expected, rtol=1e-5)

    def test_gives_an_item_without_features_a_row_of_zeros(self):
        rows = tfidf(counts([[1, 1, 0], [1, 0, 2], [0, 0, 0], [0, 1, 1]])).toarray()
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1, 1, 0, 1], rtol=1e-6)

    def test_leaves_out_what_one_item_alone_has_unless_it_has_nothing_else(self):
        rows = tfidf(counts([[1, 1, 0], [1, 0, 0], [0, 0, 1]])).toarray()
        np.testing.assert_allclose(rows, [[1, 0, 0], [1, 0, 0], [0, 0, 1]], rtol=1e-6)

    @pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf])
    def test_refuses_counts_that_are_none(self, wrong):
        with pytest.raises(TrainingError, match="1 of 2 feature counts"):
            tfidf(counts([[1, wrong], [0, 0]]))

    def test_leaves_its_input_alone(self):
        given = counts([[0.5, 2], [3, 1]])
        tfidf(given)
        assert given.toarray().tolist() == [[0.5, 2], [3, 1]]


class TestEmbeddings:
    def test_with_all_dimensions_keep_every_cosine(self):
        features = random_counts()
        rows = tfidf(features).toarray()
        found = embeddings(features, 30)
        np.testing.assert_allclose(found @ found.T, rows @ rows.T, atol=1e-4)

    def test_are_unit_rows_of_float32_or_zeros(self):
        table = random_counts().toarray()
        table[5] = 0.0
        found = embeddings(counts(table), 8)
        assert found.shape == (40, 8)
        assert found.dtype == np.float32
        lengths = np.linalg.norm(found, axis=1)
        np.testing.assert_allclose(np.delete(lengths, 5), 1.0, rtol=1e-5)
        assert lengths[5] == 0.0

    @pytest.mark.parametrize(
        "features",
        [
            counts([[1.0]]),
            counts([[1.0, 2.0]]),
            counts(np.ones((6, 4))),
            counts(np.zeros((3, 2))),
            csr_matrix((3, 0), dtype=np.float32),
        ],
        ids=["one item", "one item of two words", "all equal", "no text", "no features"],
    )
    def test_of_a_poor_catalogue_are_finite(self, features):
        found = embeddings(features, 16)
        assert np.isfinite(found).all()
        described = np.diff(features.indptr) > 0
        described &= np.asarray(features.sum(axis=1)).ravel() > 0
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), described, rtol=1e-5)


class TestContent:
    def test_scores_the_mean_cosine_to_the_history(self):
        features = random_counts()
        model = Content.fit(world(features), ContentConfig(dim=12))
        vectors = embeddings(features, 12)
        expected = (vectors @ vectors.T)[[3, 8, 21]].mean(axis=0)
        np.testing.assert_allclose(model.score(history(3, 8, 21)), expected, atol=1e-6)

    def test_finds_similar_what_is_described_alike(self):
        table = np.kron(np.eye(3), np.ones((4, 5)))  # three genres of four items each
        model = Content.fit(world(counts(table)), ContentConfig(dim=8))
        similar = model.similar(5)
        assert similar[5] == 0.0
        assert set(np.argsort(-similar)[:3].tolist()) == {4, 6, 7}
        np.testing.assert_allclose(similar[[4, 6, 7]], 1.0, rtol=1e-4)

    def test_scores_alike_whatever_people_have(self):
        features = random_counts()
        one, other = (Content.fit(world(features, seed=s), ContentConfig()) for s in (1, 2))
        np.testing.assert_array_equal(one.score(history(4)), other.score(history(4)))

    def test_explains_a_score_to_the_last_term(self):
        model = Content.fit(world(random_counts()), ContentConfig(hours_power=1.0))
        asked = history(1, 2, 30, hours=[0.5, 80.0, np.nan])
        terms = model.terms(asked, np.array([7]))
        assert terms.exact
        expected = model.score(asked)[7]
        np.testing.assert_allclose(terms.sums[0], expected, atol=1e-6)

    def test_says_nothing_to_an_empty_history(self):
        model = Content.fit(world(random_counts()), ContentConfig())
        assert not model.score(history()).any()

    def test_refuses_items_without_any_text(self):
        data = world(random_counts())
        bare = Interactions(data.users, data.items, data.matrix)
        with pytest.raises(TrainingError, match=r"none of the 40 items has features"):
            Content.fit(bare, ContentConfig())

    @pytest.mark.parametrize("wrong", [{"dim": 0}, {"dim": 5000}, {"hours_power": -1}])
    def test_refuses_a_configuration_out_of_range(self, wrong):
        with pytest.raises(ConfigRefused):
            ContentConfig(**wrong)

    def test_says_that_an_artifact_is_damaged(self, tmp_path):
        Content.fit(world(random_counts()), ContentConfig()).save(tmp_path)
        np.save(tmp_path / "vectors.npy", np.zeros(3))
        with pytest.raises(ArtifactCorrupt):
            Content.load(tmp_path)
