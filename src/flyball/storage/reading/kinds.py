"""What a file is: its first bytes say; its name is never needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from flyball.domain.schema import Schema
from flyball.errors import DataQualityError
from flyball.storage.reading.block import BLOCK_BYTES, MAX_RECORD, Fit, Records
from flyball.storage.reading.packed import Part, Stream
from flyball.storage.reading.text import check_kind, check_text

PARQUET, ARROW, ARROW_STREAM = b"PAR1", b"ARROW1", b"\xff\xff\xff\xff"
HEAD = 1 << 18
"""A file's layout is told from so many bytes at its start."""

_BOM = b"\xef\xbb\xbf"


@contextmanager
def opened(
    part: Part,
    schemas: Sequence[Schema],
    scratch: Path,
    *,
    known: Fit | None = None,
    size: int = BLOCK_BYTES,
) -> Iterator[Records]:
    """A file as records, with the table that it fits.

    Args:
        scratch: a folder for what must be unpacked before it can be read.
        known: the fit that an earlier opening found; spares looking for it.
        size: how many bytes of text to take at a time.

    Raises:
        DataQualityError: it cannot be used; says what is wrong, where, and what to do.
        EnvironmentFailed: it may not be read, or there is no space to unpack it.
    """
    with part.stream() as stream:
        magic = stream.peek(6)
        if not magic:
            where = f"an empty file in {stream.kind}" if stream.kind else "nothing"
            raise DataQualityError(f"{part.shown} holds {where}; export it again")
        if magic.startswith((PARQUET, ARROW, ARROW_STREAM)):
            from flyball.storage.reading.columnar import columnar

            with columnar(part, stream, schemas, scratch) as records:
                yield records
        else:
            yield _text(part, stream, schemas, known, size)


def _text(
    part: Part, stream: Stream, schemas: Sequence[Schema], known: Fit | None, size: int
) -> Records:
    shown = part.shown
    check_kind(stream.peek(64), shown)
    offset = len(stream.read(3)) if stream.peek(3) == _BOM else 0
    head = _head(stream, shown, offset)
    start = head.lstrip()[:1]
    if start == b"[":
        raise DataQualityError(
            f"{shown} is one JSON array; write one object per line (JSONL), for example "
            "with `jq -c '.[]'`"
        )
    if start == b"{":
        from flyball.storage.reading.jsonl import JsonLines

        return JsonLines(part, stream, schemas, known=known, offset=offset, size=size)
    from flyball.storage.reading.delimited import Delimited
    from flyball.storage.reading.layout import layout_of

    layout = layout_of(head, schemas, shown)
    stream.read(layout.skip)
    below = stream.peek(HEAD)
    if len(below) < HEAD and not below.strip():
        raise header_only(shown)
    return Delimited(stream, layout, shown, offset=offset + layout.skip, size=size)


def _head(stream: Stream, shown: str, offset: int) -> bytes:
    """The whole lines at the start, checked to be text."""
    head = stream.peek(HEAD)
    if len(head) == HEAD and b"\n" not in head and b"\r" not in head:
        head = stream.peek(MAX_RECORD + 1)
    whole = max(head.rfind(b"\n"), head.rfind(b"\r")) + 1
    if len(head) >= HEAD:
        head = head[:whole]
    if len(stream.peek(MAX_RECORD + 1 if not whole else 0)) > MAX_RECORD:
        check_text(stream.peek(HEAD)[: HEAD - 4], shown, offset=offset, line=1)
        raise DataQualityError(
            f"{shown}, line 1: one line is longer than {MAX_RECORD >> 20} MiB; this is no table "
            "with a record per line"
        )
    check_text(head, shown, offset=offset, line=1)
    if not head.strip():
        raise DataQualityError(f"{shown} holds only blank lines; export it again")
    return head


def header_only(shown: str) -> DataQualityError:
    """The error for a file with nothing below its header."""
    return DataQualityError(
        f"{shown} has a header and no rows below it; fetch or export the rows as well"
    )
