"""Who was refused, who signed in, who used what only an administrator may: one JSON line each.

``<home>/audit/<day>-<pid>.jsonl``, readable by its owner only (``flyball.access.audit_files``). A
thread writes; whoever notes something never waits for a disk. A flood of equal refusals becomes a
few lines and a count. Everything a caller sent is escaped, and nothing of a secret is ever passed
in.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import structlog

from flyball.access.audit_files import AuditFiles, line
from flyball.ports import Clock
from flyball.settings import Settings

EVERY_S = 0.25
"""How long lines are gathered before they are written."""

FLOOD = timedelta(minutes=1)
"""How long refusals are counted together. Else one program with a wrong key writes a gigabyte a
day. What was let in is counted together for ``EVERY_S`` only."""

WHOLE = 10
"""Of lines that tell the same of the same caller in that time, so many are written whole."""

MOST_KINDS = 10_000
"""Kinds of lines told apart in that time; what comes on top is counted together."""

REFUSED = "refused"

_Kind = tuple[str, str, str, str, int]

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
    def kind(self) -> _Kind:
        """Notes of one kind are counted together in a flood."""
        return (self.subject, self.address, self.what, self.why, self.status)


OTHERS: _Kind = ("others", "", REFUSED, "too many kinds of callers at once", 0)


class Audit:
    """The writer of one process. Thread-safe.

    Attributes:
        lost: notes that could not be written.

    Args:
        directory: where the files lie.
        keep: for how long.
        limit: bytes of all files; beyond that the oldest go, and a line tells of it.
        clock: gives the time and the day, UTC.
    """

    def __init__(self, directory: Path, *, keep: timedelta, limit: int, clock: Clock) -> None:
        self.lost = 0
        self._clock = clock
        self._files = AuditFiles(directory, keep=keep, limit=limit, clock=clock)
        self._lock = threading.Lock()
        self._lines: list[tuple[datetime, Note]] = []
        self._counts: dict[_Kind, int] = {}
        self._refused: dict[_Kind, int] = {}
        self._since = clock.now()
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
            if note.what == REFUSED and not self._refused:
                self._since = self._clock.now()
            counts = self._refused if note.what == REFUSED else self._counts
            known = counts.get(note.kind, 0)
            if not known and len(counts) >= MOST_KINDS:
                self._refused[OTHERS] = self._refused.get(OTHERS, WHOLE) + 1
                return
            counts[note.kind] = known + 1
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
        self.flush(last=True)
        self._files.close()

    def flush(self, *, last: bool = False) -> None:
        """Write the lines that were noted so far, and the counts whose time is over.

        Args:
            last: all counts.
        """
        now = self._clock.now()
        with self._lock:
            lines, counts = self._lines, self._counts
            self._lines, self._counts = [], {}
            if last or not self._since <= now < self._since + FLOOD:
                counts, self._refused = counts | self._refused, {}
            self._any.clear()
        more = {kind: count - WHOLE for kind, count in counts.items() if count > WHOLE}
        if not lines and not more:
            return
        try:
            self._files.write("".join(self._told(lines, more)).encode("ascii"))
        except OSError as error:
            if not self.lost:
                self._log.error("the audit log cannot be written", reason=str(error))
            self.lost += len(lines) + sum(more.values())

    def _run(self) -> None:
        while not self._stop.is_set():
            self._any.wait(FLOOD.total_seconds())
            self._stop.wait(EVERY_S)
            self.flush()

    def _told(
        self,
        lines: list[tuple[datetime, Note]],
        more: dict[_Kind, int],
    ) -> Iterator[str]:
        for at, note in lines:
            yield line(at, asdict(note) | {"path": escaped_path(note.path)})
        now = self._clock.now()
        for (subject, address, what, why, status), count in more.items():
            about = {"subject": subject, "address": address, "what": what, "why": why}
            yield line(now, about | {"status": status, "more": count})


def of_home(settings: Settings, clock: Clock) -> Audit:
    """The audit log of an installation, for one of its processes."""
    directory = settings.home.resolve() / "audit"
    access = settings.access
    return Audit(directory, keep=access.keep_audit, limit=access.audit_limit, clock=clock)


def escaped_path(path: str) -> str:
    """A path in printable ASCII, cut to a length that a line can carry."""
    return quote(path, safe="/:@!$&'()*+,;=-._~", errors="replace")[:PATH_CHARS]
