"""How a CSV file is laid out: its delimiter, its header, and where its rows begin."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass

from flyball.domain.schema import Schema
from flyball.errors import DataQualityError
from flyball.storage.reading.block import Fit
from flyball.storage.reading.exact import Lines
from flyball.storage.reading.fitting import fit_of, misfit, named

_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a CSV file is laid out.

    Attributes:
        delimiter: one character.
        width: how many fields a row should have.
        skip: how many bytes come before the first row.
        line: the first row's line, if no blank ones come before it.
        fit: its table; the blocks' columns are called ``"0"``, ``"1"``, ...
    """

    delimiter: str
    width: int
    skip: int
    line: int
    fit: Fit


@dataclass(frozen=True, slots=True)
class _First:
    """The first row: its fields, and where the next begins."""

    fields: list[str]
    end: int
    lines: int


def layout_of(head: bytes, schemas: Sequence[Schema], location: str) -> Layout:
    """The layout of a file that begins so, after its byte order mark.

    Raises:
        DataQualityError: no delimiter fits, or columns are missing.
    """
    text = head.decode(errors="ignore")  # its last character may be cut
    firsts = {delimiter: _first_row(text, delimiter) for delimiter in _DELIMITERS}
    for schema in schemas:
        for delimiter, first in firsts.items():
            if (fit := fit_of(first.fields, [schema])) is not None:
                return _with_header(delimiter, first, fit)
    for schema in schemas:
        for delimiter, first in firsts.items():
            fields = first.fields
            if len(fields) == len(schema.headerless) and not _looks_like_header(fields, schemas):
                return _bare(delimiter, len(fields), schema)
    widest = max((first.fields for first in firsts.values()), key=len)
    if len(widest) == 1 and all(len(schema.columns) > 1 for schema in schemas):
        raise DataQualityError(
            f"{location}: no comma, semicolon, tab or bar divides its first line "
            f"({widest[0][:60]!r}); save it as CSV with one of these delimiters"
        )
    raise misfit(widest, schemas, location)


def _with_header(delimiter: str, first: _First, fit: Fit) -> Layout:
    places = {name: str(first.fields.index(of)) for name, of in fit.columns.items()}
    return Layout(
        delimiter=delimiter,
        width=len(first.fields),
        skip=first.end,
        line=1 + first.lines,
        fit=Fit(schema=fit.schema, columns=places, ignored=fit.ignored),
    )


def _bare(delimiter: str, width: int, schema: Schema) -> Layout:
    places = {name: str(at) for at, name in enumerate(schema.headerless) if name}
    return Layout(
        delimiter=delimiter, width=width, skip=0, line=1, fit=Fit(schema=schema, columns=places)
    )


def _first_row(head: str, delimiter: str) -> _First:
    lines = Lines(head)
    rows = lines.rows(delimiter)
    try:
        for row in rows:
            if row and (len(row) > 1 or row[0].strip()):
                return _First(row, len(lines.taken.encode()), rows.line_num)
    except csv.Error:
        pass
    return _First([""], 0, 0)


def _looks_like_header(first: Sequence[str], schemas: Sequence[Schema]) -> bool:
    """A row that names a column and holds no number is a header, though perhaps a wrong one."""
    names_one = any(named(first, schema) for schema in schemas)
    return names_one and not any(_is_number(cell) for cell in first)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
