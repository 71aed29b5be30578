"""Times written as text or counted in seconds, to UTC with microseconds."""

from __future__ import annotations

import re

import polars as pl

UTC_MICROSECONDS = pl.Datetime("us", "UTC")
_YEAR_1, _YEAR_10000 = -62_135_596_800, 253_402_300_800
"""Seconds since 1970. Times outside are no dates of the calendar (most likely, milliseconds)."""

_ISO_FORMATS = (
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M%#z",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d",
)
_PLAIN = re.compile(r"\d{4}-\d{2}-\d{2}(?:([T ])\d{2}:\d{2}(:\d{2}(Z|\+00:00)?)?)?", re.ASCII)
"""Spellings for which polars has a quick parser: no fraction, and no zone or UTC."""


def times_of(text: pl.Series) -> pl.Series:
    """Text without white space around it, as times; null where it is none.

    ISO 8601, or seconds since 1970; without a zone it is UTC. Most files spell all their times
    alike, so the first one's spelling is tried on all of them, and the rest is looked at closely.
    """
    first = text.drop_nulls().head(1).to_list()
    spelling = _plain_spelling(first[0]) if first else None
    if spelling is None:
        return _closely(text)
    alike = pl.col(text.name).str.len_bytes() == len(first[0])
    quick = text.to_frame().select(pl.when(alike).then(_spelt(pl.col(text.name), spelling)))
    read = _in_calendar(quick.to_series())
    rest = read.is_null() & text.is_not_null()
    if not rest.any():
        return read
    return read.scatter(rest.arg_true(), _closely(text.filter(rest)))


def instants_of(times: pl.Series) -> pl.Series:
    """Times or dates of a typed file, in UTC; null where no calendar has them."""
    cell = pl.col(times.name)
    if isinstance(times.dtype, pl.Datetime):
        dated = _dated(cell)
        zoned = dated.dt.convert_time_zone if times.dtype.time_zone else dated.dt.replace_time_zone
        utc = zoned("UTC").cast(UTC_MICROSECONDS)
    else:
        utc = _dated(cell.cast(pl.Datetime("us"))).dt.replace_time_zone("UTC")
    return times.to_frame().select(utc).to_series()


def epochs_of(seconds: pl.Series) -> pl.Series:
    """Seconds since 1970, as times; null where no calendar has them."""
    number = pl.col(seconds.name).cast(pl.Float64, strict=False)
    return seconds.to_frame().select(_from_epoch(number)).to_series()


def _plain_spelling(text: str) -> str | None:
    found = _PLAIN.fullmatch(text)
    if not found:
        return None
    between, clock, zone = found.groups()
    if between is None:
        return "%Y-%m-%d"
    return f"%Y-%m-%d{between}%H:%M{':%S' if clock else ''}{zone or ''}"


def _spelt(cell: pl.Expr, spelling: str) -> pl.Expr:
    if spelling == "%Y-%m-%d":
        parsed = cell.str.to_date(spelling, strict=False, cache=False).cast(pl.Datetime("us"))
    else:
        # polars reads such spellings faster than it finds them in a cache
        parsed = cell.str.to_datetime(spelling, time_unit="us", strict=False, cache=False)
    return parsed.dt.replace_time_zone("UTC")


def _closely(text: pl.Series) -> pl.Series:
    cell = pl.col(text.name)
    epoch = _from_epoch(cell.cast(pl.Float64, strict=False))
    iso = cell.str.replace(r"^(\d{4}-\d{2}-\d{2}) ", "${1}T").str.replace("[Zz]$", "+00:00")
    spelt = pl.coalesce(epoch, *(_from_iso(iso, spelling) for spelling in _ISO_FORMATS))
    return text.to_frame().select(_dated(spelt).alias(text.name)).to_series()


def _dated(time: pl.Expr) -> pl.Expr:
    """The times of the years 1 to 9999, which Python and ISO 8601 can write; others are null."""
    seconds = time.dt.epoch("s")
    return pl.when((seconds >= _YEAR_1) & (seconds < _YEAR_10000)).then(time)


def _in_calendar(times: pl.Series) -> pl.Series:
    """As ``_dated``; a column is made anew only where it has a time outside."""
    seconds = times.dt.epoch("s")
    outside = (seconds < _YEAR_1) | (seconds >= _YEAR_10000)
    if not outside.any():
        return times
    return times.to_frame().select(_dated(pl.col(times.name))).to_series()


def _from_iso(text: pl.Expr, spelling: str) -> pl.Expr:
    if spelling.endswith("z"):
        return text.str.to_datetime(spelling, time_unit="us", strict=False, time_zone="UTC")
    if spelling.endswith("d"):
        day = text.str.to_date(spelling, strict=False)
        return day.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    parsed = text.str.to_datetime(spelling, time_unit="us", strict=False)
    return parsed.dt.replace_time_zone("UTC")


def _from_epoch(seconds: pl.Expr) -> pl.Expr:
    inside = pl.when((seconds >= _YEAR_1) & (seconds < _YEAR_10000)).then(seconds)
    whole = inside.floor()
    micros = whole.cast(pl.Int64) * 1_000_000 + ((inside - whole) * 1e6).round().cast(pl.Int64)
    return micros.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
