"""What every recommender promises, whatever its algorithm."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError as ConfigRefused
from scipy.sparse import csr_matrix

from flyball.errors import ArtifactCorrupt, StorageUnavailable, TrainingError
from flyball.recommend import Ease, History, Interactions, Popularity, Recommender


def interactions(n_users=120, n_items=30, seed=5):
    """Random data with popular and rare items; the last item has no user."""
    rng = np.random.default_rng(seed)
    chance = np.linspace(0.6, 0.02, n_items)
    chance[-1] = 0.0
    table = (rng.random((n_users, n_items)) < chance).astype(np.float32)
    users = np.array([f"u{n:03}" for n in range(n_users)])
    items = np.array([f"i{n:03}" for n in range(n_items)])
    return Interactions(users, items, csr_matrix(table))


class LowEnd:
    """A search that always proposes the low end, or the first choice."""

    def suggest_float(self, name, low, high, *, log=False):
        return low

    def suggest_int(self, name, low, high, *, log=False):
        return low

    def suggest_categorical(self, name, choices):
        return choices[0]


@pytest.mark.parametrize("kind", [Popularity, Ease])
class TestEveryRecommender:
    def test_has_the_shape_of_the_protocol(self, kind):
        assert isinstance(kind.fit(interactions(), kind.Config()), Recommender)

    def test_scores_every_item_with_a_finite_number(self, kind):
        data = interactions()
        scores = kind.fit(data, kind.Config()).predict(data.histories())
        assert scores.shape == data.matrix.shape
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()

    def test_scores_one_history_as_it_does_many(self, kind):
        data = interactions()
        model = kind.fit(data, kind.Config())
        together = model.predict(data.histories())
        for row in range(10):
            alone = model.score(data.histories().one(row))
            np.testing.assert_allclose(alone, together[row], rtol=1e-5, atol=1e-7)

    def test_answers_an_empty_history(self, kind):
        data = interactions()
        model = kind.fit(data, kind.Config())
        empty = History(np.array([], dtype=np.int64))
        assert np.isfinite(model.score(empty)).all()
        assert model.terms(empty, np.array([3])).items.shape == (1, 0)

    def test_explains_a_score_to_the_last_term(self, kind):
        data = interactions()
        model = kind.fit(data, kind.Config())
        for row, item in ((0, 3), (1, 7), (2, 29)):
            history = data.histories().one(row)
            terms = model.terms(history, np.array([item]))
            assert terms.exact
            assert terms.items.shape == (1, len(history))
            score = model.score(history)[item]
            np.testing.assert_allclose(terms.sums[0], score, rtol=1e-5, atol=1e-7)

    def test_gives_arrays_that_the_caller_may_write_to(self, kind, tmp_path):
        data = interactions()
        kind.fit(data, kind.Config()).save(tmp_path)
        model = kind.load(tmp_path)
        history = History(np.array([0, 1]))
        before = model.score(history)
        for given in (model.score(history), model.predict(data.histories()), model.similar(0)):
            given[...] = -1.0
        np.testing.assert_array_equal(model.score(history), before)

    def test_does_not_count_an_item_as_like_itself(self, kind):
        similar = kind.fit(interactions(), kind.Config()).similar(4)
        assert similar.shape == (30,)
        assert similar[4] == 0.0

    def test_is_the_same_to_the_bit_when_fitted_again(self, kind, tmp_path):
        for name in ("one", "two"):
            kind.fit(interactions(), kind.Config()).save(tmp_path / name)
        files = [sorted((tmp_path / name).iterdir()) for name in ("one", "two")]
        contents = [[(file.name, file.read_bytes()) for file in names] for names in files]
        assert contents[0] == contents[1]

    def test_leaves_its_data_as_it_was(self, kind):
        data = interactions()
        before = data.matrix.toarray()
        kind.fit(data, kind.Config())
        np.testing.assert_array_equal(data.matrix.toarray(), before)

    def test_comes_back_from_disk_as_it_was(self, kind, tmp_path):
        data = interactions()
        model = kind.fit(data, kind.Config())
        model.save(tmp_path)
        loaded = kind.load(tmp_path)
        assert loaded.n_items == model.n_items == 30
        everyone = data.histories()
        np.testing.assert_array_equal(loaded.predict(everyone), model.predict(everyone))
        history = everyone.one(0)
        np.testing.assert_array_equal(loaded.score(history), model.score(history))

    def test_writes_arrays_and_nothing_else(self, kind, tmp_path):
        kind.fit(interactions(), kind.Config()).save(tmp_path / "new")
        files = list((tmp_path / "new").iterdir())
        assert files
        for file in files:
            assert file.suffix == ".npy"
            np.load(file, allow_pickle=False)

    def test_refuses_to_learn_from_nothing(self, kind):
        nothing = Interactions(
            np.array(["u"]), np.array(["a"]), csr_matrix((1, 1), dtype=np.float32)
        )
        with pytest.raises(TrainingError, match="no interactions"):
            kind.fit(nothing, kind.Config())

    def test_refuses_to_learn_from_values_that_are_not_finite(self, kind):
        matrix = csr_matrix(np.array([[1.0, np.inf]], dtype=np.float32))
        with pytest.raises(TrainingError, match="not finite"):
            kind.fit(Interactions(np.array(["u"]), np.array(["a", "b"]), matrix), kind.Config())

    def test_has_a_configuration_that_refuses_strangers_and_change(self, kind):
        with pytest.raises(ConfigRefused):
            kind.Config(neighbours=3)
        config = kind.Config.suggest(LowEnd())
        assert kind.Config(**config.model_dump(mode="json")) == config
        with pytest.raises(ConfigRefused):
            config.regularisation = 5.0


MAIN = {"popularity": "shares.npy", "ease": "weights.npy"}
"""The file that holds what was learnt."""


@pytest.mark.parametrize("kind", [Popularity, Ease])
class TestADamagedArtifact:
    """Is refused by name; nothing of it is used, and no pickle is ever opened."""

    def file(self, kind, directory):
        kind.fit(interactions(), kind.Config()).save(directory)
        return directory / MAIN[kind.family]

    def test_missing(self, kind, tmp_path):
        with pytest.raises(ArtifactCorrupt, match="npy cannot be read"):
            kind.load(tmp_path / "absent")

    @pytest.mark.parametrize("keep", [0, 20, -1])
    def test_truncated(self, kind, tmp_path, keep):
        file = self.file(kind, tmp_path)
        file.write_bytes(file.read_bytes()[:keep])
        with pytest.raises(ArtifactCorrupt, match=file.name):
            kind.load(tmp_path)

    def test_pickled(self, kind, tmp_path):
        np.save(self.file(kind, tmp_path), np.array([{"a": 1}], dtype=object), allow_pickle=True)
        with pytest.raises(ArtifactCorrupt):
            kind.load(tmp_path)

    @pytest.mark.parametrize(
        "other", [np.zeros((2, 3, 4), dtype=np.float32), np.zeros((2, 3), dtype=np.float64)]
    )
    def test_of_another_shape_or_type(self, kind, tmp_path, other):
        np.save(self.file(kind, tmp_path), other)
        with pytest.raises(ArtifactCorrupt, match="expected row-major float32"):
            kind.load(tmp_path)


def test_a_full_or_forbidden_disk_is_named(tmp_path):
    taken = tmp_path / "file"
    taken.write_text("here")
    with pytest.raises(StorageUnavailable, match="cannot write"):
        Popularity.fit(interactions(), Popularity.Config()).save(taken)


class TestPopularity:
    def data(self, days=None):
        table = csr_matrix(np.array([[1, 1, 0], [0, 1, 0]], dtype=np.float32))
        dated = None if days is None else np.array(days, dtype=np.float32)
        return Interactions(np.array(["u", "v"]), np.array(["a", "b", "c"]), table, days=dated)

    def test_scores_by_the_share_of_users_who_have_the_item(self):
        model = Popularity.fit(self.data(), Popularity.Config())
        assert model.score(History(np.array([0]))).tolist() == [0.5, 1.0, 0.0]
        assert model.similar(1).tolist() == [0.5, 0.0, 0.0]

    def test_is_no_reason_that_an_item_of_the_history_accounts_for(self):
        model = Popularity.fit(self.data(), Popularity.Config())
        terms = model.terms(History(np.arange(2)), np.array([1]))
        assert terms.items.tolist() == [[0.0, 0.0]]
        assert terms.base == [1.0]

    def test_counts_half_what_is_a_half_life_old(self):
        config = Popularity.Config(half_life_days=10.0)
        model = Popularity.fit(self.data([80, 90, 100]), config)
        assert model.score(History(np.array([0]))).tolist() == [0.125, 0.75, 0.0]

    def test_of_an_earlier_day_knows_nothing_of_later_ones(self):
        config = Popularity.Config(half_life_days=10.0)
        model = Popularity.fit(self.data([80, 90, 100]), config)
        history = History(np.array([0]), as_of=90.0)
        assert model.score(history).tolist() == [0.25, 0.5, 0.0]

    def test_counts_all_the_same_where_there_is_no_half_life(self):
        config = Popularity.Config(half_life_days=None)
        model = Popularity.fit(self.data([80, 90, 100]), config)
        assert model.score(History(np.array([0]))).tolist() == [0.5, 1.0, 0.0]
