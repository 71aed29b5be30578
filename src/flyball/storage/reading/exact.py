"""CSV by Python's own parser: slow, and right where quotes stand in odd places."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flyball.errors import DataQualityError
from flyball.storage.reading.block import MAX_RECORD, Odd

if TYPE_CHECKING:
    import _csv


class Lines:
    """The lines of a text, each with its end (LF, CRLF or CR), and how much of it was taken.

    Attributes:
        empty: whether more lines were asked for than there are.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = io.StringIO(text, newline="")
        self._at = 0
        self.empty = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._lines.readline()
        if not line:
            self.empty = True
            raise StopIteration
        self._at += len(line)
        return line

    @property
    def at(self) -> int:
        """How many characters were taken."""
        return self._at

    @property
    def taken(self) -> str:
        """The text of the lines that were taken."""
        return self._text[: self._at]

    def rows(self, delimiter: str, *, strict: bool = False) -> _csv.Reader:
        """The rows, by ``csv``."""
        # its own limit for a cell, 128 KiB, is lower than ours for a whole record
        csv.field_size_limit(MAX_RECORD)
        return csv.reader(self, delimiter=delimiter, strict=strict)


@dataclass(slots=True)
class Exact:
    """The rows of a text.

    Attributes:
        rows, lines: of the right width, and the line each begins on.
        odd: the others.
        blank: how many held nothing but white space.
        taken: the text that the rows take; what follows is not a whole record.
    """

    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    odd: list[Odd] = field(default_factory=list)
    blank: int = 0
    taken: str = ""


def exactly(
    text: str, *, delimiter: str, width: int, line: int, last: bool, location: str
) -> Exact:
    """The whole records that a text begins with.

    Args:
        line: the number of its first line.
        last: nothing follows the text, so that an open quote is a mistake.

    Raises:
        DataQualityError: the quotes do not match; says on which line.
    """
    found, lines = Exact(), Lines(text)
    reader = lines.rows(delimiter, strict=True)
    started, begun = 0, 0
    try:
        for row in reader:
            _sort(row, text[begun : lines.at], line + started, width, found)
            started, begun = reader.line_num, lines.at
    except csv.Error as error:
        if last or not lines.empty:
            raise DataQualityError(
                f"{location}, line {line + started}: {error}; the quotes do not match. Write a "
                'quote inside a quoted cell twice (""), and close each cell that a quote opens'
            ) from None
    found.taken = text[:begun]
    return found


def _sort(row: list[str], raw: str, line: int, width: int, found: Exact) -> None:
    if not row:
        return
    if len(row) == width:
        found.rows.append(row)
        found.lines.append(line)
    elif not raw.strip():
        found.blank += 1
    else:
        found.odd.append(ragged(line, len(row), width, raw))


def ragged(line: int, fields: int, width: int, raw: str) -> Odd:
    """A record of the wrong width."""
    return Odd(line, "width", f"{fields} field{'s' * (fields != 1)} instead of {width}", raw)
