"""Standard input, kept as a file: another process, or a later one, can read it again."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from flyball.errors import DataQualityError
from flyball.storage.files import READ_ONLY, storing, sync_directory

_PIECE = 1 << 20
_NAME = re.compile(r"stdin-[0-9a-f]{64}")


def spool(stream: BinaryIO, directory: Path, *, by: Path | None = None) -> Path:
    """Copy a stream to a file that is named by its content.

    Whole or not there; the same content again is the same file. Needs 1 MiB of memory.

    Args:
        by: a folder on the same disk that is swept when this process was killed, by which it
            arrives; ``directory`` where None.

    Returns:
        ``<directory>/stdin-<SHA-256>``, read-only. Who spooled it removes it.

    Raises:
        DataQualityError: the stream is empty.
        StorageUnavailable: it cannot be stored.
    """
    with storing("standard input"):
        directory.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".arriving-", dir=by or directory)
        arriving = Path(name)
        try:
            with open(handle, "wb") as file:
                sha256 = hashlib.sha256()
                while piece := stream.read(_PIECE):
                    sha256.update(piece)
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            if not arriving.stat().st_size:
                raise DataQualityError("standard input is empty; pipe the data into the command")
            arriving.chmod(READ_ONLY)
            target = directory / f"stdin-{sha256.hexdigest()}"
            arriving.replace(target)
            sync_directory(directory)
            return target
        finally:
            with suppress(OSError):
                arriving.unlink(missing_ok=True)


def is_spooled(location: str) -> bool:
    """Whether a location is a file that ``spool`` made."""
    return _NAME.fullmatch(Path(location).name) is not None
