"""A blend is the sum that its weights say, learnt on what was held back."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from flyball.errors import ArtifactCorrupt, TrainingError
from flyball.recommend import Ease, Histories, History, Interactions, Popularity
from flyball.recommend.blend import Blend, BlendConfig, Component, added_up
from flyball.recommend.blend_weights import learnt_factors, learnt_weights, ndcg_at_10, spread
from flyball.recommend.inner import inner_fold
from flyball.recommend.item_knn import ItemKnn
from flyball.recommend.popularity import PopularityConfig
from flyball.recommend.rp3beta import Rp3Beta

TASTES, ITEMS = 5, 40


def world(seed=2, *, dated=False):
    """Players of five tastes, each with items of their own, and everybody some popular ones."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(200):
        mine = np.flatnonzero(np.arange(ITEMS) % TASTES == user % TASTES)
        items = {*rng.choice(mine, 5, replace=False).tolist(), *rng.integers(0, 6, 3).tolist()}
        rows += [
            (f"u{user:03}", f"i{item:02}", int(rng.integers(15_000, 15_100))) for item in items
        ]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "day"], orient="row")
    return Interactions.from_frame(frame if dated else frame.drop("day"))


class Noise:
    """Scores that say nothing."""

    family, version = "noise", 1

    def predict(self, histories):
        rng = np.random.default_rng(0)
        return rng.random((len(histories), ITEMS), dtype=np.float32)


@pytest.fixture(scope="module")
def blend():
    """A blend of two, whatever a fit would choose."""
    data = world()
    models = [Ease.fit(data, Ease.Config()), Popularity.fit(data, PopularityConfig())]
    return Blend(models, [2.0, 0.5])


class TestTheWeights:
    def test_of_one_model_is_one(self):
        fold = inner_fold(world())
        assert learnt_weights([Ease.fit(fold.train, Ease.Config())], fold) == [1.0]

    def test_leave_out_a_model_that_says_nothing(self):
        fold = inner_fold(world())
        assert learnt_weights([Ease.fit(fold.train, Ease.Config()), Noise()], fold) == [1.0, 0.0]

    def test_are_at_least_zero_and_the_largest_is_one(self):
        fold = inner_fold(world())
        models = [
            Popularity.fit(fold.train, PopularityConfig()),
            Ease.fit(fold.train, Ease.Config()),
        ]
        weights = learnt_weights(models, fold)
        assert min(weights) >= 0.0
        assert max(weights) == 1.0

    def test_are_applied_over_the_spreads_they_were_learnt_over(self):
        fold = inner_fold(world())
        models = [Ease.fit(fold.train, Ease.Config()), Noise()]
        ease, noise = learnt_factors(models, fold)
        assert ease == pytest.approx(1 / spread(models[0], fold.histories(fold.test_users)))
        assert noise == 0.0

    def test_are_judged_by_an_ndcg_that_counts_no_place_twice(self):
        scores = np.array([[3.0, 2.0, np.nan, np.nan]], dtype=np.float32)
        relevant = np.array([[True, False, False, False]])
        assert ndcg_at_10(scores, relevant, np.array([1.0])).tolist() == [1.0]


class TestTheInnerFold:
    def test_holds_back_what_came_last_where_days_are_known(self):
        data = world(dated=True)
        fold = inner_fold(data)
        assert fold.train.days.max() < data.days.max()
        assert fold.as_of is not None

    def test_holds_back_some_of_each_users_items_otherwise(self):
        fold = inner_fold(world())
        assert len(fold.test_users) == 200
        assert fold.as_of is None

    def test_of_hardly_any_users_is_refused(self):
        few = world().narrowed(users=np.arange(5))
        with pytest.raises(TrainingError, match="choose a simpler model"):
            inner_fold(few)


class TestABlend:
    def test_is_the_sum_of_its_models(self, blend):
        everyone = world().histories()
        expected = sum(
            factor * model.predict(everyone)
            for model, factor in zip(blend.models, blend.factors, strict=True)
        )
        np.testing.assert_allclose(blend.predict(everyone), expected, rtol=1e-5)

    def test_scores_one_as_it_does_many(self, blend):
        everyone = world().histories()
        together = blend.predict(everyone)
        for row in range(5):
            one = blend.score(everyone.one(row))
            np.testing.assert_allclose(one, together[row], rtol=1e-4, atol=1e-6)

    def test_explains_a_score_to_the_last_term(self, blend):
        history = world().histories().one(3)
        for item in range(0, ITEMS, 7):
            terms = blend.terms(history, np.array([item]))
            assert terms.exact
            total = terms.sums[0]
            assert total == pytest.approx(blend.score(history)[item], rel=1e-4, abs=1e-5)

    def test_answers_an_empty_history_with_finite_scores(self, blend):
        assert np.isfinite(blend.score(History(np.array([], dtype=np.int64)))).all()

    def test_adds_up_linear_models_that_weigh_a_history_alike(self):
        data = world()
        models = [kind.fit(data, kind.Config()) for kind in (ItemKnn, Ease, Rp3Beta)]
        factors = [2.0, 1.0, 4.0]
        kept, multiplied = added_up(models, factors)
        assert [model.family for model in kept] == ["item_knn", "ease"]
        everyone = data.histories()
        expected = sum(f * m.predict(everyone) for m, f in zip(models, factors, strict=True))
        found = Blend(kept, multiplied).predict(everyone)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)

    def test_comes_back_from_disk_as_it_was(self, blend, tmp_path):
        blend.save(tmp_path)
        loaded = Blend.load(tmp_path)
        everyone = Histories(world().matrix)
        np.testing.assert_array_equal(loaded.predict(everyone), blend.predict(everyone))

    def test_made_by_another_version_of_a_model_is_refused(self, blend, tmp_path):
        blend.save(tmp_path)
        path = tmp_path / "blend.json"
        path.write_text(path.read_text().replace('"versions":[', '"versions":[9'))
        with pytest.raises(ArtifactCorrupt, match="@9"):
            Blend.load(tmp_path)

    def test_of_a_blend_is_refused(self):
        config = BlendConfig(components=(Component(family="blend"),))
        with pytest.raises(TrainingError, match="a blend of blends"):
            Blend.fit(world(), config)


class TestWhatASearchProposes:
    def test_is_the_best_few_families_and_popularity(self):
        best = {
            name: PopularityConfig()
            for name in ("ease", "rp3beta", "item_knn", "als", "content", "popularity")
        }
        config = BlendConfig.combining(best)
        assert [part.family for part in config.components] == [
            "ease",
            "rp3beta",
            "item_knn",
            "popularity",
        ]

    def test_survives_json(self):
        config = BlendConfig.combining({"popularity": PopularityConfig(half_life_days=9.0)})
        assert BlendConfig.model_validate(config.model_dump(mode="json")) == config
