"""Arrow's messages: checked before polars believes them, and read one record batch at a time.

Polars reads a stream only as a whole, and it believes the sizes that a message names: a damaged one
makes it ask for more memory than there is, which ends the process. So messages are divided and
checked here, and polars reads each batch after the schema. (Arrow columnar format, "Encapsulated
message format", "IPC streaming format", "IPC file format" and "Compression".)
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import polars as pl

from flyball.storage.reading.flatbuffer import Table
from flyball.storage.reading.packed import BOMB_FLOOR, BOMB_RATIO, Source

_CONTINUES = b"\xff\xff\xff\xff"
_END = _CONTINUES + bytes(4)
_MAX_METADATA, _MAX_BODY = 16 << 20, 256 << 20
_FILE_TAIL = 10  # the footer's length, and "ARROW1"
_DICTIONARIES, _BATCHES = 2, 3  # fields of a footer
_BLOCK, _BUFFER = "<qi4xq", "<qq"  # where a message lies: offset, sizes; where a buffer does
_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3
_KIND, _HEADER, _BODY = 1, 2, 3  # fields of a message
_DATA = 1  # field of a dictionary batch
_ROWS, _BUFFERS, _COMPRESSION = 0, 2, 3  # fields of a record batch
_FREE_ROWS = 1 << 20
"""So many rows may come without a byte of their own, where all they hold is null."""


@dataclass(frozen=True, slots=True)
class _Message:
    kind: int
    prefix: bytes
    metadata: bytes
    length: int


def batches(stream: Source) -> Iterator[pl.DataFrame]:
    """The record batches of a stream.

    Raises:
        EOFError: it is cut short.
        ValueError, polars' errors: it is damaged, or a batch is too large to be held.
    """
    schema, dictionaries = b"", b""
    while (message := _next(stream)) is not None:
        if message.length > _MAX_BODY:
            raise ValueError(
                f"a record batch of {message.length:,} bytes; write batches of at most "
                f"{_MAX_BODY >> 20} MiB"
            )
        body = io.BytesIO(_exactly(stream, message.length))
        _check(message, body)
        whole = message.prefix + message.metadata + body.getvalue()
        if message.kind == _SCHEMA and not schema:
            schema = whole
        elif message.kind == _DICTIONARY and schema:
            dictionaries += whole
        elif message.kind == _BATCH and schema:
            yield pl.read_ipc_stream(io.BytesIO(schema + dictionaries + whole + _END))
        else:
            raise ValueError(f"a message of kind {message.kind} where none may be")
        if len(dictionaries) > _MAX_BODY:
            raise ValueError("its dictionaries are too large")


def check_file(path: Path) -> None:
    """Check every record batch of an Arrow file, without reading its rows.

    Raises:
        EOFError: it is cut short.
        ValueError: it is damaged.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        for at in _places(file, size):
            file.seek(at)
            message = _next(file)
            if message is None:
                raise ValueError("its footer names a record batch where there is none")
            if file.tell() + message.length > size:
                raise EOFError
            _check(message, file)


def _places(file: BinaryIO, size: int) -> list[int]:
    """Where the footer says that dictionaries and record batches begin."""
    file.seek(size - _FILE_TAIL)
    length = struct.unpack("<i", file.read(4))[0]
    if not 0 < length <= size - _FILE_TAIL:
        raise ValueError("its footer is longer than itself")
    file.seek(size - _FILE_TAIL - length)
    try:
        footer = Table.root(file.read(length))
        blocks = [*footer.structs(_DICTIONARIES, _BLOCK), *footer.structs(_BATCHES, _BLOCK)]
    except struct.error as error:
        raise ValueError(f"its footer: {error}") from None
    if any(not 0 <= at < size for at, _, _ in blocks):
        raise ValueError("its footer names a record batch outside of it")
    return [at for at, _, _ in blocks]


def _next(stream: Source) -> _Message | None:
    prefix = stream.read(8)
    if not prefix or prefix == _END:
        return None
    if len(prefix) < 8:
        raise EOFError
    size = struct.unpack("<i", prefix[4:])[0]
    if prefix[:4] != _CONTINUES or not 0 < size <= _MAX_METADATA:
        raise ValueError("a message does not begin as it should")
    metadata = _exactly(stream, size)
    try:
        message = Table.root(metadata)
        kind, length = message.number(_KIND, "<B"), message.number(_BODY, "<q")
    except struct.error as error:
        raise ValueError(f"a message's metadata: {error}") from None
    if length < 0:
        raise ValueError("a message of less than no bytes")
    return _Message(kind, prefix, metadata, length)


def _exactly(stream: Source, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _check(message: _Message, body: BinaryIO) -> None:
    """Refuse a batch whose parts lie outside its body, or that claims to grow beyond reason."""
    try:
        header = Table.root(message.metadata).table(_HEADER)
        if header is not None and message.kind == _DICTIONARY:
            header = header.table(_DATA)
        if header is None or message.kind == _SCHEMA:
            return
        rows, buffers = header.number(_ROWS, "<q"), header.structs(_BUFFERS, _BUFFER)
        packed = header.table(_COMPRESSION) is not None
    except struct.error as error:
        raise ValueError(f"a message's metadata: {error}") from None
    if any(at < 0 or size < 0 or at + size > message.length for at, size in buffers):
        raise ValueError("a column's data lies outside its record batch")
    begin, total = body.tell(), message.length
    for at, size in buffers if packed else ():
        if size:
            body.seek(begin + at)
            total += _unpacked(body.read(8))
    body.seek(begin)
    if packed and total > max(BOMB_FLOOR, BOMB_RATIO * message.length):
        raise ValueError(f"a record batch grows over {BOMB_RATIO} times when unpacked")
    if not 0 <= rows <= 8 * total + _FREE_ROWS:
        raise ValueError(f"{rows:,} rows in {total:,} bytes")


def _unpacked(head: bytes) -> int:
    """The size that a packed buffer has when unpacked; -1 marks one that is not packed."""
    if len(head) < 8:
        raise ValueError("a packed column without its size")
    size = int(struct.unpack("<q", head)[0])
    if size < -1:
        raise ValueError("a column of less than no bytes")
    return max(0, size)
