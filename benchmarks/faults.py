"""Faults of batches: each spoils a share of the rows, as broken senders and exports do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

LADDER = (
    0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45,
    0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0,
)  # fmt: skip
YEAR = timedelta(days=365)

Rng = np.random.Generator
Inject = Callable[[pl.DataFrame, pl.DataFrame, float, Rng], pl.DataFrame]
"""(the batch's rows, rows of an earlier batch, size, random) -> the rows with the fault."""


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes:
        name: what happened.
        unit: what its size means.
        of: the data it is shown on: ``"steam"`` or ``"reviews"``.
        inject: does it.
        sizes: rising.
    """

    name: str
    unit: str
    of: str
    inject: Inject
    sizes: tuple[float, ...] = LADDER


def _hit(frame: pl.DataFrame, size: float, rng: Rng) -> pl.Series:
    """A random share of the rows."""
    return pl.Series(rng.permutation(frame.height) < round(size * frame.height))


def _set(frame: pl.DataFrame, size: float, rng: Rng, **columns: pl.Expr) -> pl.DataFrame:
    """Other values in a random share of the rows."""
    hit = _hit(frame, size, rng)
    return frame.with_columns(
        pl.when(hit).then(other).otherwise(pl.col(name)).alias(name)
        for name, other in columns.items()
    )


def swapped(frame: pl.DataFrame, _: pl.DataFrame, size: float, rng: Rng) -> pl.DataFrame:
    """The user in the place of the title, and the other way round."""
    return _set(frame, size, rng, user_id=pl.col("title"), title=pl.col("user_id"))


def minutes(frame: pl.DataFrame, _: pl.DataFrame, size: float, rng: Rng) -> pl.DataFrame:
    """Hours told in minutes."""
    played = pl.col("event") == "play"
    value = pl.when(played).then(pl.col("value") * 60).otherwise(pl.col("value"))
    return _set(frame, size, rng, value=value)


def missing(frame: pl.DataFrame, _: pl.DataFrame, size: float, rng: Rng) -> pl.DataFrame:
    """Rows that did not arrive."""
    return frame.filter(~_hit(frame, size, rng))


def again(frame: pl.DataFrame, earlier: pl.DataFrame, size: float, rng: Rng) -> pl.DataFrame:
    """Rows of an earlier batch in the place of new ones."""
    old = earlier.sample(
        min(round(size * frame.height), earlier.height), seed=int(rng.integers(1 << 31))
    )
    return pl.concat([missing(frame, earlier, size, rng), old])


def nulls(frame: pl.DataFrame, _: pl.DataFrame, size: float, rng: Rng) -> pl.DataFrame:
    """Values lost."""
    return _set(frame, size, rng, value=pl.lit(None, dtype=pl.Float64))


def shuffled(frame: pl.DataFrame, _: pl.DataFrame, size: float, rng: Rng) -> pl.DataFrame:
    """Events beside the values of other rows."""
    hit = _hit(frame, size, rng)
    picked = np.flatnonzero(hit.to_numpy())
    events = frame["event"].to_numpy().copy()
    events[picked] = events[rng.permutation(picked)]
    return frame.with_columns(pl.Series("event", events, dtype=pl.String))


def ahead(frame: pl.DataFrame, _: pl.DataFrame, size: float, rng: Rng) -> pl.DataFrame:
    """A clock that is a year ahead, in rows of the last year."""
    return _set(frame, size, rng, timestamp=pl.col("timestamp") + YEAR)


def behind(frame: pl.DataFrame, _: pl.DataFrame, size: float, rng: Rng) -> pl.DataFrame:
    """A clock that is five years behind."""
    return _set(frame, size, rng, timestamp=pl.col("timestamp") - 5 * YEAR)


def other_zone(frame: pl.DataFrame, _: pl.DataFrame, size: float, rng: Rng) -> pl.DataFrame:
    """Times told in another time zone."""
    return _set(frame, size, rng, timestamp=pl.col("timestamp") - timedelta(hours=8))


def encoding(frame: pl.DataFrame, _: pl.DataFrame, size: float, rng: Rng) -> pl.DataFrame:
    """A letter of the title replaced by U+FFFD."""
    broken = pl.col("title").str.replace("[aeiou]", "\ufffd")
    return _set(frame, size, rng, title=broken)


def category(frame: pl.DataFrame, _: pl.DataFrame, size: float, rng: Rng) -> pl.DataFrame:
    """An event that there was never before."""
    return _set(frame, size, rng, event=pl.lit("review"))


def bot(frame: pl.DataFrame, _: pl.DataFrame, size: float, rng: Rng) -> pl.DataFrame:
    """One user more, who has the share ``size`` of all rows then."""
    rows = round(frame.height * size / max(1e-9, 1 - size))
    made = frame.sample(rows, with_replacement=True, seed=int(rng.integers(1 << 31)))
    values = pl.Series("value", rng.gamma(2.0, 9.0, rows).round(3))
    return pl.concat([frame, made.with_columns(pl.lit("bot").alias("user_id"), values)])


def unknown(frame: pl.DataFrame, _: pl.DataFrame, size: float, rng: Rng) -> pl.DataFrame:
    """Titles that no catalogue has."""
    return _set(frame, size, rng, title=pl.col("title") + " (legacy)")


def truncated(frame: pl.DataFrame, _: pl.DataFrame, size: float, __: Rng) -> pl.DataFrame:
    """The end of the file is missing, and its last line is torn."""
    whole = frame.head(frame.height - round(size * frame.height))
    torn = whole.tail(1).with_columns(pl.lit("pur").alias("event"))
    return pl.concat([whole.head(-1), torn])


ROWS = "share of rows"
FAULTS = (
    Fault("column swapped", ROWS, "steam", swapped),
    Fault("unit changed (hours to minutes)", ROWS, "steam", minutes),
    Fault("rows missing", "share missing", "steam", missing, LADDER[:-1]),
    Fault("duplicated upload", ROWS, "steam", again),
    Fault("nulls", ROWS, "steam", nulls),
    Fault("shuffled labels", ROWS, "steam", shuffled),
    Fault("clock a year ahead", ROWS, "reviews", ahead),
    Fault("clock five years behind", ROWS, "reviews", behind),
    Fault("another time zone", ROWS, "reviews", other_zone),
    Fault("encoding broken", ROWS, "steam", encoding),
    Fault("new category", ROWS, "steam", category),
    Fault("bot user", "share of all rows", "steam", bot, LADDER[:-1]),
    Fault("referential break", ROWS, "steam", unknown),
    Fault("truncated file", "share cut off", "steam", truncated, LADDER[:-1]),
)
