"""What is tried is what the data give a reason to try."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix

from flyball.games.worth_trying import CONTENT, DATED, SEQUENTIAL, reasons_not_to_try
from flyball.recommend import Interactions

ITEMS = 40


def players(*, dated=True, chained=False, described=False):
    """150 players with 12 games each: drawn evenly, or each leading to its neighbour."""
    rng = np.random.default_rng(8)
    rows = []
    for player in range(150):
        start = int(rng.integers(ITEMS))
        games = (start + np.arange(12)) % ITEMS if chained else rng.permutation(ITEMS)[:12]
        rows += [(f"p{player:03}", f"g{game:02}", 15_000 + day) for day, game in enumerate(games)]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "day"], orient="row")
    data = Interactions.from_frame(frame if dated else frame.drop("day"))
    words = csr_matrix(np.eye(ITEMS, dtype=np.float32))
    return replace(data, features=words) if described else data


@pytest.fixture
def skipped():
    def of(**world):
        return reasons_not_to_try(players(**world), seed=1).skipped

    return of


def test_sequence_models_are_tried_where_order_tells_the_next_game(skipped):
    assert not set(SEQUENTIAL) & set(skipped(chained=True))


def test_sequence_models_are_passed_over_where_order_says_nothing(skipped):
    why = skipped()
    assert set(SEQUENTIAL) <= set(why)
    assert all("shuffle test" in why[family] for family in SEQUENTIAL)
    assert not set(DATED) & set(why)


def test_nothing_of_time_is_tried_on_rows_without_dates(skipped):
    why = skipped(dated=False)
    assert {why[family] for family in (*SEQUENTIAL, *DATED)} == {
        "the rows are not dated: there is no order to learn"
    }


def test_content_is_tried_where_games_are_described(skipped):
    assert set(CONTENT) <= set(skipped())
    assert not set(CONTENT) & set(skipped(described=True))


def test_the_test_of_order_is_told_as_it_came_out():
    told = reasons_not_to_try(players(chained=True), seed=1)
    assert told.order["p_value"] <= 0.01
    assert told.order["gain"] > 1.0
