"""Bytes that should be UTF-8 text, and what is said about those that are not."""

from __future__ import annotations

from pathlib import PurePath

from flyball.errors import DataQualityError

_GIVE = "give CSV, JSONL, Parquet or Arrow, plain or packed with gzip, zstd or zip"
_OTHER_KINDS = {
    b"\xd0\xcf\x11\xe0": "an old spreadsheet; save it as CSV",
    b"%PDF": "a PDF document; export the table behind it as CSV",
    b"BZh": "packed with bzip2; unpack it, or pack it with gzip or zstd",
    b"\xfd7zXZ": "packed with xz; unpack it, or pack it with gzip or zstd",
    b"7z\xbc\xaf": "a 7z archive; unpack it",
    b"SQLite format 3": "an SQLite database; export the table as CSV",
    b"Obj\x01": "an Avro file; save it as Parquet",
    b"ORC": "an ORC file; save it as Parquet",
}


def check_kind(head: bytes, location: str) -> None:
    """Refuse what its first bytes give away as something else than UTF-8 text.

    Raises:
        DataQualityError: says what it is, and what to do.
    """
    for magic, kind in _OTHER_KINDS.items():
        if head.startswith(magic):
            raise DataQualityError(f"{location} is {kind}, then ingest that")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or _every_other_is_zero(head):
        raise DataQualityError(
            f"{location} is UTF-16 text, not UTF-8; convert it first, for example with "
            f"`iconv -f UTF-16 -t UTF-8 {PurePath(location).name}`"
        )


def check_text(block: bytes, location: str, *, offset: int, line: int) -> None:
    """Refuse a block that is not UTF-8, or holds a zero byte.

    Args:
        offset: how many bytes of the file come before it.
        line: the number of its first line.

    Raises:
        DataQualityError: says which byte on which line.
    """
    zero = block.find(b"\0")
    if block.isascii() and zero < 0:
        return
    wrong = _undecodable(block)
    if zero >= 0 and (wrong is None or zero < wrong):
        raise DataQualityError(
            f"{location} is binary: byte {offset + zero} is zero "
            f"(line {line + _line_ends(block, zero)}); {_GIVE}"
        )
    if wrong is not None:
        where = (
            f"byte {offset + wrong} (0x{block[wrong]:02x}, "
            f"line {line + _line_ends(block, wrong)}) is not UTF-8"
        )
        raise _wrong_encoding(block, wrong, where, location)


def _undecodable(block: bytes) -> int | None:
    try:
        block.decode()
    except UnicodeDecodeError as error:
        return error.start
    return None


def _wrong_encoding(block: bytes, at: int, where: str, location: str) -> DataQualityError:
    around = block[max(0, at - 2000) : at + 2000]
    control = sum(byte < 32 and byte not in b"\t\r\n" for byte in around)
    if control > len(around) // 100:
        return DataQualityError(f"{location} is binary: {where}; {_GIVE}")
    return DataQualityError(
        f"{location}: {where}; it looks like Latin-1 or Windows-1252. Convert it first, for "
        f"example with `iconv -f WINDOWS-1252 -t UTF-8 {PurePath(location).name}`"
    )


def _every_other_is_zero(content: bytes) -> bool:
    head = content[:64]
    return len(head) >= 8 and (not any(head[::2]) or not any(head[1::2]))


def _line_ends(block: bytes, before: int) -> int:
    """How many lines end before a place: with LF, CRLF or CR."""
    head = block[:before]
    return head.count(b"\n") + head.count(b"\r") - head.count(b"\r\n")
