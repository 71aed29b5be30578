"""What every model of a history's items keeps, beside the contract of models; and small data."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix

from flyball.errors import TrainingError
from flyball.recommend.histories import Histories, History
from flyball.recommend.interactions import Interactions
from flyball.recommend.ranking import rank
from flyball.recommend.split import Fold
from flyball.testing.models import ModelContract


def data_of(table, hours=None, days=None):
    """Interactions of a dense table; hours and days are tables too, read where it is 1."""
    matrix = csr_matrix(np.asarray(table, dtype=np.float32))
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    users = np.array([f"u{n:05}" for n in range(matrix.shape[0])])
    items = np.array([f"i{n:05}" for n in range(matrix.shape[1])])
    hours, days = (
        None if t is None else np.asarray(t, dtype=np.float32)[rows, matrix.indices]
        for t in (hours, days)
    )
    return Interactions(users, items, matrix, hours, days)


def random_data(n_users=60, n_items=25, density=0.3, seed=3):
    """With hours, of which some are unknown, and days, of which some are equal."""
    rng = np.random.default_rng(seed)
    table = rng.random((n_users, n_items)) < density
    hours = rng.exponential(20, table.shape)
    hours[rng.random(table.shape) < 0.2] = np.nan
    return data_of(table, hours, rng.integers(100, 130, table.shape))


def reordered(data, order):
    """The same interactions, the columns in another order."""
    cells = csr_matrix((np.arange(1.0, data.matrix.nnz + 1), *_parts(data)), data.matrix.shape)
    moved = csr_matrix(cells[:, order])
    moved.sort_indices()
    taken = moved.data.astype(int) - 1
    ones = np.ones(len(taken), dtype=np.float32)
    matrix = csr_matrix((ones, moved.indices, moved.indptr), shape=moved.shape)
    return replace(data, matrix=matrix, hours=data.hours[taken], days=data.days[taken])


def _parts(data):
    return data.matrix.indices, data.matrix.indptr


def weights_of(model):
    """The scores of someone who has one item, for each item: a linear model's matrix."""
    return model.predict(Histories(csr_matrix(np.eye(model.n_items, dtype=np.float32))))


class RecommenderPromises(ModelContract):
    """Inherit and give ``model``."""

    @pytest.fixture
    def data(self):
        return random_data()

    @pytest.fixture
    def queries(self, data):
        return data.histories(slice(0, 7))

    def test_scores_one_history_as_it_predicts_many(self, model, data):
        fitted = model.fit(data, model.Config())
        histories = data.histories()
        scores = np.stack([fitted.score(histories.one(row)) for row in range(len(histories))])
        assert np.abs(scores).max() > 0
        np.testing.assert_allclose(fitted.predict(histories), scores, rtol=1e-4, atol=1e-6)

    def test_explains_every_score_to_the_last_term(self, model, data):
        """The terms of the items and the base add up, for owned and other items alike."""
        fitted = model.fit(data, model.Config())
        for row in range(5):
            history = data.histories().one(row)
            scores = fitted.score(history)
            every = np.arange(len(data.items))
            terms = fitted.terms(history, every)
            assert terms.exact
            assert terms.items.shape == (len(every), len(history))
            np.testing.assert_allclose(terms.sums, scores, rtol=1e-4, atol=1e-6)
            some = np.array([3, 0])
            np.testing.assert_allclose(
                fitted.terms(history, some).items, terms.items[some], rtol=1e-4, atol=1e-6
            )

    def test_does_not_depend_on_how_items_are_named(self, model, data):
        """Other ids sort the items in another order; the scores move with them."""
        order = np.random.default_rng(1).permutation(len(data.items))
        one = model.fit(data, model.Config()).predict(data.histories())
        moved = reordered(data, order)
        other = model.fit(moved, model.Config()).predict(moved.histories())
        np.testing.assert_allclose(other, one[:, order], rtol=1e-3, atol=1e-5)

    def test_does_not_depend_on_the_order_within_a_history(self, model, data):
        fitted = model.fit(data, model.Config())
        history = data.histories().one(0)
        turned = History(history.items[::-1], history.hours[::-1], history.days[::-1])
        np.testing.assert_allclose(fitted.score(turned), fitted.score(history), rtol=1e-4)

    def test_gives_an_item_nobody_has_a_score_of_zero(self, model, data):
        """And such an item in a history moves nothing."""
        table = data.matrix.toarray()
        table[:, 4] = 0
        days = np.arange(table.size).reshape(table.shape)
        fitted = model.fit(data_of(table, days=days), model.Config())
        predicted = fitted.predict(Histories(data.matrix))
        assert (predicted[:, 4] == 0).all()
        assert (fitted.score(History(np.array([4]))) == 0).all()

    def test_answers_an_empty_history_with_zeros(self, model, data):
        fitted = model.fit(data, model.Config())
        nothing = History(np.empty(0, dtype=np.int64))
        assert fitted.score(nothing).tolist() == [0.0] * len(data.items)
        assert fitted.terms(nothing, np.array([3])).items.shape == (1, 0)
        empty = Histories(csr_matrix((2, len(data.items)), dtype=np.float32))
        assert (fitted.predict(empty) == 0).all()

    def test_finds_an_item_not_similar_to_itself(self, model, data):
        similar = model.fit(data, model.Config()).similar(3)
        assert similar.shape == (len(data.items),)
        assert similar[3] == 0
        assert np.abs(similar).max() > 0

    @pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (4, 4)])
    def test_stays_finite_where_there_is_nothing_to_tell_apart(self, model, shape):
        """One user, one item, or everyone has everything: equal items score the same."""
        data = data_of(np.ones(shape), np.full(shape, np.nan), np.full(shape, 5))
        fitted = model.fit(data, model.Config(**self.plain))
        predicted = fitted.predict(data.histories())
        assert np.isfinite(predicted).all()
        np.testing.assert_allclose(predicted, predicted[0, 0], rtol=1e-5)

    plain: ClassVar[dict[str, object]] = {}
    """The configuration for data of one item after another: nothing is cut off."""

    def test_refuses_data_without_interactions(self, model):
        with pytest.raises(TrainingError, match="no interactions"):
            model.fit(data_of(np.zeros((3, 3))), model.Config())


def real(name):
    """A file of the team's real data; skips where it is absent."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    path = Path(os.environ.get("FLYBALL_TEST_DATA", beside)) / name
    if not path.exists():
        pytest.skip(f"{name} is not there; set FLYBALL_TEST_DATA to the folder that has it")
    return path


def steam(name):
    """The fixed split of all owned or played pairs ("all"), or of the played ones ("plays")."""
    frame = pl.read_parquet(real(f"split_steam_{name}.parquet"))
    frame = frame.rename({"user": "user_id", "title": "item_id"})
    return Fold.from_frame(frame, frame["test"].to_numpy().astype(bool))


def reviews():
    """The reviews without the last one of each user with at least 5 (ties by item id)."""
    frame = pl.read_csv(real("steam_reviews_2010_2015.csv"), try_parse_dates=True)
    frame = frame.rename({"user": "user_id", "date": "day"}).sort("user_id", "day", "item_id")
    place = frame.select(
        n=pl.len().over("user_id"), at=pl.int_range(pl.len()).over("user_id")
    ).to_dict(as_series=False)
    count, at = np.array(place["n"]), np.array(place["at"])
    return Fold.from_frame(frame, (count >= 5) & (at == count - 1))


def ndcg_of(model, fold):
    """Mean NDCG@10 of the test users."""
    from flyball.recommend.metrics import ndcg

    return float(ndcg(rank(model, fold, depth=10), 10).mean())
