"""A folder of objects in DVC's layout: ``ab/cdef...``, each named by the MD5 of its bytes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dvc_data.hashfile.hash import file_md5

from flyball.errors import NotFound
from flyball.storage.files import READ_ONLY, copy_whole

LISTING = ".dir"
"""How the name of an object ends that lists a dataset version's files."""

_OBJECT = re.compile(r"[0-9a-f]{32}(\.dir)?")


def checked(oid: str) -> str:
    """``oid``, which is an object's name.

    Raises:
        NotFound: it is no DVC hash, so that it must not become a path.
    """
    if not _OBJECT.fullmatch(oid):
        raise NotFound(f"{oid!r} is not a DVC hash (32 hex digits)")
    return oid


def key_of(oid: str) -> str:
    """Where an object lies below the folder of objects, with ``/``."""
    return f"{checked(oid)[:2]}/{oid[2:]}"


def md5_of(path: Path) -> str:
    """The DVC hash of a file.

    Raises:
        OSError: it cannot be read.
    """
    return str(file_md5(str(path), name="md5"))


@dataclass(frozen=True, slots=True)
class ObjectFolder:
    """A cache, or a remote on this machine.

    Attributes:
        folder: where the objects lie; it need not exist yet.
    """

    folder: Path

    def place(self, oid: str) -> Path:
        """Where an object lies, or would. Raises NotFound for what is no hash."""
        return self.folder / key_of(oid)

    def sound(self, oid: str) -> bool:
        """Whether it is there and its bytes have the hash that it is named by."""
        place = self.place(oid)
        return place.is_file() and md5_of(place) == oid.removesuffix(LISTING)

    def put(self, source: Path, oid: str) -> None:
        """Store a copy of ``source``, which is known to be the object."""
        copy_whole(source, self.place(oid), mode=READ_ONLY)

    def touch(self, oid: str) -> None:
        """Note that it was kept now, by the time of its last change of status.

        That time survives copies of the folder by no means, and so only ever makes an object look
        younger. The time of its last change of content stays: workspaces are compared by it.
        """
        times = self.place(oid).stat()
        os.utime(self.place(oid), ns=(times.st_atime_ns, times.st_mtime_ns))

    def stored(self) -> Iterator[tuple[str, os.stat_result]]:
        """Every object here, with its size and times."""
        for place in self.folder.glob("[0-9a-f][0-9a-f]/*"):
            oid = f"{place.parent.name}{place.name}"
            if _OBJECT.fullmatch(oid):
                with suppress(FileNotFoundError):
                    yield oid, place.stat()

    def remove(self, oid: str) -> bool:
        """Remove an object; False where it was not there."""
        try:
            self.place(oid).unlink()
        except FileNotFoundError:
            return False
        return True
