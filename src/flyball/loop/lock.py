"""One control process a home: a lock that the operating system lets go when its holder dies."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from flyball.errors import AlreadyRunning, StorageUnavailable

CONTROL = "flyball up"
"""The role of the lasting control process; a command that works alone has its own name."""

_LOOKS = 1000
"""Tries to get past others who only look; each look of theirs takes microseconds."""


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
    me = Holder(
        role=role,
        pid=os.getpid(),
        host=socket.gethostname(),
        started_at=now.isoformat(timespec="seconds"),
    )
    path = home / "control.lock"
    with ExitStack() as held:
        try:
            home.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            held.callback(os.close, descriptor)
            _take(descriptor, home)
            held.callback(os.ftruncate, descriptor, 0)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(asdict(me)).encode(), 0)
        except OSError as error:
            raise StorageUnavailable(
                f"{path} cannot be written: {error.strerror}; free space or fix its permissions, "
                "or choose another --home"
            ) from error
        yield


def _take(descriptor: int, home: Path) -> None:
    """Lock the file, or raise AlreadyRunning.

    ``holder`` looks at the lock by sharing it for an instant, and such a look is not a holder.
    """
    for _ in range(_LOOKS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if (who := holder(home)) is not None:
                break
    raise AlreadyRunning(
        f"{home} is held by {who or 'another process'}; wait until it is done, stop it, "
        "or choose another --home"
    )


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
