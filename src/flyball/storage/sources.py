"""Where data comes from: CSV, JSONL or Parquet files, plain or packed with gzip or zstd.

What a file is, its first bytes say; its name is never needed.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import polars as pl

from flyball.domain.schema import Schema
from flyball.errors import DataQualityError
from flyball.ports import Table
from flyball.storage.cells import Unreadable, fitted
from flyball.storage.delimited import line_numbers, misfit, named, read_delimited
from flyball.storage.opening import PARQUET, raw_bytes, text_of, unpacked

_EXAMPLES = 3


class FileSources:
    """The port ``Sources`` on the files of this machine. Keeps no state."""

    def read(self, location: str, schema: Schema) -> Table:
        """Read one file and make it fit a schema.

        Returns:
            canonical columns in the schema's order and types: text without spaces around it,
            numbers as 64-bit floats, times in UTC. A column that need not be there and is not, is
            absent. Rows with a cell that cannot be read are left out and counted by reason.

        Raises:
            DataQualityError: the file as a whole cannot be used; says what is wrong, where, and
                what to do.
            NotFound: no such file.
            EnvironmentFailed: it may not be read.
        """
        content = unpacked(raw_bytes(location), location)
        if content.startswith(PARQUET):
            return _parquet(content, schema, location)
        text = text_of(content, location)
        start = text.lstrip()[:1]
        if not start:
            raise DataQualityError(f"{location} holds only blank lines; export it again")
        if start == "[":
            raise DataQualityError(
                f"{location} is one JSON array; write one object per line (JSONL), for example "
                "with `jq -c '.[]'`"
            )
        return (_jsonl if start == "{" else _csv)(text, schema, location)


def _csv(text: str, schema: Schema, location: str) -> Table:
    table = read_delimited(text, schema, location)
    frame, left_out = fitted(table.frame, schema, table.columns)
    unreadable = _counted(
        left_out, lambda rows: [f"line {line}" for line in line_numbers(table, rows)]
    )
    if table.ragged:
        words = [
            f"line {line}: {fields} field{'s' * (fields != 1)} instead of {table.width}"
            for line, fields in table.ragged[:_EXAMPLES]
        ]
        unreadable["width"] = (len(table.ragged), tuple(words))
    return Table(frame=frame, unreadable=unreadable)


def _jsonl(text: str, schema: Schema, location: str) -> Table:
    objects, lines, broken = _objects(text)
    names = list(dict.fromkeys(name for item in objects for name in item))
    columns = named(names, schema)
    if not objects:
        raise DataQualityError(f"{location} is not JSONL: {broken[0]}; write one object per line")
    if schema.missing(columns):
        raise misfit(names, schema, location)
    frame = pl.DataFrame(
        {name: [_plain(item.get(of)) for item in objects] for name, of in columns.items()},
        schema=dict.fromkeys(columns, pl.String),
    )
    read, left_out = fitted(frame, schema, {name: name for name in columns})
    unreadable = _counted(left_out, lambda rows: [f"line {lines[row]}" for row in rows])
    if broken:
        unreadable["json"] = (len(broken), tuple(broken[:_EXAMPLES]))
    return Table(frame=read, unreadable=unreadable)


def _objects(text: str) -> tuple[list[dict[str, Any]], list[int], list[str]]:
    """The objects, the line of each, and what is wrong with the other lines, in words."""
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    objects, lines, broken = [], [], []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            objects.append(decode(line))
            lines.append(number)
        except msgspec.MsgspecError as error:
            broken.append(f"line {number}: {str(error)[:80]}")
    return objects, lines, broken


def _plain(value: Any) -> str | None:
    """A JSON value as text. Lists and objects keep their JSON, which fits no number or time."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return msgspec.json.encode(value).decode()


def _parquet(content: bytes, schema: Schema, location: str) -> Table:
    if not content.endswith(PARQUET):
        raise DataQualityError(f"{location}: the Parquet data is cut short; fetch it again")
    try:
        source = io.BytesIO(content)
        names = list(pl.read_parquet_schema(source))
        columns = named(names, schema)
        if schema.missing(columns):
            raise misfit(names, schema, location)
        source.seek(0)
        frame = pl.read_parquet(source, columns=sorted(set(columns.values())))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise DataQualityError(
            f"{location}: the Parquet data is damaged ({str(error).splitlines()[0]}); "
            "fetch or export it again"
        ) from None
    if not frame.height:
        raise DataQualityError(f"{location} has columns and no rows; export the rows as well")
    try:
        read, left_out = fitted(frame, schema, columns)
    except DataQualityError as error:
        raise DataQualityError(f"{location}: {error}") from None
    return Table(
        frame=read,
        unreadable=_counted(left_out, lambda rows: [f"row {row + 1}" for row in rows]),
    )


def _counted(
    left_out: Sequence[Unreadable], places: Callable[[Sequence[int]], Sequence[str]]
) -> dict[str, tuple[int, tuple[str, ...]]]:
    """By reason, how many rows were left out, with the first few in words."""
    by_reason: Mapping[str, list[Unreadable]] = defaultdict(list)
    for item in left_out:
        by_reason[item.reason].append(item)
    counted = {}
    for reason, items in by_reason.items():
        first = items[:_EXAMPLES]
        where = places([item.row for item in first])
        words = tuple(f"{at}: {item.words}" for at, item in zip(where, first, strict=True))
        counted[reason] = (len(items), words)
    return counted
