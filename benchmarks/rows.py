"""A large file of interactions, made to measure with: sorted by nothing, popular things popular."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

USERS = 200_000
GAMES = 20_000
CHUNK = 1_000_000
_2024, _2025 = 1_704_067_200, 1_735_689_600


def interactions(rows: int, *, seed: int, dirt: float = 0.0) -> pl.DataFrame:
    """Rows of (user_id, title, event, value, timestamp) as text, as a CSV file holds them.

    Args:
        dirt: share of rows that break a rule: a fifth each has no user, no title, another event,
            a negative value, or repeats the row before it.
    """
    rng = np.random.default_rng(seed)
    users = (rng.beta(0.8, 3, rows) * USERS).astype(np.int64)
    games = (rng.beta(0.5, 6, rows) * GAMES).astype(np.int64)
    frame = pl.DataFrame(
        {
            "user": users + 100_000_000,
            "game": games,
            "played": rng.random(rows) < 0.6,
            "value": np.round(rng.lognormal(1, 1.5, rows), 1),
            "time": rng.integers(_2024, _2025, rows),
        }
    ).select(
        pl.col("user").cast(pl.String).alias("user_id"),
        pl.format("Game of Numbers {}", "game").alias("title"),
        pl.when("played").then(pl.lit("play")).otherwise(pl.lit("purchase")).alias("event"),
        pl.col("value").cast(pl.String),
        pl.from_epoch("time").dt.strftime("%Y-%m-%dT%H:%M:%SZ").alias("timestamp"),
    )
    return _dirtied(frame, rng, dirt) if dirt else frame


def _dirtied(frame: pl.DataFrame, rng: np.random.Generator, dirt: float) -> pl.DataFrame:
    dirty, kinds = rng.random(frame.height) < dirt, rng.integers(1, 6, frame.height)
    kind = pl.Series("kind", np.where(dirty, kinds, 0))
    repeats = kind == 5
    return frame.with_columns(
        pl.when(repeats).then(pl.all().shift(1).fill_null(strategy="backward")).otherwise(pl.all())
    ).with_columns(
        pl.when(kind == 1).then(None).otherwise(pl.col("user_id")).alias("user_id"),
        pl.when(kind == 2).then(None).otherwise(pl.col("title")).alias("title"),
        pl.when(kind == 3).then(pl.lit("refund")).otherwise(pl.col("event")).alias("event"),
        pl.when(kind == 4).then(pl.lit("-1.0")).otherwise(pl.col("value")).alias("value"),
    )


def write_csv(path: Path, rows: int, *, seed: int = 1, dirt: float = 0.0) -> Path:
    """The rows as CSV with a header; a million at a time."""
    with path.open("wb") as file:
        for start in range(0, rows, CHUNK):
            part = interactions(min(CHUNK, rows - start), seed=seed + start, dirt=dirt)
            part.write_csv(file, include_header=start == 0)
    return path
