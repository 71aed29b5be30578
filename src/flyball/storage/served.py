"""Lists that were shown, in files: the port ``ServedLists``.

::

    <home>/served/<model>/<YYYY-MM-DD>/<HH>-<pid>-<opened>.jsonl.zst

One list a line, each write a zstd frame of its own, so that a file can be read while it grows, and
a process that is killed leaves at most its last frame torn. All of a day, in one line::

    polars.scan_ndjson(".flyball/served/games/2026-03-01/*.jsonl.zst").collect()

A file has one writer. Who rewrites or removes one puts another in its place, or none: the writer
sees that its own has no name any more, and begins the next.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec
import zstandard

from flyball.domain.traffic import Shown
from flyball.ports import Clock
from flyball.storage.files import storing, sweep, taking_turns
from flyball.storage.served_forgotten import LOCK, ForgottenUsers, without
from flyball.storage.served_reading import ENDING, files_in, hour_of

if TYPE_CHECKING:
    import polars as pl

HOUR_MS = 3_600_000
_FRAME = 500
"""Lists that are encoded and written at a time: so the lock of Python is held briefly."""

_ROLLS = 20
"""A file ends when it takes this part of the limit: removing the oldest then costs little."""

_LEVEL = 1
"""Of zstd: the fastest."""

_ENCODER = msgspec.json.Encoder()


@dataclass(slots=True)
class _Open:
    hour: int
    descriptor: int


class FileServed:
    """Lists in a folder. One instance a process; thread-safe.

    Args:
        folder: made with the first list.
        keep: lists of hours that ended longer ago are removed.
        limit: bytes in all; beyond that the oldest are removed.
        clock: tells what is old.
    """

    def __init__(self, folder: Path, *, keep: timedelta, limit: int, clock: Clock) -> None:
        self._folder, self._keep, self._limit, self._clock = folder, keep, limit, clock
        self._files: dict[str, _Open] = {}
        self._forgotten = ForgottenUsers()
        self._lock = threading.Lock()

    def append(self, lists: Sequence[Shown]) -> None:
        """See ``ServedLists.append``."""
        groups: dict[tuple[str, int], list[Shown]] = defaultdict(list)
        for shown in lists:
            groups[shown.model, shown.shown_at // HOUR_MS].append(shown)
        with self._lock, storing(f"what was shown, in {self._folder}"):
            for (model, hour), group in groups.items():
                for start in range(0, len(group), _FRAME):
                    self._write(model, hour, group[start : start + _FRAME])

    def close(self) -> None:
        """Let go of the files; the next list opens others."""
        with self._lock:
            for file in self._files.values():
                os.close(file.descriptor)
            self._files.clear()

    def read(self, model: str, *, since: datetime, until: datetime) -> pl.DataFrame:
        """See ``ServedLists.read``."""
        from flyball.storage.served_reading import read

        with storing(f"what was read of {self._folder}"):
            return read(self._of(model), since, until)

    def forget(self, model: str, user_id: str) -> int:
        """See ``ServedLists.forget``."""
        folder = self._of(model)
        with storing(f"the lists of {model} without {user_id}"), taking_turns(folder / LOCK):
            # before the files are looked at: a list that waits in some worker is then not written
            self._forgotten.add(folder, user_id, self._clock.now())
            return sum(without(path, user_id) for path in files_in(folder))

    def tidy(self) -> int:
        """See ``ServedLists.tidy``."""
        now, freed = self._clock.now(), 0
        with storing(f"the lists that are kept in {self._folder}"):
            files = [path for model in self._folder.glob("*/") for path in files_in(model)]
            found = sorted(files, key=lambda path: (hour_of(path), path.name))
            sizes = {path: size for path in found if (size := _size(path)) is not None}
            total, oldest = sum(sizes.values()), now - self._keep
            for path, size in sizes.items():
                ended = hour_of(path) + timedelta(hours=1)
                if ended > oldest and total - freed <= self._limit:
                    break
                path.unlink(missing_ok=True)
                freed += size
            self._sweep(now)
        return freed

    def _of(self, model: str) -> Path:
        return self._folder / quote(model, safe="")

    def _write(self, model: str, hour: int, lists: Sequence[Shown]) -> None:
        with self._turn(model, hour) as descriptor:
            since = self._forgotten.of(self._of(model))
            if since:
                lists = [shown for shown in lists if shown.shown_at > since.get(shown.user_id, -1)]
            if not lists:
                return
            lines = _ENCODER.encode_lines(lists)
            _write_whole(descriptor, zstandard.ZstdCompressor(level=_LEVEL).compress(lines))

    @contextmanager
    def _turn(self, model: str, hour: int) -> Iterator[int]:
        """This process's file of a model and hour, locked, and still under its name."""
        while True:
            file = self._files.get(model)
            if file is None or file.hour != hour:
                file = self._begun(model, hour)
            fcntl.flock(file.descriptor, fcntl.LOCK_EX)
            try:
                now = os.fstat(file.descriptor)
                if now.st_nlink and now.st_size * _ROLLS < max(self._limit, _ROLLS):
                    yield file.descriptor
                    return
            finally:
                fcntl.flock(file.descriptor, fcntl.LOCK_UN)
            os.close(self._files.pop(model).descriptor)

    def _begun(self, model: str, hour: int) -> _Open:
        if (before := self._files.pop(model, None)) is not None:
            os.close(before.descriptor)
        at = datetime.fromtimestamp(hour * HOUR_MS / 1000, UTC)
        folder = self._of(model) / f"{at:%Y-%m-%d}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{at:%H}-{os.getpid()}-{time.time_ns():x}{ENDING}"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
        made = self._files[model] = _Open(hour, os.open(path, flags, 0o600))
        return made

    def _sweep(self, now: datetime) -> None:
        """Remove days without a list, and what killed processes left half-made."""
        sweep(self._folder, before=now - timedelta(hours=1))
        for day in self._folder.glob("*/*/"):
            if day.name < f"{now - timedelta(days=1):%Y-%m-%d}":
                with suppress(OSError):  # it is not empty
                    day.rmdir()


def _size(path: Path) -> int | None:
    with suppress(FileNotFoundError):  # somebody else removed it
        return path.stat().st_size
    return None


def _write_whole(descriptor: int, content: bytes) -> None:
    """Append everything or nothing."""
    before, left = os.fstat(descriptor).st_size, memoryview(content)
    try:
        while left:
            left = left[os.write(descriptor, left) :]
    except OSError:
        os.ftruncate(descriptor, before)
        raise
