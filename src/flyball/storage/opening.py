"""From a file to its bytes or its text: found, unpacked, decoded; or a clear reason why not."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import zstandard

from flyball.domain.nearest import nearest
from flyball.errors import DataQualityError, EnvironmentFailed, InvalidRequest, NotFound

_GZIP, _ZSTD, PARQUET = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1"
_OTHER_KINDS = {
    b"PK\x03\x04": "a zip archive or a spreadsheet; unpack it, or save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet; save it as CSV",
    b"%PDF": "a PDF document; export the table behind it as CSV",
    b"BZh": "packed with bzip2; unpack it, or pack it with gzip or zstd",
    b"\xfd7zXZ": "packed with xz; unpack it, or pack it with gzip or zstd",
    b"7z\xbc\xaf": "a 7z archive; unpack it",
    b"SQLite format 3": "an SQLite database; export the table as CSV",
    b"ARROW1": "an Arrow file; save it as Parquet",
    b"Obj\x01": "an Avro file; save it as Parquet",
    b"ORC": "an ORC file; save it as Parquet",
}


def raw_bytes(location: str) -> bytes:
    """The bytes of a file as it lies there.

    Raises:
        NotFound: no such file; names the nearest one beside it.
        DataQualityError: a directory, or empty.
        InvalidRequest: a URL.
        EnvironmentFailed: it may not or cannot be read.
    """
    path = Path(location)
    if "://" in location:
        raise InvalidRequest(
            f"{location} is a URL, and only files of this machine can be read; download it first"
        )
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"there is no file {location}{_beside(path)}; check the path") from None
    except IsADirectoryError:
        raise DataQualityError(
            f"{location} is a directory; pass the files in it, each as a source of its own"
        ) from None
    except OSError as error:
        raise EnvironmentFailed(
            f"{location} cannot be read: {error.strerror or error}; check its permissions"
        ) from error
    if not content:
        raise DataQualityError(f"{location} is empty (0 bytes); fetch or export it again")
    return content


def unpacked(content: bytes, location: str) -> bytes:
    """What gzip or zstd packed, recognised by the first bytes; anything else as it is.

    Raises:
        DataQualityError: cut short or damaged, or nothing in it.
    """
    unpack: Callable[[bytes], bytes]
    if content.startswith(_GZIP):
        kind, unpack = "gzip", gzip.decompress
    elif content.startswith(_ZSTD):
        kind, unpack = "zstd", _unzstd
    else:
        return content
    try:
        inside = unpack(content)
    except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
        what = "is cut short" if isinstance(error, EOFError) else f"is damaged ({error})"
        raise DataQualityError(
            f"{location}: the {kind} data {what}; fetch or export the file again"
        ) from None
    if not inside:
        raise DataQualityError(f"{location} holds an empty file in {kind}; export it again")
    return inside


def text_of(content: bytes, location: str) -> str:
    """Bytes as UTF-8 text, without a byte order mark.

    Raises:
        DataQualityError: binary, or in another encoding; says which byte on which line.
    """
    for magic, kind in _OTHER_KINDS.items():
        if content.startswith(magic):
            raise DataQualityError(f"{location} is {kind}, then ingest that")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or _every_other_is_zero(content):
        raise DataQualityError(
            f"{location} is UTF-16 text, not UTF-8; convert it first, for example with "
            f"`iconv -f UTF-16 -t UTF-8 {Path(location).name}`"
        )
    if (zero := content.find(b"\0")) >= 0:
        raise DataQualityError(
            f"{location} is binary: byte {zero} is zero ({_line(content, zero)}); "
            "give CSV, JSONL or Parquet, plain or packed with gzip or zstd"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _wrong_encoding(content, error.start, location) from None


def _wrong_encoding(content: bytes, at: int, location: str) -> DataQualityError:
    where = f"byte {at} (0x{content[at]:02x}, {_line(content, at)}) is not UTF-8"
    around = content[max(0, at - 2000) : at + 2000]
    control = sum(byte < 32 and byte not in b"\t\r\n" for byte in around)
    if control > len(around) // 100:
        return DataQualityError(
            f"{location} is binary: {where}; give CSV, JSONL or Parquet, "
            "plain or packed with gzip or zstd"
        )
    return DataQualityError(
        f"{location}: {where}; it looks like Latin-1 or Windows-1252. Convert it first, for "
        f"example with `iconv -f WINDOWS-1252 -t UTF-8 {Path(location).name}`"
    )


def _unzstd(content: bytes) -> bytes:
    """All frames, one after the other. Raises EOFError where the last one is cut short."""
    parts = []
    while content:
        frame = zstandard.ZstdDecompressor().decompressobj()
        parts.append(frame.decompress(content))
        if not frame.eof:
            raise EOFError
        content = frame.unused_data
    return b"".join(parts)


def _every_other_is_zero(content: bytes) -> bool:
    head = content[:64]
    return len(head) >= 8 and (not any(head[::2]) or not any(head[1::2]))


def _line(content: bytes, at: int) -> str:
    before = content.count(b"\n", 0, at)
    return f"line {before + 1}"


def _beside(path: Path) -> str:
    try:
        names = [item.name for item in path.parent.iterdir()]
    except OSError:
        return f", nor its directory {path.parent}"
    near = nearest(path.name, names)
    return f"; beside it there is {', '.join(near)}" if near else ""
