"""Folders for work in progress: each process has its own, and locks it while it lives.

Commands that do not hold the home (``data forget``, ``data diff``) work beside one that does. So a
folder may be removed only when its process is gone, which its lock tells.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from flyball.errors import StorageUnavailable


@contextmanager
def own_folder(parent: Path) -> Iterator[Path]:
    """A folder of this process's own, gone at the end.

    Raises:
        StorageUnavailable: it cannot be made.
    """
    try:
        folder, descriptor = _locked(parent)
    except OSError as error:
        raise StorageUnavailable(
            f"no folder can be made in {parent}: {error.strerror}; free space or fix the "
            "permissions, then run the same command again"
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _locked(parent: Path) -> tuple[Path, int]:
    """A new folder and what holds its lock; one that was swept before it had its lock is let go."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix="process-", dir=parent))
        with suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            if folder.exists():
                return folder, descriptor
            os.close(descriptor)


def sweep(parent: Path) -> None:
    """Remove what processes that are gone left half-done."""
    for left in parent.iterdir():
        try:
            descriptor = os.open(left, os.O_RDONLY)
        except OSError:
            continue  # its process has just removed it
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(left)
        except BlockingIOError:
            continue  # its process is at work
        finally:
            os.close(descriptor)


def _remove(left: Path) -> None:
    if left.is_dir():
        shutil.rmtree(left, ignore_errors=True)
    else:
        with suppress(OSError):
            left.unlink()
