"""The doctor's check of the spool: acknowledged events that wait on disk for the database."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flyball.doctor.finding import Finding, fail, ok, warn
from flyball.domain.text import many
from flyball.storage import spool_lines as lines
from flyball.storage.spool_files import listed

NEAR = 0.8
"""Part of the limit from which on it is told."""

ROOM = 64 * 1024
"""Bytes that a usual request of events takes; with less no more are kept."""

NAME = "spool"
_BACK = "bring the database back and run `flyball up`, or raise server.spool"


@dataclass(slots=True)
class Found:
    """What lies in a spool.

    Attributes:
        events: whole ones; some may be in the database already, until their file is done with.
        damaged: lines that were whole once and cannot be read.
        where: names of the files with damaged lines.
        size: bytes of all files.
    """

    events: int = 0
    damaged: int = 0
    where: tuple[str, ...] = ()
    size: int = 0


def spool(folder: Path, limit: int, *, running: bool) -> Finding:
    """Whether events wait, can be read, and have room. Nothing is locked or changed.

    Args:
        limit: bytes that they may take (``server.spool``).
        running: whether somebody is there to move them.
    """
    try:
        found = looked(folder)
    except OSError as error:
        said = f"{error.filename or folder} cannot be read: {error.strerror}"
        return fail(NAME, said, "change its permissions, or check the disk")
    waiting = f"{many(found.events, 'event')} in {found.size:,} of {limit:,} bytes"
    if found.damaged:
        said = f"{many(found.damaged, 'event')} damaged in {', '.join(found.where)}; {waiting}"
        advice = f"check the disk; copy the files from {folder} first, they go once they are moved"
        return fail(NAME, said, advice)
    if found.size > NEAR * limit:
        refused = limit - found.size < ROOM
        state, level = ("full", fail) if refused else ("nearly full", warn)
        return level(NAME, f"{state}: {waiting}", f"a full one refuses events; {_BACK}")
    if found.events and not running:
        return warn(NAME, waiting, "`flyball up` moves them into the database")
    if found.events:
        return ok(NAME, f"{waiting}; they are moved once the database takes them")
    return ok(NAME, "no event waits" if limit else "none may wait (server.spool is 0)")


def looked(folder: Path) -> Found:
    """Read all files of a spool; those that go meanwhile have nothing any more.

    Raises:
        OSError: one cannot be read.
    """
    found = Found()
    for path in listed(folder):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue
        read = [event is not None for event in lines.read(data)]
        found.size += len(data)
        found.events += sum(read)
        if not all(read):
            found.damaged += len(read) - sum(read)
            found.where += (path.name,)
    return found
