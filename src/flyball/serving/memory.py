"""A worker that has grown too large ends, and a fresh one takes its place; one at a time."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

RECYCLED = 75
"""The exit code of a worker that wants to be started again at once (``EX_TEMPFAIL``)."""

LOOK_EVERY_S = 5.0
SETTLED_S = 60.0
"""Seconds after which a worker holds what it needs; what comes on top of it later may be a leak."""

APART_S = 20.0
"""Seconds between the ends of two workers: one drains and the next is ready again."""

_MORE = 1.5


def own_bytes() -> int:
    """Memory that is this process's alone, swapped out or not; mapped models are not. Linux only.

    Returns:
        0 where the system does not tell.
    """
    if sys.platform != "linux":
        return 0
    with open("/proc/self/status", "rb") as status:
        lines = [line.split() for line in status if line.startswith((b"RssAnon:", b"VmSwap:"))]
    return sum(int(line[1]) for line in lines) * 1024


class Recycling:
    """Tells a worker when its time has come; call it often.

    The limit gives way where a fresh worker needs more: then it is half as much again as this one
    held once it had settled.

    Args:
        home: the installation, whose workers take turns.
        limit: bytes; 0 sets no limit.
        end: called once it is time.
        measure: bytes held now.
        settled_s, look_every_s, apart_s: see above.
    """

    def __init__(
        self,
        home: Path,
        limit: int,
        end: Callable[[], None],
        *,
        measure: Callable[[], int] = own_bytes,
        settled_s: float = SETTLED_S,
        look_every_s: float = LOOK_EVERY_S,
        apart_s: float = APART_S,
    ) -> None:
        self._path = home / "run" / "recycling"
        self._limit, self._end, self._measure = limit, end, measure
        self._apart_s, self._every_s = apart_s, look_every_s
        self._next = time.monotonic() + settled_s
        self._settled = False
        self._turn: int | None = None

    def __call__(self) -> None:
        """Look whether it is time; at most every few seconds."""
        if not self._limit or self._turn is not None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._every_s
        held = self._measure()
        if not self._settled:
            self._settle(held)
        if held > self._limit and self._take_turn():
            _log().warning(
                "this worker has grown beyond server.worker_memory; a fresh one takes its place",
                held_bytes=held,
                limit_bytes=self._limit,
            )
            self._end()

    def _settle(self, held: int) -> None:
        self._settled = True
        if held > self._limit:
            raised = int(held * _MORE)
            _log().warning(
                "a fresh worker needs more than server.worker_memory; raise it",
                held_bytes=held,
                limit_bytes=self._limit,
                replaced_beyond_bytes=raised,
            )
            self._limit = raised

    def _take_turn(self) -> bool:
        """Whether no other worker of this home ends or has just ended; held until this one has."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        turn = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(turn)
            return False
        about = os.fstat(turn)
        if about.st_size and time.time() - about.st_mtime < self._apart_s:
            os.close(turn)
            return False
        os.pwrite(turn, b"%-20d" % os.getpid(), 0)
        self._turn = turn
        return True


def _log() -> Any:
    return structlog.get_logger("flyball.worker")
