"""People who were forgotten leave the lists that were shown to them, also those not yet written.

``.forgotten.json`` in a model's folder says who was forgotten lately. A writer looks at it while it
holds the lock of its file, a rewriting looks at a file after it was changed: so whichever of the
two is first, a list from before is not in the file afterwards.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import zstandard

from flyball.storage.files import Landing, write_whole
from flyball.storage.served_reading import lines

NAME, LOCK = ".forgotten.json", ".forgetting"

_REMEMBERED = timedelta(hours=1)
"""Far longer than a list waits until it is written."""

_Stamp = tuple[int, int, int]


class ForgottenUsers:
    """Who was forgotten lately, by the files of several folders; each is read when it changed."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[_Stamp | None, Mapping[str, int]]] = {}

    def of(self, folder: Path) -> Mapping[str, int]:
        """Milliseconds since 1970 until when a user's lists are not to be written, by user."""
        path, stamp = folder / NAME, None
        with suppress(FileNotFoundError):
            now = path.stat()
            stamp = (now.st_mtime_ns, now.st_size, now.st_ino)
        known = self._known.get(folder)
        if known is None or known[0] != stamp:
            known = self._known[folder] = (stamp, _read(path))
        return known[1]

    def add(self, folder: Path, user_id: str, now: datetime) -> None:
        """Let nobody write a list of this user from until ``now``. For the holder of ``LOCK``."""
        until, old = _ms(now), _ms(now - _REMEMBERED)
        recent = {user: at for user, at in _read(folder / NAME).items() if at > old}
        write_whole(msgspec.json.encode({**recent, user_id: until}), folder / NAME)


def without(path: Path, user_id: str) -> int:
    """Rewrite a file without a user's lists, where it has any; returns how many it had.

    For the holder of ``LOCK``: of two that rewrite one file, the second would bring back what the
    first removed.
    """
    marked = b'"user_id":' + msgspec.json.encode(user_id) + b","  # as the writer spells it
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return 0  # it grew too old meanwhile
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        gone = sum(marked in line for line in lines(path))
        if gone:
            with Landing() as landing:
                _copy(path, landing.place(path), marked)
                landing.land()
        return gone
    finally:
        os.close(descriptor)


def _copy(path: Path, target: Path, marked: bytes) -> None:
    """All other lines of a file."""
    with target.open("wb") as raw, zstandard.ZstdCompressor().stream_writer(raw) as file:
        for line in lines(path):
            if marked not in line:
                file.write(line)


def _read(path: Path) -> Mapping[str, int]:
    with suppress(FileNotFoundError):
        return msgspec.json.decode(path.read_bytes(), type=dict[str, int])
    return {}


def _ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)
