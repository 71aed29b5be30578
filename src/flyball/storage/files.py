"""Files that are whole or not there: copies through a temporary name, flushed, then renamed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from flyball.errors import StorageUnavailable

READ_ONLY = 0o444


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


def copy_whole(source: Path, target: Path, *, mode: int | None = None) -> None:
    """Copy a file so that ``target`` is never half-written, whenever the process dies.

    Raises:
        OSError: nothing is left under ``target``, nor under the temporary name.
    """
    with (
        _arriving(target, mode) as temporary,
        source.open("rb") as reader,
        temporary.open("wb") as writer,
    ):
        shutil.copyfileobj(reader, writer, 1 << 20)
        _flush(writer)


def write_whole(content: bytes, target: Path, *, mode: int | None = None) -> None:
    """Like ``copy_whole``, for bytes."""
    with _arriving(target, mode) as temporary, temporary.open("wb") as writer:
        writer.write(content)
        _flush(writer)


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
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _arriving(target: Path, mode: int | None) -> Iterator[Path]:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".arriving-", dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644 if mode is None else mode)
        temporary.replace(target)
        sync_directory(target.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _flush(writer: BinaryIO) -> None:
    writer.flush()
    os.fsync(writer.fileno())
