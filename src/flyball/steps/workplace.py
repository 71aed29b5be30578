"""A temporary folder for one piece of work, on the home's disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from flyball.errors import StorageUnavailable


@contextmanager
def workplace(scratch: Path, *, prefix: str, failed: str) -> Iterator[Path]:
    """A temporary folder; a disk that refuses is said so.

    Args:
        scratch: where it is made.
        prefix: how its name begins.
        failed: what could not be done then, as people may see it: no password, no name of a person.

    Raises:
        StorageUnavailable: no space or no permission, for the folder or for what is done inside.
    """
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=prefix, dir=scratch) as folder:
            yield Path(folder)
    except (OSError, pl.exceptions.ComputeError) as error:  # polars has its own for a full disk
        what = getattr(error, "strerror", None) or str(error)
        raise StorageUnavailable(
            f"{failed}: {what} ({scratch}); free space or fix the permissions, then run the same "
            "command again"
        ) from error
