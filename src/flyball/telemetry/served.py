"""What was shown: lists wait here for a moment, and a thread of their own writes them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

import structlog

from flyball.domain.traffic import Shown
from flyball.errors import FlyballError
from flyball.ports import ServedLists

MOST = 20_000
"""Lists that may wait: seconds of traffic at the highest rate of a worker."""

TIDY_EVERY_S = 60.0


class ServedRecorder:
    """Takes lists without ever waiting, and writes them a moment later.

    ``note`` is for one thread, the one that answers; beyond ``most`` waiting lists the oldest go.

    Args:
        lists: where they are written.
        dropped: told how many were lost: too many waited, or they could not be written.
        period_s: seconds between two writes.
        most: how many may wait.
    """

    def __init__(
        self,
        lists: ServedLists,
        dropped: Callable[[int], None],
        *,
        period_s: float = 0.25,
        most: int = MOST,
    ) -> None:
        self._lists, self._dropped, self._period_s = lists, dropped, period_s
        self._waiting: deque[Shown] = deque(maxlen=most)
        self._most, self._pushed_out = most, 0
        self._reported = 0
        self._failing = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="served", daemon=True)
        self._log = structlog.get_logger("flyball.served")

    def note(self, shown: Shown) -> None:
        """Take one list; it is written within ``period_s``."""
        waiting = self._waiting
        if len(waiting) == self._most:
            self._pushed_out += 1
        waiting.append(shown)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, and end the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self.flush()

    def flush(self) -> None:
        """Write what waits. What cannot be written is dropped: answers do not wait for a disk."""
        # one by one: ``note`` goes on appending, and must not meet another deque
        taken = [self._waiting.popleft() for _ in range(len(self._waiting))]
        pushed_out, self._reported = self._pushed_out - self._reported, self._pushed_out
        if pushed_out:
            self._dropped(pushed_out)
        if not taken:
            return
        try:
            self._lists.append(taken)
        except FlyballError as error:
            self._dropped(len(taken))
            if not self._failing:
                self._log.warning("what was shown cannot be written", reason=str(error))
            self._failing = True
        else:
            if self._failing:
                self._log.info("what was shown is written again")
            self._failing = False

    def tidy(self) -> None:
        """Remove lists that are older, or take more, than is kept."""
        try:
            self._lists.tidy()
        except FlyballError as error:
            self._log.warning("old lists cannot be removed", reason=str(error))

    def _run(self) -> None:
        until_tidy = 0.0
        while not self._stop.wait(self._period_s):
            self.flush()
            until_tidy -= self._period_s
            if until_tidy <= 0:
                self.tidy()
                until_tidy = TIDY_EVERY_S
