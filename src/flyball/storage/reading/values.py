"""Columns of a file, made to fit the types a schema declares."""

from __future__ import annotations

import json

import polars as pl

from flyball.domain.schema import Column, ColumnType
from flyball.errors import DataQualityError
from flyball.storage.reading.lists import lists_of, texts_of
from flyball.storage.reading.times import UTC_MICROSECONDS, epochs_of, instants_of, times_of

DTYPES: dict[ColumnType, pl.DataType] = {
    ColumnType.STRING: pl.String(),
    ColumnType.NUMBER: pl.Float64(),
    ColumnType.BOOLEAN: pl.Boolean(),
    ColumnType.TIMESTAMP: UTC_MICROSECONDS,
    ColumnType.STRINGS: pl.List(pl.String()),
}
WORDS = {
    ColumnType.STRING: "is not text",
    ColumnType.NUMBER: "is not a finite number",
    ColumnType.BOOLEAN: "is neither true nor false",
    ColumnType.TIMESTAMP: "is not a time (ISO 8601, or seconds since 1970)",
    ColumnType.STRINGS: "is not a list of texts",
}
_YES, _NO = ("true", "1", "yes"), ("false", "0", "no")


def cell_of(series: pl.Series, column: Column, *, only_spaces: bool) -> pl.Series:
    """A file's column as it is compared and shown; null where a cell holds nothing.

    Text loses the white space around it; NaN is nothing.

    Raises:
        DataQualityError: its type can never become the schema's.
    """
    dtype, cell = series.dtype, pl.col(series.name)
    if isinstance(dtype, pl.List | pl.Array) and column.type is ColumnType.STRINGS:
        return texts_of(series)
    if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
        raise DataQualityError(
            f"column {series.name!r} holds {dtype} where {column.name} "
            f"must be a {column.type}; flatten it to one plain value per row"
        )
    if dtype in (pl.Categorical, pl.Enum):
        series = series.cast(pl.String)
    if series.dtype == pl.String:
        return _stripped(series, only_spaces=only_spaces)
    if dtype.is_float():
        return series.to_frame().select(cell.fill_nan(None)).to_series()
    return series


def value_of(cell: pl.Series, column: Column) -> pl.Series:
    """Cells as values of the schema's type; null where there is none or it cannot be read."""
    if column.spellings and cell.dtype == pl.String:
        cell = _respelt(cell, column)
    match column.type:
        case ColumnType.STRING:
            return as_text(cell)
        case ColumnType.NUMBER:
            return _numbers(cell)
        case ColumnType.BOOLEAN:
            return cell if cell.dtype == pl.Boolean else _truths(as_text(cell))
        case ColumnType.TIMESTAMP:
            return _instants(cell)
        case ColumnType.STRINGS:
            return cell if cell.dtype == pl.List(pl.String) else lists_of(as_text(cell))


def as_text(cell: pl.Series) -> pl.Series:
    """Cells as text. Whole numbers in a column with gaps arrive as 12.0: the id they mean is 12."""
    if cell.dtype == pl.String:
        return cell
    if isinstance(cell.dtype, pl.List):
        return pl.Series(
            cell.name,
            [
                None if item is None else json.dumps(item, ensure_ascii=False)
                for item in cell.to_list()
            ],
            dtype=pl.String,
        )
    if cell.dtype.is_float():
        column = pl.col(cell.name)
        nearest = column.round().cast(pl.Int64, strict=False)
        whole = pl.when(column == nearest).then(nearest.cast(pl.String))
        return cell.to_frame().select(whole.otherwise(column.cast(pl.String))).to_series()
    if isinstance(cell.dtype, pl.Duration):
        return cell.dt.to_string("iso")
    return cell.cast(pl.String)


def _stripped(series: pl.Series, *, only_spaces: bool) -> pl.Series:
    """Looking is quicker than making a column anew, and most need nothing."""
    padded = not only_spaces or (series.str.starts_with(" ") | series.str.ends_with(" ")).any()
    stripped = series.str.strip_chars() if padded else series
    empty = stripped.str.len_bytes() == 0
    return stripped.set(empty, None) if empty.any() else stripped


def _respelt(cell: pl.Series, column: Column) -> pl.Series:
    folded = pl.col(cell.name).str.to_lowercase()
    other = folded.replace_strict(
        {text.lower(): meant for text, meant in column.spellings.items()},
        default=None,
        return_dtype=pl.String,
    )
    return cell.to_frame().select(pl.coalesce(other, cell.name).alias(cell.name)).to_series()


def _numbers(cell: pl.Series) -> pl.Series:
    if cell.dtype.is_temporal():
        raise DataQualityError(
            f"column {cell.name!r} holds {cell.dtype} where a number must be; "
            "write it as a plain number"
        )
    number = cell.cast(pl.Float64, strict=False)
    odd = number.is_infinite() | number.is_nan()
    return number.set(odd, None) if odd.any() else number


def _truths(cell: pl.Series) -> pl.Series:
    folded = pl.col(cell.name).str.to_lowercase()
    truth = pl.when(folded.is_in(_YES)).then(True).when(folded.is_in(_NO)).then(False)
    return cell.to_frame().select(truth.alias(cell.name)).to_series()


def _instants(cell: pl.Series) -> pl.Series:
    if isinstance(cell.dtype, pl.Datetime | pl.Date):
        return instants_of(cell)
    if cell.dtype == pl.String:
        return times_of(cell)
    if cell.dtype.is_temporal():
        return times_of(as_text(cell))
    return epochs_of(cell)
