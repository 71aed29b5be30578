"""CSV in its dialects, block by block; every odd line is named.

A block is cut where a record ends, and polars parses it. Where that may not be exact, the ways are
slower: records of the wrong width are found by counting delimiters and cut out; text whose quotes
stand in odd places is read by Python's ``csv``. Each way gives the same rows and lines, so that
nobody sees where the blocks were cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from flyball.errors import DataQualityError
from flyball.storage.reading.block import BLOCK_BYTES, MAX_RECORD, Block, numbered
from flyball.storage.reading.exact import exactly, ragged
from flyball.storage.reading.layout import Layout
from flyball.storage.reading.packed import Stream
from flyball.storage.reading.quotes import Places, Quotes
from flyball.storage.reading.text import check_text

_BOM = b"\xef\xbb\xbf"
_SPACES = (b"\t", b"\v", b"\f")
"""ASCII's white space that may stand around a cell, but the plain space."""


_WINDOW = 1 << 16
"""How much text with odd quotes is read exactly at first, in bytes."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """Records, and how many bytes and lines they take."""

    size: int
    lines: int
    block: Block


class Delimited:
    """A CSV file whose layout is known, from its first row on. Implements ``Records``.

    Args:
        offset: how many bytes of the file were read, for messages.
        size: how many bytes to take at a time.
    """

    def __init__(
        self,
        stream: Stream,
        layout: Layout,
        location: str,
        *,
        offset: int = 0,
        size: int = BLOCK_BYTES,
    ) -> None:
        self.fit = layout.fit
        self._stream = stream
        self._layout = layout
        self._location = location
        self._offset = offset
        self._line = layout.line
        self._size = size
        self._window = _WINDOW

    def blocks(self) -> Iterator[Block]:
        """See ``Records.blocks``."""
        text, last, more = b"", False, True
        while True:
            if more and not last:
                data = self._stream.read(self._size)
                last = not data
                text = text + data if data else _ended(text)
            if not text:
                return
            taken = self._first_records(text, last=last)
            if taken is None and len(text) > MAX_RECORD:
                raise self._too_long()
            if taken is not None:
                yield taken.block
                self._line += taken.lines
                self._offset += taken.size
                text = text[taken.size :]
            more = taken is None or len(text) < self._size

    def _first_records(self, text: bytes, *, last: bool) -> _Taken | None:
        """The whole records at the start; None where there is none."""
        quotes = Quotes(text, self._layout.delimiter) if b'"' in text else None
        cut = _cut(text, quotes, last=last)
        odd = None if quotes is None else quotes.irregular(cut or len(text))
        if quotes is not None and odd is not None:
            cut = quotes.record_start(odd)
            if not cut:
                return self._exactly(text, last=last)
        elif not cut:
            return self._exactly(text, last=True) if last else None
        else:
            self._window = _WINDOW
        text = text[:cut]
        check_text(text, self._location, offset=self._offset, line=self._line)
        return self._quickly(text, quoted=quotes is not None)

    def _quickly(self, text: bytes, *, quoted: bool) -> _Taken:
        """Whole records with regular quotes, by polars."""
        size, lines = len(text), _line_ends(text)
        if b"\r" in text:
            text = _with_lf(text, self._layout.delimiter, quoted=quoted)
        frame = self._parsed(text)
        if frame is None or frame.height != lines or self._may_be_ragged(frame, text, quoted):
            return _Taken(size, lines, self._closely(text))
        strange = quoted or any(c in text for c in _SPACES) or not text.isascii()
        return _Taken(
            size, lines, Block(frame, numbered(self._line, lines), only_spaces=not strange)
        )

    def _parsed(self, text: bytes) -> pl.DataFrame | None:
        """None where polars cannot, or would do something else than ``csv``."""
        if not text or self._layout.width == 1 or text.startswith(_BOM):
            return None
        try:
            return pl.read_csv(
                text,
                has_header=False,
                separator=self._layout.delimiter,
                schema={str(index): pl.String() for index in range(self._layout.width)},
                infer_schema=False,
                empty_string_is_null=False,
            )
        except (pl.exceptions.PolarsError, ValueError):
            return None

    def _may_be_ragged(self, frame: pl.DataFrame, text: bytes, quoted: bool) -> bool:
        """Polars fills a short row up, but then its last cell is empty; it refuses a long one."""
        if not (frame[:, -1].str.len_bytes() == 0).any():
            return False
        divided = np.frombuffer(text, np.uint8) == ord(self._layout.delimiter)
        exact = np.count_nonzero(divided) == frame.height * (self._layout.width - 1)
        return quoted or not exact

    def _closely(self, text: bytes) -> Block:
        """Whole records with regular quotes, after those of the wrong width were cut out."""
        width = self._layout.width
        quotes = Quotes(text, self._layout.delimiter)
        ends = quotes.record_ends
        starts = np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1))
        fields = np.diff(np.searchsorted(quotes.delimiters, ends), prepend=0) + 1
        lines = self._line + np.searchsorted(quotes.line_ends, starts)
        right = (fields == width) & (ends > starts)
        kept = _joined(text, starts, ends, right)
        frame = self._parsed(kept)
        if frame is None or frame.height != right.sum():
            return self._by_csv(text, last=True)[1]
        odd, blank = [], 0
        for index in np.flatnonzero(~right & (ends > starts)).tolist():
            raw = text[starts[index] : ends[index]].decode()
            if raw.strip() or fields[index] > 1:
                odd.append(ragged(int(lines[index]), int(fields[index]), width, raw))
            else:
                blank += 1
        return Block(frame, pl.Series(lines[right], dtype=pl.Int64), odd, blank=blank)

    def _exactly(self, text: bytes, *, last: bool) -> _Taken | None:
        """Some records at the start of a text whose quotes stand anywhere.

        Few at first, since a single odd quote needs no more, then twice as many each time.
        """
        tried = 0
        while tried < len(text):
            whole = text[: self._window]
            tried, final = len(whole), last and len(whole) == len(text)
            if not final:
                whole = whole[: _after_last_line(whole)]
            check_text(whole, self._location, offset=self._offset, line=self._line)
            size, block = self._by_csv(whole, last=final)
            self._window *= 2
            if size:
                return _Taken(size, _line_ends(text[:size]), block)
        return None

    def _by_csv(self, text: bytes, *, last: bool) -> tuple[int, Block]:
        """How many bytes the whole records at the start take, and these records."""
        found = exactly(
            text.decode(),
            delimiter=self._layout.delimiter,
            width=self._layout.width,
            line=self._line,
            last=last,
            location=self._location,
        )
        names = {str(index): pl.String() for index in range(self._layout.width)}
        frame = pl.DataFrame(found.rows, orient="row", schema=names)
        lines = pl.Series(found.lines, dtype=pl.Int64)
        return len(found.taken.encode()), Block(frame, lines, found.odd, blank=found.blank)

    def _too_long(self) -> DataQualityError:
        return DataQualityError(
            f"{self._location}, line {self._line}: one record is longer than {MAX_RECORD >> 20} "
            "MiB; this is no CSV, or a quote that opens a cell there is never closed"
        )


def _ended(text: bytes) -> bytes:
    """What is left at the end, with the line end that may lack."""
    return text if not text or text.endswith((b"\n", b"\r")) else text + b"\n"


def _cut(text: bytes, quotes: Quotes | None, *, last: bool) -> int:
    """After how many bytes the last whole record ends, if the quotes are regular."""
    if quotes is not None:
        ends = quotes.record_ends
        if not last and text.endswith(b"\r"):  # LF may follow, and belong to it
            ends = ends[ends < len(text) - 1]
        return int(ends[-1]) + 1 if len(ends) else 0
    if last:
        return len(text)
    return _after_last_line(text)


def _after_last_line(text: bytes) -> int:
    """Where the last line surely ends: at LF; where there is none, at CR that none can follow."""
    return text.rfind(b"\n") + 1 or text.rfind(b"\r", 0, len(text) - 1) + 1


def _with_lf(text: bytes, delimiter: str, *, quoted: bool) -> bytes:
    if quoted:
        return Quotes(text, delimiter).without_cr()
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _line_ends(text: bytes) -> int:
    count = int(np.count_nonzero(np.frombuffer(text, np.uint8) == 10))
    if b"\r" in text:
        count += text.count(b"\r") - text.count(b"\r\n")
    return count


def _joined(text: bytes, starts: Places, ends: Places, wanted: np.ndarray) -> bytes:
    """The wanted records, each with its end: as few pieces as possible."""
    edges = np.flatnonzero(np.diff(wanted, prepend=False, append=False))
    first, after = edges[::2], edges[1::2]
    return b"".join(
        text[start : end + 1]
        for start, end in zip(starts[first].tolist(), ends[after - 1].tolist(), strict=True)
    )
