"""Parquet's pages: their headers are checked before polars believes them.

Polars makes room for as many values as a page's header claims. A damaged or hostile header makes it
ask for more memory than there is, which ends the process. (Parquet format, "Data Pages" and
parquet.thrift: FileMetaData, RowGroup, ColumnMetaData, PageHeader.)
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import BinaryIO, TypeGuard

from flyball.storage.reading.packed import BOMB_FLOOR, BOMB_RATIO
from flyball.storage.reading.thrift import Compact, Value

Fields = Mapping[int, Value]

_TAIL = 8  # the footer's length, and "PAR1"
_SCHEMA, _GROUPS = 2, 4  # fields of the file's metadata
_NAME, _CHILDREN = 4, 5  # fields of an element of the schema
_COLUMNS, _ROWS = 1, 3  # fields of a row group
_COLUMN = 3  # field of a column chunk: its metadata, of the fields below
_VALUES, _PACKED, _FIRST, _DICTIONARY = 5, 7, 9, 11
_UNPACKED_SIZE, _PACKED_SIZE = 2, 3  # fields of a page's header; those below are headers in it
_DATA, _DICTIONARY_PAGE, _DATA_2 = 5, 7, 8
_COUNT, _ENCODING, _ENCODING_2 = 1, 2, 4  # fields of these three; the last of the last alone
_COUNTS_2, _LEVELS_2 = (2, 3), (5, 6)  # of the last: nulls and rows, bytes of levels
_HEADER = 1 << 12
"""A page's header is looked for in so many bytes, and, where it is longer, in many more."""

_FREE_VALUES = 1 << 24
"""So many values of a row group may come without a bit of their own, as repeats of another."""


TRUSTED = frozenset({0, 2, 3, 4, 8, 9})
"""The encodings whose data names no size but those checked here: plain, by dictionary, by runs, by
split bytes. The others (all named "delta") have sizes in the data itself."""


def check_pages(path: Path, columns: Collection[str]) -> set[int]:
    """Check every page of some columns of a Parquet file, without reading its values.

    Args:
        path: a file that begins and ends as a Parquet file does.
        columns: the names of those that will be read.

    Returns:
        The encodings of the pages' values, as parquet.thrift numbers them.

    Raises:
        EOFError: it is cut short.
        ValueError: it is damaged, or made to fill the memory.
    """
    size = path.stat().st_size
    encodings: set[int] = set()
    with path.open("rb") as file:
        footer = _footer(file, size)
        wanted = [name in columns for name in _leaves(footer)]
        for group in _tables(footer, _GROUPS):
            encodings |= _check_group(file, group, wanted, size)
    return encodings


def _footer(file: BinaryIO, size: int) -> Fields:
    file.seek(size - _TAIL)
    length = struct.unpack("<I", file.read(4))[0]
    if length > size - _TAIL:
        raise ValueError("its footer is longer than itself")
    file.seek(size - _TAIL - length)
    try:
        return Compact(file.read(length)).fields()
    except IndexError:
        raise ValueError("its footer is cut short") from None


def _check_group(file: BinaryIO, group: Fields, wanted: Sequence[bool], size: int) -> set[int]:
    rows, packed, unpacked = _number(group, _ROWS), 0, 0
    claims, encodings = [rows], set[int]()
    chunks = _tables(group, _COLUMNS)
    if len(chunks) != len(wanted):
        raise ValueError("a row group has other columns than the file")
    for chunk in compress(chunks, wanted):
        column = _table(chunk, _COLUMN)
        if rows > _number(column, _VALUES):
            raise ValueError("a column has fewer values than rows")
        claims.append(_number(column, _VALUES))
        packed += _number(column, _PACKED)
        for bytes_, encoding in _pages(file, column, size):
            unpacked += bytes_
            encodings.add(encoding)
    if unpacked > max(BOMB_FLOOR, BOMB_RATIO * packed):
        raise ValueError(f"a row group grows over {BOMB_RATIO} times when unpacked")
    if max(claims) > 8 * unpacked + _FREE_VALUES:
        raise ValueError(f"{max(claims):,} values in {unpacked:,} bytes")
    return encodings


def _pages(file: BinaryIO, column: Fields, size: int) -> Iterator[tuple[int, int]]:
    """The size of each page when unpacked, and its encoding: as many as hold the values."""
    at = _number(column, _DICTIONARY if _DICTIONARY in column else _FIRST)
    end = at + _number(column, _PACKED)
    left = _number(column, _VALUES)
    if end > size - _TAIL:
        raise EOFError
    while left and at < end:
        header, begin = _header(file, at, end)
        at = begin + _number(header, _PACKED_SIZE)
        if at > end:
            raise ValueError("a page lies outside its column")
        left -= _values(header)
        if left < 0:
            raise ValueError("a column's pages have more values than the column")
        yield _number(header, _UNPACKED_SIZE), _encoding(header)


def _header(file: BinaryIO, at: int, end: int) -> tuple[Fields, int]:
    """The header of the page that begins at a place, and where its data begins."""
    for longest in (_HEADER, end - at):
        file.seek(at)
        reader = Compact(file.read(min(longest, end - at)))
        try:
            return reader.fields(), at + reader.at
        except IndexError:
            continue
    raise ValueError("a page's header is cut short")


def _values(header: Fields) -> int:
    """How many of its column's values a page has."""
    if _DICTIONARY_PAGE in header:
        entries = _number(_table(header, _DICTIONARY_PAGE), _COUNT)
        if entries > 8 * _number(header, _UNPACKED_SIZE):
            raise ValueError(f"a dictionary of {entries:,} entries without a bit for each")
    if _DATA_2 in header:
        page = _table(header, _DATA_2)
        count = _number(page, _COUNT)
        if any(_number(page, part) > count for part in _COUNTS_2):
            raise ValueError("a page has fewer values than nulls or rows")
        if sum(_number(page, part) for part in _LEVELS_2) > _number(header, _PACKED_SIZE):
            raise ValueError("a page's levels are longer than itself")
        return count
    return _number(_table(header, _DATA), _COUNT) if _DATA in header else 0


def _encoding(header: Fields) -> int:
    if _DATA_2 in header:
        return _number(_table(header, _DATA_2), _ENCODING_2)
    page = _DATA if _DATA in header else _DICTIONARY_PAGE
    return _number(_table(header, page), _ENCODING) if page in header else 0


def _leaves(footer: Fields) -> list[str]:
    """For each column of values, the column of the table that it belongs to: a list has its own."""
    found, column, below = list[str](), "", 0
    for element in _tables(footer, _SCHEMA)[1:]:  # the first is the table itself
        if not below:
            name = element.get(_NAME)
            column = name.decode(errors="replace") if isinstance(name, bytes) else ""
        children = _number(element, _CHILDREN)
        below = max(0, below - 1) + children
        if not children:
            found.append(column)
    return found


def _number(fields: Fields, field: int) -> int:
    found = fields.get(field, 0)
    if not isinstance(found, int) or found < 0:
        raise ValueError("its metadata has less than nothing of something")
    return found


def _table(fields: Fields, field: int) -> Fields:
    found = fields.get(field)
    if not _is_table(found):
        raise ValueError("its metadata lacks a part")
    return found


def _tables(fields: Fields, field: int) -> list[Fields]:
    found = fields.get(field, [])
    if not isinstance(found, list):
        raise ValueError("its metadata has one of what should be many")
    tables = [item for item in found if _is_table(item)]
    if len(tables) < len(found):
        raise ValueError("its metadata has numbers where parts should be")
    return tables


def _is_table(value: Value | None) -> TypeGuard[Fields]:
    return isinstance(value, Mapping)
