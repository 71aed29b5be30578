"""The files of the audit log: ``<day>-<pid>.jsonl``, then ``<day>-<pid>-<number>.jsonl``.

A file ends with its day, or when it takes a twentieth of what all of them may take. Then the files
of days that are over for too long go, and the oldest beyond the limit. What went for the limit's
sake is told: in the log of the process, and by a line in the next file.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count
from pathlib import Path

import structlog

from flyball.ports import Clock

PARTS = 20
"""A file ends when it takes this part of the limit: removing the oldest then costs little."""

_NAME = re.compile(r"\d{4}-\d\d-\d\d-\d+(-\d+)?\.jsonl", re.ASCII)
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class _Kept:
    day: date
    changed_ns: int
    path: Path
    size: int


class AuditFiles:
    """The files of one process, in a folder that others write to as well. For one thread.

    Args:
        directory: made with the first line.
        keep: files of days that ended longer ago go.
        limit: bytes of all files, of all processes; beyond that the oldest go. Each process may
            exceed it by a twentieth until its file ends.
        clock: gives the day, UTC.
    """

    def __init__(self, directory: Path, *, keep: timedelta, limit: int, clock: Clock) -> None:
        self._directory, self._keep, self._limit, self._clock = directory, keep, limit, clock
        self._day: date | None = None
        self._file = -1
        self._log = structlog.get_logger("flyball.access")

    def write(self, text: bytes) -> None:
        """Append whole lines.

        Raises:
            OSError: no space, no permission, or a link lies where the file should.
        """
        today = self._clock.now().date()
        if self._ended(today):
            self.close()
            text = self._begun(today) + text
        while text:
            text = text[os.write(self._file, text) :]

    def close(self) -> None:
        """Let go of the file; the next line opens it again."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _ended(self, today: date) -> bool:
        """Whether there is none, it is another day's, full, or was removed by another process."""
        if self._file < 0 or today != self._day:
            return True
        now = os.fstat(self._file)
        return not now.st_nlink or self._full(now.st_size)

    def _full(self, size: int) -> bool:
        return size * PARTS >= self._limit

    def _begun(self, today: date) -> bytes:
        """Open the next file; returns the line it begins with, if any."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        told = self._told(self._make_room(today))
        self._file, self._day = os.open(self._next(today), _FLAGS, 0o600), today
        return told

    def _told(self, dropped: list[_Kept]) -> bytes:
        if not dropped:
            return b""
        said: dict[str, object] = {
            "files": len(dropped),
            "bytes": sum(one.size for one in dropped),
            "since": str(dropped[0].day),
            "until": str(dropped[-1].day),
        }
        self._log.warning("the audit log was full: its oldest lines are gone", **said)
        why = "more than access.audit_limit: these are gone"
        return line(self._clock.now(), {"what": "dropped", "why": why, **said}).encode()

    def _next(self, today: date) -> Path:
        """This process's file of today that has room."""
        stem = f"{today.isoformat()}-{os.getpid()}"
        names = (f"{stem}-{number}.jsonl" if number else f"{stem}.jsonl" for number in count())
        return next(path for path in map(self._directory.joinpath, names) if self._roomy(path))

    def _roomy(self, path: Path) -> bool:
        try:
            found = path.lstat()
        except FileNotFoundError:
            return True
        return not self._full(found.st_size)

    def _make_room(self, today: date) -> list[_Kept]:
        """Remove what is too old, then the oldest beyond the limit; returns the latter."""
        found = sorted(self._found(), key=lambda one: (one.day, one.changed_ns))
        recent = [one for one in found if one.day >= today - self._keep]
        for one in found[: len(found) - len(recent)]:
            one.path.unlink(missing_ok=True)
        most = self._limit - self._limit // PARTS
        total, dropped = sum(one.size for one in recent), []
        for one in recent:
            if total <= most:
                break
            total -= one.size
            with suppress(FileNotFoundError):  # another process was faster, and tells of it
                one.path.unlink()
                dropped.append(one)
        return dropped

    def _found(self) -> Iterator[_Kept]:
        for path in self._directory.iterdir():
            if _NAME.fullmatch(path.name):
                with suppress(ValueError, FileNotFoundError):
                    about = path.lstat()
                    day = date.fromisoformat(path.name[:10])
                    yield _Kept(day, about.st_mtime_ns, path, about.st_size)


def line(at: datetime, said: dict[str, object]) -> str:
    """One line: ASCII only, so line ends, terminal sequences and look-alikes are escaped."""
    text = json.dumps({"at": at.isoformat(), **said}, ensure_ascii=True)
    return text.replace("\x7f", "\\u007f") + "\n"
