"""The files of a spool: found, locked, read and written so that a crash loses nothing."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from flyball.storage import spool_lines as lines

SUFFIX = ".spool"


@dataclass(slots=True)
class SpoolFile:
    """One file, locked by this process.

    Attributes:
        size: bytes that were written whole; what follows them does not count.
        done: bytes whose events are in the database.
        waiting: events between the two.
    """

    path: Path
    fd: int
    size: int = 0
    done: int = 0
    waiting: int = 0


def listed(folder: Path) -> list[Path]:
    """The files of a spool, oldest first."""
    try:
        with os.scandir(folder) as found:
            names = sorted(entry.name for entry in found if entry.name.endswith(SUFFIX))
    except FileNotFoundError:
        return []
    return [folder / name for name in names]


def size_of(path: Path) -> int:
    """Its bytes; 0 where it was removed meanwhile."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def created(path: Path) -> SpoolFile | None:
    """A new file, locked, its name on disk; None where another process locked it first.

    Raises:
        OSError: no space, no permission.
    """
    _make_durably(path.parent)
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _sync_folder(path.parent)
    except BlockingIOError:
        os.close(fd)
        return None
    except OSError:
        os.close(fd)
        raise
    return SpoolFile(path, fd)


def taken(path: Path) -> SpoolFile | None:
    """A file that is there, locked; None where another process holds it, or is done with it.

    Raises:
        OSError: it cannot be read.
    """
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(fd).st_nlink:  # else it was removed between the two steps
            data = read(fd, 0, os.fstat(fd).st_size)
            return SpoolFile(path, fd, size=lines.whole(data), waiting=data.count(b"\n"))
    except BlockingIOError:
        pass
    except OSError:
        os.close(fd)
        raise
    os.close(fd)
    return None


def read(fd: int, start: int, end: int) -> bytes:
    """Bytes ``start`` to ``end``; fewer where the file ends before."""
    parts = []
    while start < end and (part := os.pread(fd, end - start, start)):
        parts.append(part)
        start += len(part)
    return b"".join(parts)


def write(file: SpoolFile, data: bytes) -> None:
    """Append to a file; it is on disk when this returns.

    Raises:
        OSError: names the file. An unknown part of it may have been written.
    """
    left = memoryview(data)
    try:
        while left:
            left = left[os.write(file.fd, left) :]
        os.fdatasync(file.fd)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file.path)) from error


def _make_durably(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
