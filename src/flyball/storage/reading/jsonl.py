"""JSON objects, one a line: also with NaN in them, or as Python writes them."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import polars as pl

from flyball.domain.schema import Schema
from flyball.errors import DataQualityError
from flyball.storage.reading.block import BLOCK_BYTES, MAX_RECORD, Block, Fit, Odd
from flyball.storage.reading.fitting import fit_of, misfit
from flyball.storage.reading.packed import Part, Stream
from flyball.storage.reading.text import check_text

_HEAD = 4 << 20
_UNKNOWN = "\0"
"""No object's name for a value: text with a zero byte is refused."""

_LONGEST_LITERAL = 1 << 20
"""Python's parser takes a hundred times the memory of what it reads."""


@dataclass(slots=True)
class _Lines:
    """Objects, the line of each, and the lines that are none."""

    objects: list[dict[str, Any]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    odd: list[Odd] = field(default_factory=list)


class JsonLines:
    """A file of JSON objects. Implements ``Records``.

    Objects need not all have the same names. What the file's columns are is told from its first 4
    MiB if all columns of the first table are there, else from the whole of it, which takes a
    further reading.

    Raises:
        DataQualityError: no table fits, or no line is an object.
    """

    def __init__(
        self,
        part: Part,
        stream: Stream,
        schemas: Sequence[Schema],
        *,
        known: Fit | None = None,
        offset: int = 0,
        size: int = BLOCK_BYTES,
    ) -> None:
        self._stream = stream
        self._shown = part.shown
        self._offset = offset
        self._size = size
        self.fit = known or self._fit(part, stream, schemas)

    def blocks(self) -> Iterator[Block]:
        """See ``Records.blocks``."""
        for found in _read(self._stream, self._shown, self._offset, self._size):
            yield self._block(found)

    def _fit(self, part: Part, stream: Stream, schemas: Sequence[Schema]) -> Fit:
        head = stream.peek(_HEAD)
        whole = head[: head.rfind(b"\n") + 1] if len(head) == _HEAD else head
        begun = _parsed(whole, 1)
        names = dict.fromkeys(name for item in begun.objects for name in item)
        fit = fit_of(list(names), schemas)
        if len(head) == _HEAD and not _is_complete(fit, schemas[0]):
            with part.stream() as again:
                again.read(self._offset)
                for found in _read(again, self._shown, self._offset, self._size):
                    begun.odd = begun.odd or found.odd[:1]
                    for item in found.objects:
                        names.update(item)
            fit = fit_of(list(names), schemas)
        if not names and begun.odd:
            first = begun.odd[0]
            raise DataQualityError(
                f"{self._shown} is not JSONL: line {first.line}: {first.detail}; "
                "write one object per line"
            )
        if fit is None:
            raise misfit(list(names), schemas, self._shown)
        return fit

    def _block(self, found: _Lines) -> Block:
        objects = found.objects
        frame = pl.DataFrame(
            {key: [_plain(item.get(key)) for item in objects] for key in self.fit.columns.values()},
            schema=dict.fromkeys(self.fit.columns.values(), pl.String),
        )
        others = self._others(frame, objects).alias(_UNKNOWN)
        return Block(
            frame.with_columns(others),
            pl.Series(found.lines, dtype=pl.Int64),
            found.odd,
        )

    def _others(self, frame: pl.DataFrame, objects: Sequence[dict[str, Any]]) -> pl.Series:
        """A further column, not null where an object has a value only under other names."""
        bare = frame.select(pl.all_horizontal(pl.all().fill_null("").str.strip_chars() == ""))
        other: list[str | None] = [None] * len(objects)
        for index in bare.to_series().arg_true().to_list():
            texts = map(_plain, objects[index].values())
            other[index] = next((text for text in texts if text and text.strip()), None)
        return pl.Series(other, dtype=pl.String)


def _is_complete(fit: Fit | None, first: Schema) -> bool:
    """Whether no further names can change the fit."""
    return fit is not None and fit.schema is first and len(fit.columns) == len(first.columns)


def _read(stream: Stream, shown: str, offset: int, size: int) -> Iterator[_Lines]:
    """The file from here on, some lines at a time."""
    line, pending = 1, b""
    while True:
        data = stream.read(size)
        text = pending + data
        cut = text.rfind(b"\n") + 1 if data else len(text)
        if not text:
            return
        if not cut and len(text) > MAX_RECORD:
            raise DataQualityError(
                f"{shown}, line {line}: one line is longer than {MAX_RECORD >> 20} MiB; "
                "write one object per line"
            )
        whole, pending = text[:cut], text[cut:]
        if whole:
            check_text(whole, shown, offset=offset, line=line)
            yield _parsed(whole, line)
        line += whole.count(b"\n")
        offset += cut


def _parsed(text: bytes, line: int) -> _Lines:
    if b"NaN" not in text:
        try:
            objects = msgspec.json.Decoder(dict[str, Any]).decode_lines(text)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            objects = []
        if objects and len(objects) == text.count(b"\n") + (not text.endswith(b"\n")):
            return _Lines(objects, list(range(line, line + len(objects))))
    found = _Lines()
    for number, raw in enumerate(text.decode().split("\n"), line):
        if not raw.strip():
            continue
        item = _object(raw)
        if isinstance(item, str):
            found.odd.append(Odd(number, "json", item, raw))
        else:
            found.objects.append(item)
            found.lines.append(number)
    return found


def _object(raw: str) -> dict[str, Any] | str:
    """The object of a line, or what is wrong with it, in words."""
    try:
        item = json.loads(raw)
    except (ValueError, RecursionError) as error:
        item = _literal(raw)
        if item is None:
            return f"is no JSON: {str(error)[:80]}"
    if not isinstance(item, dict):
        return f"is no JSON object but a {type(item).__name__}"
    if "\\" in raw and not _is_text(item):
        return "holds half a character (a lone surrogate), which no text may"
    return item


def _literal(raw: str) -> Any:
    """A Python literal, as some publishers write their rows; None where it is none."""
    if len(raw) > _LONGEST_LITERAL or not raw.lstrip().startswith("{"):
        return None
    try:
        item = ast.literal_eval(raw.strip())
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None
    return item if isinstance(item, dict) and all(isinstance(key, str) for key in item) else None


def _is_text(item: dict[str, Any]) -> bool:
    try:
        json.dumps(item, ensure_ascii=False, default=str, skipkeys=True).encode()
    except UnicodeEncodeError:
        return False
    return True


def _number(value: float) -> str | None:
    if math.isnan(value):
        return None
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def _plain(value: Any) -> str | None:
    """A JSON value as text. Lists and objects keep their JSON, which fits no number or time."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, int):
        return str(value).lower()  # also True and False
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):  # of Python alone: a set, 2**70
        return json.dumps(value, ensure_ascii=False, default=str, skipkeys=True)
