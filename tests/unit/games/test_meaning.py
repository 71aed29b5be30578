"""What is told to players is what was measured on others."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from flyball.games.application import GamesApplication
from flyball.games.artifact import Artifact
from flyball.recommend import Ease, EaseConfig
from flyball.testing.games import as_tables, some_purchases


@pytest.fixture(scope="module")
def prepared():
    return GamesApplication().prepare(as_tables(some_purchases()), seed=7)


def packaged(prepared, directory):
    model = Ease.fit(prepared.final.train, EaseConfig())
    GamesApplication().package(model, prepared, as_tables(some_purchases()), directory)
    return Artifact.open(directory)


def test_what_strangers_are_shown_comes_true_as_often_as_told(prepared, tmp_path):
    """The shares that are served are those that were calibrated, not others like them."""
    artifact, fold = packaged(prepared, tmp_path), prepared.final
    told = artifact.popular.apply(artifact.shares)
    users = fold.test_users
    unseen = fold.train.matrix[users].toarray() == 0
    hits = (fold.test[users].toarray() > 0) & unseen
    predicted = (unseen * told[None, :]).sum()
    assert predicted == pytest.approx(hits.sum(), rel=0.1)


def test_hours_played_after_the_cutoff_are_not_learnt_from():
    rng = np.random.default_rng(3)
    rows = [
        (f"p{player:02}", f"Game {game}", "play", 1.0, f"2020-{1 + int(rng.integers(12)):02}-01")
        for player in range(60)
        for game in rng.permutation(30)[:10]
    ]
    late = [(user, title, "play", 500.0, "2021-01-01") for user, title, *_ in rows[::20]]
    late += [(f"p{n:02}", f"Late {n % 9}", "play", 500.0, "2021-01-01") for n in range(30)]
    spring = [(f"p{n:02}", f"Spring {n % 9}", "play", 1.0, "2020-12-20") for n in range(30)]
    rows += spring
    frame = pl.DataFrame(
        [*rows, *late],
        schema=["user_id", "title", "event", "value", "timestamp"],
        orient="row",
    ).with_columns(pl.col("timestamp").str.to_datetime())
    train = GamesApplication().prepare(as_tables(frame), seed=7).final.train
    new_year = np.datetime64("2021-01-01") - np.datetime64("1970-01-01")
    assert train.days.max() < new_year.astype(int)
    assert np.nanmax(train.hours) <= 12.0
