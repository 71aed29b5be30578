"""A file that arrives piece by piece, and is checked before anybody reads it."""

from __future__ import annotations

import hashlib
import re
import shutil
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from flyball.errors import DataQualityError, StorageUnavailable
from flyball.storage.fetching.retrying import Interruption, Pace, Patience
from flyball.storage.files import storing

SPARE_BYTES = 64 << 20
"""Disk space that a transfer leaves to others."""

_LOOK_AFTER = 64 << 20
_PIECE = 1 << 20
_UNSAFE = re.compile(r"[^\w.\-]+")


class Landing:
    """The file that a transfer fills, over several attempts. Use as a context manager.

    Attributes:
        size: bytes that are there.
        furthest: the most that ever were.

    Args:
        path: a new file; its folder is there.
        what: is fetched, as people may see it.
        patience: with a slow sender.
    """

    def __init__(self, path: Path, what: str, patience: Patience) -> None:
        self.path = path
        self.size = self.furthest = 0
        self._what = what
        self._patience = patience
        with storing(what):
            self._file = path.open("wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def restart(self) -> None:
        """Forget what has come: it was not the beginning of what comes now."""
        with storing(self._what):
            self._file.seek(0)
            self._file.truncate()
        self.size = 0

    def expect(self, size: int) -> None:
        """So many more bytes are announced.

        Raises:
            StorageUnavailable: the disk has no room for them.
        """
        free = shutil.disk_usage(self.path.parent).free
        if size > free - SPARE_BYTES:
            raise StorageUnavailable(
                f"{self._what} has {size / 1e6:,.0f} MB more, and the disk of {self.path.parent} "
                f"has room for {max(0, free - SPARE_BYTES) / 1e6:,.0f} MB; free some space and "
                "run the same command again"
            )

    def take(self, pieces: Iterable[bytes]) -> None:
        """Append pieces as they come.

        Raises:
            Interruption: they come far too slowly.
            StorageUnavailable: the disk is full, or will be.
        """
        pace = Pace(self._patience)
        looked = self.size
        for piece in pieces:
            with storing(self._what):
                self._file.write(piece)
            self.size += len(piece)
            self.furthest = max(self.furthest, self.size)
            pace.saw(len(piece))
            if self.size - looked >= _LOOK_AFTER:
                self.expect(0)
                looked = self.size
        with storing(self._what):
            self._file.flush()

    def check(self, digests: Mapping[str, str]) -> None:
        """Compare what arrived with what its sender says it is.

        Args:
            digests: hex by algorithm (``sha256``, ``md5``, ``crc32``, ...).

        Raises:
            Interruption: they differ; all of it must be fetched again.
        """
        for algorithm, wanted in digests.items():
            if (found := digest(self.path, algorithm)) != wanted.lower():
                self.restart()
                raise Interruption(
                    f"what arrived has the {algorithm} {found}, what was sent has {wanted.lower()}"
                )


def digest(path: Path, algorithm: str) -> str:
    """A file's digest in hex: ``crc32``, or any that ``hashlib`` has."""
    with storing(str(path)), path.open("rb") as file:
        if algorithm != "crc32":
            return hashlib.file_digest(file, algorithm).hexdigest()
        checksum = 0
        while piece := file.read(_PIECE):
            checksum = zlib.crc32(piece, checksum)
        return f"{checksum:08x}"


def demand(path: Path, sha256: str | None, shown: str) -> None:
    """Hold a file against the digest that the user gave with its location.

    Raises:
        DataQualityError: it is another one.
    """
    if sha256 is not None and (found := digest(path, "sha256")) != sha256:
        raise DataQualityError(
            f"{shown} has the SHA-256 {found}, not the {sha256} that its location asks for; "
            "the file was changed or is another one: check where it comes from"
        )


def fetched_as_demanded(
    fetch: Callable[[], None], path: Path, sha256: str | None, shown: str
) -> None:
    """Fetch a file, and once more where it is not the one demanded: damage does not repeat itself.

    Raises:
        DataQualityError: it is another one both times.
    """
    fetch()
    if sha256 is not None and digest(path, "sha256") != sha256:
        fetch()
        demand(path, sha256, shown)


def place(into: Path, number: int, name: str) -> Path:
    """A new path in a folder, by a number and what a source calls the file."""
    return into / f"{number:05d}-{_UNSAFE.sub('_', name)[-80:] or 'data'}"
