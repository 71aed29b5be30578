"""Which workflows this process is carrying out: to notice one whose end could not be recorded.

The engine writes each step's and each workflow's end to its database. Where that fails (a full
disk), the workflow stays unfinished there although nobody works on it any more. Whoever waits for
it must be told, and the lasting control process must take it up again.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable

from flyball.errors import FlyballError, StorageUnavailable

log = logging.getLogger("flyball.engine")

UNRECORDED_AFTER_S = 10.0
"""A workflow whose body ended so long ago, and that is still unfinished, could not be recorded."""

UNBEGUN_AFTER_S = 60.0
"""An engine that rested so long with work waiting for it cannot begin it."""


class Underway:
    """The workflows whose bodies run in this process. Thread-safe.

    Args:
        now: seconds, never going back.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._now = now
        self._running = 0
        self._rests_since = now()
        self._ended: dict[str, Exception | None] = {}

    def carried(
        self, workflow_id: Callable[[], str | None]
    ) -> Callable[[Callable[..., object]], Callable[..., object]]:
        """Decorates a workflow's body, so that it is counted while it runs.

        Args:
            workflow_id: tells the id of the workflow that the calling thread carries out.
        """

        def counted(body: Callable[..., object]) -> Callable[..., object]:
            @functools.wraps(body)
            def run(request: object) -> object:
                self._begin()
                error: Exception | None = None
                try:
                    return body(request)
                except Exception as raised:
                    error = raised
                    foreseen = isinstance(raised, FlyballError)
                    said = f": {raised}" if foreseen else ""
                    trace = None if foreseen else raised
                    log.info("%s was ended by an error%s", workflow_id(), said, exc_info=trace)
                    raise
                finally:
                    self._end(workflow_id() or "", error)

            return run

        return counted

    def rested_s(self) -> float:
        """How long nothing has been under way; 0 while something is."""
        with self._lock:
            return 0.0 if self._running else self._now() - self._rests_since

    def awaited(self) -> None:
        """There is work from now on: the engine has not rested so far."""
        with self._lock:
            self._rests_since = self._now()

    def check(self, workflow: str) -> None:
        """Nothing while an unfinished workflow is worked on.

        Raises:
            FlyballError: it is not: its end could not be recorded, or it could not be begun. The
                error that ended it, where that says more.
        """
        patience = UNRECORDED_AFTER_S if workflow in self._ended else UNBEGUN_AFTER_S
        if self.rested_s() < patience:
            return
        error = self._ended.get(workflow)
        if isinstance(error, FlyballError):
            raise error
        reason = f" ({' '.join(str(getattr(error, 'orig', error)).split())})" if error else ""
        raise StorageUnavailable(
            f"the progress of {workflow} could not be recorded{reason}; free space or fix the "
            "permissions of the home, then run the same command again: it continues from there"
        )

    def _begin(self) -> None:
        with self._lock:
            self._running += 1

    def _end(self, workflow: str, error: Exception | None) -> None:
        with self._lock:
            self._running -= 1
            self._rests_since = self._now()
            self._ended[workflow] = error
