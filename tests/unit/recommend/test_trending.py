"""What users go on to, as far as it is in fashion, and what is in fashion anyway."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from flyball.errors import ArtifactCorrupt, TrainingError
from flyball.recommend import Histories, History, Interactions
from flyball.recommend.trending import EPSILON, Trending, TrendingConfig


def data():
    """Everyone has a, then b or c; c is newer, d is new and in fashion, e is nobody's."""
    rows = [("a", 100)] * 8 + [("b", 110)] * 4 + [("c", 190)] * 4 + [("d", 199)] * 3
    users = [*range(8), *range(4), *range(4, 8), 8, 9, 10]
    frame = pl.DataFrame(
        {
            "user_id": [f"u{user:02}" for user in users],
            "item_id": [item for item, _ in rows],
            "day": [day for _, day in rows],
        }
    )
    return Interactions.from_frame(frame).widened(["e"])


def fitted(**config):
    return Trending.fit(data(), TrendingConfig(**config))


def of(*items, as_of=None):
    return History(np.array(items), as_of=as_of)


A, B, C, D, E = range(5)


def test_the_newer_of_two_equally_common_next_items_comes_first():
    scores = fitted(base_weight=0.0).score(of(A))
    assert scores[C] > scores[B] > 0


def test_without_power_fashion_moves_nothing():
    scores = fitted(base_weight=0.0, recency_power=0.0).score(of(A))
    assert scores[C] == pytest.approx(scores[B])


def test_what_is_in_fashion_comes_to_those_of_whom_nothing_is_known():
    scores = fitted(recency_half_life_days=5.0).score(of())
    assert scores[A] == 0 or scores[D] > scores[A]


def test_of_an_earlier_day_knows_nothing_of_later_ones():
    scores = fitted(length_power=0.0).score(of(A, as_of=150.0))
    assert scores[D] == 0.0
    assert fitted(length_power=0.0).score(of(A))[D] > 0.0


def test_is_the_formula_as_it_stands():
    model = fitted(alpha=1.0, recency_half_life_days=10.0, recency_power=0.5, base_weight=2.0)
    days = np.array([100.0, 110.0, 190.0, 199.0])
    counts = np.array([8.0, 4.0, 4.0, 3.0])
    recent = counts * 2 ** -((199 - days) / 10)
    b, ever = recent / recent.sum(), counts / counts.sum()
    fashion = ((b + EPSILON) / (ever + EPSILON)) ** 0.5
    links = np.array([0.0, 4 / 8, 4 / 8, 0.0])  # half of the eight with a went on to each
    expected = fashion * links + 2.0 * 1.0 * b
    np.testing.assert_allclose(model.score(of(A))[:4], expected, rtol=1e-4)
    assert model.score(of(A))[E] == 0.0


@pytest.mark.parametrize("as_of", [None, 195.0])
def test_the_reasons_add_up_to_the_score(as_of):
    model, history = fitted(), of(A, B, as_of=as_of)
    for item in range(5):
        terms = model.terms(history, np.array([item]))
        assert terms.exact
        total = terms.sums[0]
        assert total == pytest.approx(model.score(history)[item], rel=1e-5, abs=1e-9)


def test_many_are_scored_as_one_by_one_each_on_its_day():
    model = fitted()
    asked = [of(A, as_of=150.0), of(B, C, as_of=195.0), of(A, B, as_of=150.0)]
    together = model.predict(Histories.of(asked, 5))
    for row, history in enumerate(asked):
        np.testing.assert_allclose(together[row], model.score(history), rtol=1e-5, atol=1e-9)


def test_rows_without_dates_are_refused():
    undated = Interactions(data().users, data().items, data().matrix)
    with pytest.raises(TrainingError, match="no dates"):
        Trending.fit(undated, TrendingConfig())


def test_parts_of_two_models_are_a_damaged_artifact(tmp_path):
    fitted().save(tmp_path)
    np.save(tmp_path / "recent" / "shares.npy", np.zeros(9, dtype=np.float32))
    with pytest.raises(ArtifactCorrupt, match="do not fit each other"):
        Trending.load(tmp_path)
