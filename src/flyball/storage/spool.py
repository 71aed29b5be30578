"""Events that wait on disk while the database is away.

A process writes them to files of its own in one folder of the home, and holds each file's lock
(``flock``) for as long as it lives. So the files of a process that died are there for the taking,
and exactly one takes each. A file is removed once all its events are in the database; a crash
before that moves some of them again, which ``event_id`` makes harmless.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import structlog

from flyball.domain.traffic import Event
from flyball.errors import StorageUnavailable
from flyball.storage import spool_files as files
from flyball.storage import spool_lines as lines
from flyball.storage.faults import translated
from flyball.storage.spool_files import SpoolFile

FILE_BYTES = 8 * 1024 * 1024
"""A file that has grown so large is followed by another: what was moved is freed soon."""

PART_BYTES = 512 * 1024
"""Of a file that are read at a time: about 1,500 events."""

LIMIT_BYTES = 256 * 1024 * 1024


class SpoolFull(StorageUnavailable):
    """As many events wait on disk as may; send these again later."""

    title: ClassVar[str] = "Too many events wait for the database"


class Spool:
    """What waits in the files that this process holds. Thread-safe.

    One thread at a time may take events out (``first``, then ``drop``).

    Args:
        folder: of all processes of the home; made when it is needed.
        limit: bytes that all files together may take; 0: nothing may wait.
    """

    def __init__(self, folder: Path, limit: int = LIMIT_BYTES) -> None:
        self.folder, self.limit = folder, limit
        self.mark = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._files: list[SpoolFile] = []
        self._open: SpoolFile | None = None  # the one that is written to
        self._given: tuple[SpoolFile, int, int] | None = None
        self._lock = threading.Lock()
        self._log = structlog.get_logger("flyball.spool")

    @property
    def waiting(self) -> int:
        """Events in the files that this process holds."""
        return sum(file.waiting for file in self._files)

    def size(self) -> int:
        """Bytes of all files of the folder, whoever holds them."""
        return sum(files.size_of(path) for path in files.listed(self.folder))

    def append(self, events: Sequence[Event]) -> None:
        """Keep events; they are on disk when this returns.

        Raises:
            SpoolFull: the limit is reached; none was kept.
            StorageUnavailable: the disk is full or cannot be written; none was kept.
            InvalidRequest: an event cannot be written as JSON; none was kept.
        """
        data = lines.written(events)
        with self._lock, translated(f"the spool {self.folder}"):
            if self.limit == 0 or self.size() + len(data) > self.limit:
                raise SpoolFull(
                    f"the database is away, and events may take {self.limit:,} bytes in "
                    f"{self.folder} (setting server.spool); send these again later"
                )
            if self._open is None or self._open.size >= FILE_BYTES:
                self._open = self._made()
            self._write(self._open, data)
            self._open.size += len(data)
            self._open.waiting += len(events)

    def adopt(self) -> int:
        """Take over the files that no process holds any more; returns how many events they hold.

        Raises:
            StorageUnavailable: a file cannot be read.
        """
        adopted = 0
        with self._lock, translated(f"the spool {self.folder}"):
            ours = {file.path for file in self._files}
            for path in files.listed(self.folder):
                if path not in ours and (file := files.taken(path)) is not None:
                    self._files.append(file)
                    adopted += file.waiting
                    self._retire(file)
            if adopted:
                self._files.sort(key=lambda file: file.path.name)
        return adopted

    def first(self) -> list[Event]:
        """The first events that wait, in their order. ``drop`` them, or get them again.

        A line that the disk damaged is passed over, and told of in the log.

        Raises:
            StorageUnavailable: they cannot be read.
        """
        with self._lock, translated(f"the spool {self.folder}"):
            file = next((file for file in self._files if file.waiting), None)
            if file is None:
                return []
            data = files.read(file.fd, file.done, min(file.size, file.done + PART_BYTES))
            self._given = (file, file.done + lines.whole(data), data.count(b"\n"))
            if not lines.whole(data):  # somebody cut the file
                self._given = (file, file.size, file.waiting)
                self._log.error("events are gone from disk", file=file.path.name, lost=file.waiting)
        read = list(lines.read(data))
        damaged = sum(event is None for event in read)
        if damaged:
            self._log.error("events were damaged on disk", file=file.path.name, lost=damaged)
        return [event for event in read if event is not None]

    def drop(self) -> None:
        """Let go of the events that ``first`` gave last: they are safe elsewhere."""
        with self._lock:
            if self._given is None:
                return
            file, done, count = self._given
            self._given = None
            file.done, file.waiting = done, file.waiting - count
            self._retire(file)

    def close(self) -> None:
        """Let go of all files: another process may take them over."""
        with self._lock:
            for file in self._files:
                os.close(file.fd)
            self._files.clear()
            self._open = self._given = None

    def _made(self) -> SpoolFile:
        made = None
        while made is None:  # another process may take a new file for one that was left
            name = f"{time.time_ns():020d}-{self.mark}{files.SUFFIX}"
            made = files.created(self.folder / name)
        self._files.append(made)
        return made

    def _write(self, file: SpoolFile, data: bytes) -> None:
        try:
            files.write(file, data)
        except OSError:
            # What was written is taken back, and nothing more is written to this file: what a
            # disk makes of a write that failed, nobody knows.
            with suppress(OSError):
                os.ftruncate(file.fd, file.size)
            self._open = None
            self._retire(file)
            raise

    def _retire(self, file: SpoolFile) -> None:
        """Remove a file of which nothing waits any more."""
        if file.waiting:
            return
        if self._open is file:
            self._open = None
        self._files.remove(file)
        with suppress(FileNotFoundError):
            file.path.unlink()
        os.close(file.fd)
