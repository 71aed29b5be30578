"""Files as streams of bytes, whatever gzip, zstd or zip made of them, in bounded memory."""

from __future__ import annotations

import gzip
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import zstandard

from flyball.errors import DataQualityError, EnvironmentFailed

GZIP, ZSTD, ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
BOMB_RATIO = 200
BOMB_FLOOR = 100_000_000
"""Data that grows beyond this many bytes and times when unpacked was made to fill a disk."""

_FEED = 1024
"""zstd is fed so little at a time, because each byte may become 32 KiB."""

_DAMAGE = (
    EOFError,
    OSError,  # also gzip.BadGzipFile
    zlib.error,
    lzma.LZMAError,
    zstandard.ZstdError,
    zipfile.BadZipFile,
    NotImplementedError,
)


class Source(Protocol):
    """Where bytes come from."""

    def read(self, size: int, /) -> bytes:
        """At most so many of the next bytes; none at the end."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One table of a source: a local file, or a file in a zip archive.

    Attributes:
        path: the local file.
        name: which of the source's files it is.
        shown: what messages call it.
        member: its name in the archive; empty where the file is none.
    """

    path: Path
    name: str
    shown: str
    member: str = ""

    @contextmanager
    def stream(self) -> Iterator[Stream]:
        """Its bytes, unpacked.

        Raises:
            DataQualityError: damaged or cut short, when it is read so far; packed again inside.
            EnvironmentFailed: it may not be read.
        """
        try:
            file = self.path.open("rb")
        except OSError as error:
            raise EnvironmentFailed(
                f"{self.shown} cannot be read: {error.strerror or error}; check its permissions"
            ) from error
        with file:
            stream = self._inside_zip(file) if self.member else self._alone(file)
            if stream.kind and stream.peek(4).startswith((GZIP, ZSTD, ZIP)):
                raise DataQualityError(
                    f"{self.shown} is packed a second time inside the {stream.kind} data; unpack "
                    "it, and pass the files in it"
                )
            yield stream

    def _alone(self, file: BinaryIO) -> Stream:
        magic = file.read(4)
        file.seek(0)
        packed = self.path.stat().st_size
        if magic.startswith(GZIP):
            unpacked = cast(Source, gzip.GzipFile(fileobj=file))
            return Stream(unpacked, self.shown, kind="gzip", packed=packed)
        if magic.startswith(ZSTD):
            return Stream(_Zstd(file), self.shown, kind="zstd", packed=packed)
        return Stream(file, self.shown)

    def _inside_zip(self, file: BinaryIO) -> Stream:
        try:
            archive = zipfile.ZipFile(file)
            packed = archive.getinfo(self.member).compress_size
            unpacked = cast(Source, archive.open(self.member))
        except (*_DAMAGE, RuntimeError) as error:
            raise _damaged(self.shown, "zip", error) from None
        return Stream(unpacked, self.shown, kind="zip", packed=packed)


class Stream:
    """Bytes that can be looked at before they are read; damage is told in words.

    Args:
        source: where they come from.
        shown: what messages call the file.
        kind: how it is packed; empty for plain files.
        packed: its size as packed.
    """

    def __init__(self, source: Source, shown: str, *, kind: str = "", packed: int = 0) -> None:
        self._source = source
        self._shown = shown
        self._kind = kind
        self._limit = max(BOMB_FLOOR, BOMB_RATIO * packed)
        self._total = 0
        self._ahead = b""

    @property
    def kind(self) -> str:
        """How it was packed: ``"gzip"``, ``"zstd"``, ``"zip"``, or empty."""
        return self._kind

    def peek(self, size: int) -> bytes:
        """The next bytes, which stay: so many, or all that are left."""
        if len(self._ahead) < size:
            self._ahead += self._more(size - len(self._ahead))
        return self._ahead[:size]

    def read(self, size: int) -> bytes:
        """The next bytes: so many, or all that are left.

        Raises:
            DataQualityError: damaged, cut short, or far too large for its packed size.
        """
        ahead, self._ahead = self._ahead[:size], self._ahead[size:]
        return ahead + self._more(size - len(ahead)) if len(ahead) < size else ahead

    def _more(self, size: int) -> bytes:
        pieces: list[bytes] = []
        while size > 0 and (piece := self._piece(size)):
            pieces.append(piece)
            size -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _piece(self, size: int) -> bytes:
        try:
            piece = self._source.read(size)
        except _DAMAGE as error:
            if not self._kind and isinstance(error, OSError):
                raise EnvironmentFailed(
                    f"{self._shown} cannot be read: {error.strerror or error}; check the disk"
                ) from error
            raise _damaged(self._shown, self._kind, error) from None
        self._total += len(piece)
        if self._kind and self._total > self._limit:
            raise DataQualityError(
                f"{self._shown}: the {self._kind} data grows over {BOMB_RATIO} times when unpacked "
                f"({self._total:,} bytes and more), as an archive made to fill a disk does; "
                "unpack it yourself if you trust it, and pass what was in it"
            )
        return piece


class _Zstd:
    """All frames of a zstd file, one after the other."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._begun = False
        self._packed = b""
        self._ready = memoryview(b"")

    def read(self, size: int, /) -> bytes:
        """At most so many of the next bytes. Raises EOFError where the last frame is cut short."""
        while not self._ready:
            self._packed = self._packed or self._file.read(_FEED)
            if not self._packed:
                if self._begun:
                    raise EOFError
                return b""
            self._ready = memoryview(self._frame.decompress(self._packed))
            self._packed, self._begun = b"", True
            if self._frame.eof:
                self._packed = self._frame.unused_data
                self._frame, self._begun = zstandard.ZstdDecompressor().decompressobj(), False
        piece, self._ready = self._ready[:size], self._ready[size:]
        return bytes(piece)


def _damaged(shown: str, kind: str, error: BaseException) -> DataQualityError:
    what = "is cut short" if isinstance(error, EOFError) else f"is damaged ({error})"
    return DataQualityError(f"{shown}: the {kind} data {what}; fetch or export the file again")
