"""One control process a home: a lock that the operating system lets go when its holder dies."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from flyball.errors import AlreadyRunning, StorageUnavailable

CONTROL = "flyball up"
"""The role of the lasting control process; a command that works alone has its own name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a home: ``role`` is the command, ``started_at`` ISO 8601 in UTC."""

    role: str
    pid: int
    host: str
    started_at: str

    def __str__(self) -> str:
        return f"`{self.role}` (process {self.pid} on {self.host}, since {self.started_at})"


@contextmanager
def control_lock(home: Path, role: str, *, now: datetime) -> Iterator[None]:
    """Hold the home while inside.

    Raises:
        AlreadyRunning: says who holds it.
        StorageUnavailable: the home cannot be written.
    """
    path = home / "control.lock"
    try:
        home.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StorageUnavailable(f"{path} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        who = holder(home) or "another process"
        raise AlreadyRunning(
            f"{home} is held by {who}; wait until it is done, stop it, or choose another --home"
        ) from None
    me = Holder(
        role=role,
        pid=os.getpid(),
        host=socket.gethostname(),
        started_at=now.isoformat(timespec="seconds"),
    )
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(asdict(me)).encode(), 0)
        yield
    finally:
        os.ftruncate(descriptor, 0)
        os.close(descriptor)


def holder(home: Path) -> Holder | None:
    """Who holds the home now, or None. Never blocks and never takes the lock from anybody."""
    path = home / "control.lock"
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None
    except BlockingIOError:
        pass
    except OSError:
        return None
    try:
        return Holder(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return Holder(role="unknown", pid=0, host="unknown", started_at="unknown")
