"""Columns of text, numbers or times, made to fit the types a schema declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from flyball.domain.schema import Column, ColumnType, Schema
from flyball.errors import DataQualityError

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
_WORDS = {
    ColumnType.NUMBER: "is not a finite number",
    ColumnType.TIMESTAMP: "is not a time (ISO 8601, or seconds since 1970)",
    ColumnType.STRING: "is not text",
}


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row that was left out: its place in the frame, why, and the cell in words."""

    row: int
    reason: str
    words: str


def fitted(
    frame: pl.DataFrame, schema: Schema, columns: Mapping[str, str]
) -> tuple[pl.DataFrame, list[Unreadable]]:
    """Canonical columns and types; rows with a cell that cannot be read are left out.

    Args:
        columns: by canonical name, the frame's column that holds it.

    Returns:
        the readable rows, and one ``Unreadable`` for each of the others (its first bad column).
    """
    wanted = [column for column in schema.columns if column.name in columns]
    read = pl.DataFrame(
        {column.name: _cast(frame[columns[column.name]], column) for column in wanted}
    )
    present = {column.name: _present(frame[columns[column.name]]) for column in wanted}
    left_out: dict[int, Unreadable] = {}
    for column in wanted:
        bad = read[column.name].is_null() & present[column.name]
        source = frame[columns[column.name]]
        if source.dtype.is_temporal() and bad.any():
            source = source.cast(pl.String)  # Python has no object for the year 30,000
        for row in bad.arg_true().to_list():
            words = f"{column.name} {str(source[row])[:60]!r} {_WORDS[column.type]}"
            left_out.setdefault(row, Unreadable(row, f"{column.type}:{column.name}", words))
    if not left_out:
        return read, []
    keep = pl.Series(range(read.height)).is_in(list(left_out)).not_()
    return read.filter(keep), [left_out[row] for row in sorted(left_out)]


def _present(series: pl.Series) -> pl.Series:
    """Where a cell holds something: text that is not only spaces, a number that is not NaN."""
    if series.dtype == pl.String:
        return series.str.strip_chars().str.len_bytes().fill_null(0) > 0
    if series.dtype.is_float():
        return series.is_not_nan().fill_null(False)
    return series.is_not_null()


def _cast(series: pl.Series, column: Column) -> pl.Series:
    if series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Object):
        raise DataQualityError(
            f"column {series.name!r} holds {series.dtype} where {column.name} "
            f"must be a {column.type}; flatten it to one plain value per row"
        )
    expression = {
        ColumnType.STRING: _as_string,
        ColumnType.NUMBER: _as_number,
        ColumnType.TIMESTAMP: _as_timestamp,
    }[column.type](series)
    return series.to_frame().select(expression.alias(column.name)).to_series()


def _as_string(series: pl.Series) -> pl.Expr:
    cell = pl.col(series.name)
    if series.dtype.is_float():
        # Whole numbers in a column with gaps arrive as 12.0: the id they mean is 12.
        nearest = cell.round().cast(pl.Int64, strict=False)
        whole = pl.when(cell == nearest).then(nearest.cast(pl.String))
        return whole.otherwise(cell.fill_nan(None).cast(pl.String))
    text = cell.cast(pl.String).str.strip_chars()
    return pl.when(text.str.len_bytes() > 0).then(text)


def _as_number(series: pl.Series) -> pl.Expr:
    text = pl.col(series.name)
    if series.dtype == pl.String:
        text = text.str.strip_chars()
    number = text.cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number)


def _as_timestamp(series: pl.Series) -> pl.Expr:
    cell = pl.col(series.name)
    if isinstance(series.dtype, pl.Datetime):
        dated = _dated(cell)
        zoned = dated.dt.convert_time_zone if series.dtype.time_zone else dated.dt.replace_time_zone
        return zoned("UTC").cast(UTC_MICROSECONDS)
    if series.dtype == pl.Date:
        return _dated(cell.cast(pl.Datetime("us"))).dt.replace_time_zone("UTC")
    if series.dtype != pl.String:
        return _from_epoch(cell.cast(pl.Float64, strict=False))
    text = cell.str.strip_chars()
    epoch = _from_epoch(text.cast(pl.Float64, strict=False))
    iso = text.str.replace(r"^(\d{4}-\d{2}-\d{2}) ", "${1}T").str.replace("[Zz]$", "+00:00")
    spelt = pl.coalesce(epoch, *(_from_iso(iso, spelling) for spelling in _ISO_FORMATS))
    return _dated(spelt)


def _dated(time: pl.Expr) -> pl.Expr:
    """The times of the years 1 to 9999, which Python and ISO 8601 can write; others are null."""
    seconds = time.dt.epoch("s")
    return pl.when((seconds >= _YEAR_1) & (seconds < _YEAR_10000)).then(time)


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
