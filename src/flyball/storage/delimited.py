"""CSV in its dialects: the delimiter and the header are found, and every odd line is named."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import polars as pl

from flyball.domain.schema import Schema
from flyball.errors import DataQualityError

if TYPE_CHECKING:
    import _csv

_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True)
class Delimited:
    """A CSV file, read as text.

    Attributes:
        frame: one String column for each of the file's, named ``"0"``, ``"1"``, ...
        columns: by canonical name, the frame's column that holds it.
        header: whether the first line is one.
        ragged: (line number, fields found) of rows with too few or too many fields; left out.
        width: how many fields a row should have.
        lines: the line number of each row, where rows and lines do not simply go together.
    """

    frame: pl.DataFrame
    columns: Mapping[str, str]
    header: bool
    width: int
    ragged: Sequence[tuple[int, int]] = ()
    lines: Sequence[int] | None = field(default=None, repr=False)


def read_delimited(text: str, schema: Schema, location: str) -> Delimited:
    """Read CSV text.

    Raises:
        DataQualityError: no delimiter fits, columns are missing, header only, unbalanced quotes.
    """
    delimiter, first, columns, header = _layout(text, schema, location)
    width = len(first)
    frame = _fast(text, delimiter, width, header)
    if frame is not None:
        if not frame.height:
            raise _header_only(location)
        return Delimited(frame=frame, columns=columns, header=header, width=width)
    rows, lines, ragged = _rows(text, delimiter, width, header, location)
    if not rows and not ragged:
        raise _header_only(location)
    names = [str(index) for index in range(width)]
    exact = pl.DataFrame(rows, orient="row", schema=dict.fromkeys(names, pl.String))
    return Delimited(
        frame=exact, columns=columns, header=header, width=width, ragged=ragged, lines=lines
    )


def line_numbers(table: Delimited, wanted: Sequence[int]) -> list[int]:
    """The line on which each of these rows (from 0) ends."""
    if table.lines is not None:
        return [table.lines[row] for row in wanted]
    return [row + 1 + table.header + _newlines_inside(table.frame, row) for row in wanted]


def _newlines_inside(frame: pl.DataFrame, row: int) -> int:
    before = frame.head(row + 1)
    return sum(int(column.str.count_matches("\n", literal=True).sum() or 0) for column in before)


def named(names: Sequence[str], schema: Schema) -> dict[str, str]:
    """By canonical name, the file's column that holds it.

    Where several of the file's columns could be one of the schema's, its canonical name wins, then
    the alias that the schema lists first.
    """
    found: dict[str, tuple[int, str]] = {}
    for name in names:
        column = schema.column(name)
        if column is None:
            continue
        spellings = [column.name, *(alias.casefold() for alias in column.aliases)]
        rank = spellings.index(name.strip().casefold())
        if column.name not in found or rank < found[column.name][0]:
            found[column.name] = (rank, name)
    return {canonical: name for canonical, (_, name) in found.items()}


def misfit(names: Sequence[str], schema: Schema, location: str) -> DataQualityError:
    """The error for a file whose columns do not fit: what it has, what is needed, what to do."""
    missing = schema.missing(named(names, schema))
    wanted = []
    for column in schema.columns:
        if column.name in missing:
            also = f" (or {', '.join(column.aliases)})" if column.aliases else ""
            wanted.append(f"{column.name}{also}")
    bare = f", or {len(schema.headerless)} columns without a header" if schema.headerless else ""
    return DataQualityError(
        f"{location} does not fit: it has the columns {_shown(names)}, and lacks "
        f"{'; '.join(wanted)}. Rename its columns accordingly{bare}"
    )


def _layout(
    text: str, schema: Schema, location: str
) -> tuple[str, list[str], dict[str, str], bool]:
    """Delimiter, fields of the first row, columns by canonical name, and whether it is a header."""
    firsts = {delimiter: _first_row(text, delimiter) for delimiter in _DELIMITERS}
    for delimiter, first in firsts.items():
        found = named(first, schema)
        if not schema.missing(found):
            return (
                delimiter,
                first,
                {name: str(first.index(of)) for name, of in found.items()},
                True,
            )
    for delimiter, first in firsts.items():
        if len(first) == len(schema.headerless) and not _looks_like_header(first, schema):
            places = {name: str(at) for at, name in enumerate(schema.headerless) if name}
            return delimiter, first, places, False
    widest = max(firsts.values(), key=len)
    if len(widest) == 1 and len(schema.columns) > 1:
        raise DataQualityError(
            f"{location}: no comma, semicolon, tab or bar divides its first line "
            f"({widest[0][:60]!r}); save it as CSV with one of these delimiters"
        )
    raise misfit(widest, schema, location)


def _first_row(text: str, delimiter: str) -> list[str]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return next((row for row in rows if row), [""])
    except csv.Error:
        return [""]


def _looks_like_header(first: Sequence[str], schema: Schema) -> bool:
    """A row that names a column and holds no number is a header, though perhaps a wrong one."""
    return bool(named(first, schema)) and not any(_is_number(cell) for cell in first)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _fast(text: str, delimiter: str, width: int, header: bool) -> pl.DataFrame | None:
    """All rows by polars, or None where it might have mended a row of the wrong width.

    Polars fills a short row up silently, but then the last column has a gap; it refuses a long one.
    """
    names = {str(index): pl.String() for index in range(width)}
    try:
        frame = pl.read_csv(
            text.encode(),
            has_header=header,
            separator=delimiter,
            schema=names,
            infer_schema=False,
            empty_string_is_null=False,
        )
    except (pl.exceptions.PolarsError, ValueError):
        return None
    gaps = frame[:, -1].is_null() | (frame[:, -1] == "")
    return None if gaps.any() else frame


def _rows(
    text: str, delimiter: str, width: int, header: bool, location: str
) -> tuple[list[list[str]], list[int], list[tuple[int, int]]]:
    """Rows of the right width, the line each ends on, and (line, fields) of the others."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, lines, ragged = [], [], []
    for row in islice(_checked(reader, location), int(header), None):
        if len(row) == width:
            rows.append(row)
            lines.append(reader.line_num)
        else:
            ragged.append((reader.line_num, len(row)))
    return rows, lines, ragged


def _checked(reader: _csv.Reader, location: str) -> Iterator[list[str]]:
    started = 1
    try:
        for row in reader:
            if row:
                yield row
            started = reader.line_num + 1
    except csv.Error as error:
        raise DataQualityError(
            f"{location}, line {started}: {error}; the quotes do not match. Write a quote inside "
            'a quoted cell twice (""), and close each cell that a quote opens'
        ) from None


def _header_only(location: str) -> DataQualityError:
    return DataQualityError(
        f"{location} has a header and no rows below it; fetch or export the rows as well"
    )


def _shown(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:40]) for name in names[:12])
    return f"{shown}, and {len(names) - 12} more" if len(names) > 12 else shown
