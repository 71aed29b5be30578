"""How much an item counts by how long it was used beside others' use of it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from flyball.recommend import Interactions
from flyball.recommend.engagement import Engagement


def data(hours):
    """Item a is played for minutes, b for hundreds of hours, by thirty users each."""
    rng = np.random.default_rng(3)
    minutes, long = rng.exponential(0.2, 30), rng.lognormal(5.0, 1.0, 30)
    frame = pl.DataFrame(
        {
            "user_id": [f"u{n:02}" for n in range(30)] * 2,
            "item_id": ["a"] * 30 + ["b"] * 30,
            "hours": np.concatenate([minutes, long]) if hours else [None] * 60,
        },
        schema_overrides={"hours": pl.Float64},
    )
    return Interactions.from_frame(frame).widened(["c"])


def values(hours, *, strength=0.5):
    usual = Engagement.fit(data(True), strength=strength)
    return usual.values(np.arange(3), np.array(hours, dtype=np.float32))


def test_the_same_hours_are_much_of_one_item_and_little_of_another():
    much, little, _ = values([10.0, 10.0, 1.0])
    assert much > 1.1
    assert little < 0.9


def test_more_hours_count_more_within_half_the_strength_of_one():
    found = [values([1.0, hours, 1.0], strength=1.0)[1] for hours in (0.1, 50, 150, 900, 1e6)]
    assert found == sorted(found)
    assert 0.5 <= found[0] < 0.6
    assert 1.4 < found[-1] <= 1.5


@pytest.mark.parametrize("hours", [np.nan, np.inf, -1.0, 0.0])
def test_hours_that_are_none_or_not_known_count_one(hours):
    assert values([hours, hours, hours]).tolist() == [1.0, 1.0, 1.0]


def test_a_history_without_hours_counts_one_each():
    usual = Engagement.fit(data(True), strength=1.0)
    assert usual.values(np.arange(2), None).tolist() == [1.0, 1.0]


def test_of_data_without_hours_there_is_none():
    assert Engagement.fit(data(False), strength=1.0) is None


def test_an_item_that_nobody_has_is_used_as_all_are():
    usual = Engagement.fit(data(True), strength=1.0)
    logs = np.log1p(data(True).hours[data(True).hours > 0])
    assert usual.middle[2] == pytest.approx(logs.mean(), rel=1e-5)
