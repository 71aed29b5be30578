"""Reads a spool that other processes write to, so that each worker knows what they were told."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from flyball.domain.traffic import Event
from flyball.storage import spool_lines as lines
from flyball.storage.faults import translated
from flyball.storage.spool_files import listed

PAGE_BYTES = 1024 * 1024
"""Read of one file at a time."""


class SpoolTail:
    """Reads what processes write to the spool of a home, as it comes. For one thread.

    Args:
        folder: the spool's.
        mark: of the own spool: the files that this process wrote are passed over.
    """

    def __init__(self, folder: Path, mark: str) -> None:
        self._folder, self._mark = folder, mark
        self._read: dict[str, int] = {}

    def new(self) -> list[Event]:
        """Events that others wrote and that were not read before, a page of each file.

        Empty: there are no more now. Where a file goes meanwhile its events are in the database.

        Raises:
            StorageUnavailable: a file cannot be read; the next call goes on.
        """
        events: list[Event] = []
        with translated(f"the spool {self._folder}"):
            found = [path for path in listed(self._folder) if self._mark not in path.name]
            self._read = {path.name: self._read.get(path.name, 0) for path in found}
            for path in found:
                with suppress(FileNotFoundError), path.open("rb") as file:
                    file.seek(self._read[path.name])
                    data = file.read(PAGE_BYTES)
                    self._read[path.name] += lines.whole(data)
                    events += (event for event in lines.read(data) if event is not None)
        return events
