"""Rows that come as Python values, written as one Arrow file in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Any

import polars as pl

from flyball.errors import DataQualityError
from flyball.storage.files import storing

BATCH_ROWS = 50_000
"""Rows that are held in memory at once."""

_INT64 = range(-(2**63), 2**63)
_TIME, _TIME_UTC = pl.Datetime("us"), pl.Datetime("us", "UTC")
_PLAIN: Mapping[frozenset[type], pl.DataType] = {
    frozenset(): pl.Null(),
    frozenset({bool}): pl.Boolean(),
    frozenset({int}): pl.Int64(),
    frozenset({str}): pl.String(),
    frozenset({date}): pl.Date(),
}
_NUMERIC = {int, float, Decimal, bool}


def write_rows(
    names: Sequence[str], batches: Iterable[Sequence[Sequence[Any]]], target: Path, *, what: str
) -> int:
    """Write rows as one Arrow IPC file; returns how many there were.

    Each column gets the narrowest type that keeps all its values: Boolean, Int64, Float64, Date,
    Datetime (UTC where the values have a time zone), else String (lists and objects as JSON).

    Args:
        names: of the columns, all different.
        batches: some rows each; only one is held in memory.
        target: a new file; parts are written beside it, and removed.
        what: the source, as people may see it.

    Raises:
        DataQualityError: a column holds bytes; names it.
        StorageUnavailable: the disk is full.
    """
    parts: list[Path] = []
    rows = 0
    try:
        with storing(what):
            for number, batch in enumerate(batches):
                columns = zip(names, zip(*batch, strict=True), strict=True)
                frame = pl.DataFrame([_series(name, values, what) for name, values in columns])
                parts.append(target.with_name(f"{target.name}.{number}"))
                frame.write_ipc(parts[-1])
                rows += frame.height
            _join(names, parts, target)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
    return rows


def _join(names: Sequence[str], parts: Sequence[Path], target: Path) -> None:
    if not parts:
        pl.DataFrame(schema=dict.fromkeys(names, pl.String)).write_ipc(target)
        return
    schemas = [pl.read_ipc_schema(part) for part in parts]
    types = {name: reduce(_widest, (schema[name] for schema in schemas)) for name in names}
    if len(parts) == 1 and pl.Null() not in types.values():
        parts[0].replace(target)
        return
    frames = [
        pl.scan_ipc(part).select(_as(name, schema[name], types[name]) for name in names)
        for part, schema in zip(parts, schemas, strict=True)
    ]
    pl.concat(frames, how="vertical").sink_ipc(target)


def _widest(one: pl.DataType, other: pl.DataType) -> pl.DataType:
    """The type that keeps the values of both."""
    if other in (one, pl.Null):
        return one
    if one == pl.Null:
        return other
    if {one, other} <= {pl.Boolean(), pl.Int64(), pl.Float64()}:
        return pl.Float64() if pl.Float64() in (one, other) else pl.Int64()
    if {one, other} == {pl.Date(), _TIME}:
        return _TIME
    return pl.String()


def _as(name: str, found: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if wanted == pl.Null:
        return column.cast(pl.String)
    if found == wanted:
        return column
    return column.cast(wanted)


def _series(name: str, values: Sequence[Any], what: str) -> pl.Series:
    """A column in the narrowest type that keeps its values."""
    kinds = frozenset(map(type, values)) - {type(None)}
    if kinds & {bytes, bytearray, memoryview}:
        raise DataQualityError(
            f"{what}: the column {name!r} holds bytes, which no table of rows can keep; leave it "
            f"out of the SELECT, or turn it into text there, for example hex({name})"
        )
    dtype = _type(kinds, values)
    if dtype is not None:
        return pl.Series(name, values, dtype=dtype)
    spell = _spelling(kinds)
    texts = [None if value is None else spell(value) for value in values]
    return pl.Series(name, texts, dtype=pl.String)


def _type(kinds: frozenset[type], values: Sequence[Any]) -> pl.DataType | None:
    """The type that polars can take the values in as they are; None: only as text."""
    if kinds == {int} and not all(value is None or value in _INT64 for value in values):
        return None
    if kinds in _PLAIN:
        return _PLAIN[kinds]
    if kinds <= _NUMERIC:
        return pl.Float64()
    if kinds == {datetime}:
        zoned = {value.tzinfo is not None for value in values if value is not None}
        return None if len(zoned) > 1 else (_TIME_UTC if zoned.pop() else _TIME)
    return None


def _spelling(kinds: frozenset[type]) -> Callable[[Any], str]:
    """How values that only text can keep are written."""
    if kinds <= {dict, list}:
        return lambda value: json.dumps(value, ensure_ascii=False, default=str)
    if kinds <= {date, datetime, time}:
        return lambda value: str(value.isoformat())
    if kinds == {timedelta}:
        return lambda value: str(value.total_seconds())
    if len(kinds) == 1:
        return str
    return lambda value: _spelling(frozenset({type(value)}))(value)
