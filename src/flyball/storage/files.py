"""Files that are whole or not there: copies through a temporary name, flushed, then renamed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Self

from flyball.errors import StorageUnavailable

READ_ONLY = 0o444
WRITABLE = 0o644
ARRIVING = ".arriving-"
"""How the names of files begin that are not whole yet."""


@contextmanager
def storing(what: str) -> Iterator[None]:
    """Translate a disk that is full, read-only or gone.

    Raises:
        StorageUnavailable: an ``OSError`` came up inside; names ``what`` and the file.
    """
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise StorageUnavailable(
            f"{what} cannot be stored: {error.strerror or error}{where}; "
            "free space or fix the permissions, then run the same command again"
        ) from error


def made(directory: Path) -> Path:
    """``directory``, made if it was missing.

    Raises:
        StorageUnavailable: it cannot be made or written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageUnavailable(
            f"{directory} cannot be made: {error.strerror}; choose a writable place with --home"
        ) from error
    if not os.access(directory, os.W_OK):
        raise StorageUnavailable(
            f"{directory} cannot be written; change its permissions or choose another --home"
        )
    return directory


class Landing:
    """Files that are all written first, under temporary names, and then all put in place.

    As long as ``land`` was not called nothing is changed; on leaving, what did not land is removed.
    """

    def __init__(self) -> None:
        self._arriving: list[tuple[Path, Path]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for temporary, _target in self._arriving:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def copy(self, source: Path, target: Path, *, mode: int = WRITABLE) -> None:
        """Put a copy at ``target``, with the time of the last change that ``source`` has."""
        temporary = self.place(target)
        shutil.copyfile(source, temporary)
        temporary.chmod(mode)
        times = source.stat()
        os.utime(temporary, ns=(times.st_atime_ns, times.st_mtime_ns))

    def write(self, content: bytes, target: Path, *, mode: int = WRITABLE) -> None:
        """Put these bytes at ``target``."""
        temporary = self.place(target)
        temporary.write_bytes(content)
        temporary.chmod(mode)

    def place(self, target: Path) -> Path:
        """A temporary file, empty, for the caller to fill, which is going to be ``target``."""
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=ARRIVING, dir=target.parent)
        os.close(handle)
        self._arriving.append((Path(name), target))
        return Path(name)

    def land(self) -> None:
        """Put everything in place, in the order in which it came, to survive a power failure."""
        for temporary, _target in self._arriving:
            _flush(temporary)
        for temporary, target in self._arriving:
            temporary.replace(target)
        for folder in {target.parent for _, target in self._arriving}:
            _flush(folder)
        self._arriving.clear()


def copy_whole(source: Path, target: Path, *, mode: int | None = None) -> None:
    """Copy a file so that ``target`` is never half-written, whenever the process dies.

    Raises:
        OSError: nothing is left under ``target``, nor under the temporary name.
    """
    with Landing() as landing:
        landing.copy(source, target, mode=WRITABLE if mode is None else mode)
        landing.land()


def write_whole(content: bytes, target: Path, *, mode: int | None = None) -> None:
    """Like ``copy_whole``, for bytes."""
    with Landing() as landing:
        landing.write(content, target, mode=WRITABLE if mode is None else mode)
        landing.land()


def write_once(content: bytes, target: Path, *, mode: int) -> bytes:
    """What ``target`` holds; ``content``, where nobody has made it before.

    Made under another name and linked: of several processes one is first, and nobody ever sees a
    part of it.
    """
    with suppress(FileNotFoundError):
        return target.read_bytes()
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=ARRIVING, dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(name, target)
        sync_directory(target.parent)
    finally:
        os.unlink(name)
    return target.read_bytes()


def sweep(folder: Path, *, before: datetime) -> None:
    """Remove what killed processes left anywhere in a folder: arriving files not touched since."""
    for left in folder.rglob(f"{ARRIVING}*"):
        with suppress(FileNotFoundError):
            if left.stat().st_mtime < before.timestamp():
                left.unlink()


@contextmanager
def taking_turns(lock: Path) -> Iterator[None]:
    """One holder of a lock file at a time, over all processes; it goes with its process.

    Raises:
        OSError: the lock file cannot be made.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def sync_directory(directory: Path) -> None:
    """Make renames in a directory survive a power failure."""
    _flush(directory)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
