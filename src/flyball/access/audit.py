"""Who was refused, who signed in, who used what only an administrator may: one JSON line each.

``<home>/audit/<day>-<pid>.jsonl``, readable by its owner only. A thread writes; whoever notes
something never waits for a disk. A flood of equal refusals becomes a few lines and a count.
Everything a caller sent is escaped, and nothing of a secret is ever passed in.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import structlog

from flyball.ports import Clock
from flyball.settings import Settings

EVERY_S = 0.25
"""How long lines are gathered before they are written."""

WHOLE = 10
"""Of lines that tell the same of the same caller in that time, so many are written whole."""

MOST_KINDS = 1_000
"""Kinds of lines told apart in that time; what comes on top is counted together."""

PATH_CHARS = 200
TEXT_CHARS = 300


@dataclass(frozen=True, slots=True)
class Note:
    """What happened.

    Attributes:
        subject: who it was: ``Caller.subject``, or what they said they were.
        address: where from.
        method, path: of the request.
        what: ``"refused"``, ``"sign-in"``, ``"refresh"``, ``"revoke"`` or ``"admin"``.
        why: in a word or a sentence; empty where it went well.
        status: of the answer.
    """

    subject: str
    address: str
    method: str
    path: str
    what: str
    why: str
    status: int

    @property
    def kind(self) -> tuple[str, str, str, str, int]:
        """Notes of one kind are counted together in a flood."""
        return (self.subject, self.address, self.what, self.why, self.status)


OTHERS = ("others", "", "refused", "too many kinds of callers at once", 0)


class Audit:
    """The writer of one process. Thread-safe.

    Attributes:
        lost: notes that could not be written.

    Args:
        directory: where the files lie.
        keep: for how long.
        clock: gives the time and the day, UTC.
    """

    def __init__(self, directory: Path, *, keep: timedelta, clock: Clock) -> None:
        self.lost = 0
        self._directory, self._keep, self._clock = directory, keep, clock
        self._lock = threading.Lock()
        self._lines: list[tuple[datetime, Note]] = []
        self._counts: dict[tuple[str, str, str, str, int], int] = {}
        self._day: date | None = None
        self._file = -1
        self._any = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._log = structlog.get_logger("flyball.access")

    def note(self, note: Note) -> None:
        """Have it written within a second."""
        note = replace(
            note,
            subject=note.subject[:TEXT_CHARS],
            address=note.address[:TEXT_CHARS],
            path=note.path[:PATH_CHARS],
            why=note.why[:TEXT_CHARS],
        )
        with self._lock:
            known = self._counts.get(note.kind, 0)
            if not known and len(self._counts) >= MOST_KINDS:
                self._counts[OTHERS] = self._counts.get(OTHERS, WHOLE) + 1
                return
            self._counts[note.kind] = known + 1
            if known < WHOLE:
                self._lines.append((self._clock.now(), note))
        self._any.set()

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is left, and end."""
        self._stop.set()
        self._any.set()
        if self._thread.is_alive():
            self._thread.join()
        self.flush()
        self._close()

    def flush(self) -> None:
        """Write what was noted so far."""
        with self._lock:
            lines, counts = self._lines, self._counts
            self._lines, self._counts = [], {}
            self._any.clear()
        if not counts:
            return
        try:
            self._write("".join(self._told(lines, counts)).encode("ascii"))
        except OSError as error:
            if not self.lost:
                self._log.error("the audit log cannot be written", reason=str(error))
            self.lost += sum(counts.values())

    def _run(self) -> None:
        while not self._stop.is_set():
            self._any.wait()
            self._stop.wait(EVERY_S)
            self.flush()

    def _told(
        self,
        lines: list[tuple[datetime, Note]],
        counts: dict[tuple[str, str, str, str, int], int],
    ) -> Iterator[str]:
        for at, note in lines:
            yield _line(at, asdict(note) | {"path": escaped_path(note.path)})
        now = self._clock.now()
        for (subject, address, what, why, status), count in counts.items():
            if count > WHOLE:
                more = {"subject": subject, "address": address, "what": what, "why": why}
                yield _line(now, more | {"status": status, "more": count - WHOLE})

    def _write(self, text: bytes) -> None:
        today = self._clock.now().date()
        if today != self._day or self._file < 0:
            self._close()
            self._open(today)
        while text:
            text = text[os.write(self._file, text) :]

    def _open(self, today: date) -> None:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._forget(today - self._keep)
        path = self._directory / f"{today.isoformat()}-{os.getpid()}.jsonl"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file, self._day = os.open(path, flags, 0o600), today

    def _forget(self, before: date) -> None:
        """Remove the files of days that are over for too long."""
        for path in self._directory.glob("????-??-??-*.jsonl"):
            with suppress(ValueError, FileNotFoundError):
                if date.fromisoformat(path.name[:10]) < before:
                    path.unlink()

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def of_home(settings: Settings, clock: Clock) -> Audit:
    """The audit log of an installation, for one of its processes."""
    directory = settings.home.resolve() / "audit"
    return Audit(directory, keep=settings.access.keep_audit, clock=clock)


def escaped_path(path: str) -> str:
    """A path in printable ASCII, cut to a length that a line can carry."""
    return quote(path, safe="/:@!$&'()*+,;=-._~", errors="replace")[:PATH_CHARS]


def _line(at: datetime, said: dict[str, object]) -> str:
    # ASCII only, so line ends, terminal sequences and look-alikes are escaped; 7f by hand
    text = json.dumps({"at": at.isoformat(), **said}, ensure_ascii=True)
    return text.replace("\x7f", "\\u007f") + "\n"
