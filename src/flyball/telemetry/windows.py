"""One-second windows of what this process served, by version; stored by a thread of their own."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from flyball.domain.traffic import Window
from flyball.errors import FlyballError
from flyball.ports import Clock, Events
from flyball.stats import latency

KEEP_S = 600.0
"""Seconds of windows that are kept in memory while they cannot be stored."""


@dataclass(slots=True)
class _Counts:
    requests: int = 0
    errors: int = 0
    latency: list[int] = field(default_factory=latency.empty)
    feedback: dict[str, int] = field(default_factory=dict)


class WindowRecorder:
    """Counts answers in one-second windows and stores those that are over. Thread-safe.

    Args:
        events: where windows are stored.
        worker: this process, ``"<host>:<pid>"``.
        clock: tells which second it is.
        period_s: seconds between two stores.
        keep_s: older windows that could not be stored are dropped, and counted in ``dropped``.
    """

    def __init__(
        self,
        events: Events,
        worker: str,
        clock: Clock,
        *,
        period_s: float = 1.0,
        keep_s: float = KEEP_S,
    ) -> None:
        self.dropped = 0
        self._events, self._worker, self._clock = events, worker, clock
        self._period_s, self._keep_s = period_s, keep_s
        self._lock = threading.Lock()
        self._open: dict[tuple[int, str, str], _Counts] = {}
        self._waiting: deque[Window] = deque()
        self._failing = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="windows", daemon=True)
        self._log = structlog.get_logger("flyball.windows")

    def count(
        self, model: str, version: str, seconds: float, status: int, *, answers: int = 1
    ) -> None:
        """Count answers: their latency, and errors for a status of 500 or above."""
        with self._lock:
            counts = self._counts(model, version)
            counts.requests += answers
            counts.errors += answers if status >= 500 else 0
            counts.latency[latency.bucket(seconds)] += answers

    def feedback(self, model: str, version: str, event_type: str, count: int = 1) -> None:
        """Count events of one type that answers of this version led to."""
        with self._lock:
            counts = self._counts(model, version)
            counts.feedback[event_type] = counts.feedback.get(event_type, 0) + count

    def start(self) -> None:
        """Begin to store, every ``period_s``."""
        self._thread.start()

    def stop(self) -> None:
        """Store everything that was counted, the current second too, and end the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self.flush(everything=True)

    def flush(self, *, everything: bool = False) -> None:
        """Store the windows that are over. A database that is away is tried again next time."""
        now = self._clock.now()
        self._close(None if everything else int(now.timestamp()))
        if not self._waiting:
            return
        try:
            self._events.add_windows(list(self._waiting))
        except FlyballError as error:
            if not self._failing:
                self._log.warning("windows wait in memory", reason=str(error))
            self._failing = True
            self._drop_old(now)
        else:
            if self._failing:
                self._log.info("windows are stored again", dropped=self.dropped)
            self._failing = False
            self._waiting.clear()

    def _counts(self, model: str, version: str) -> _Counts:
        key = (int(self._clock.now().timestamp()), model, version)
        counts = self._open.get(key)
        if counts is None:
            counts = self._open[key] = _Counts()
        return counts

    def _close(self, current: int | None) -> None:
        with self._lock:
            over = sorted(key for key in self._open if current is None or key[0] < current)
            closed = [(key, self._open.pop(key)) for key in over]
        for (second, model, version), counts in closed:
            self._waiting.append(
                Window(
                    model=model,
                    version=version,
                    worker=self._worker,
                    start=datetime.fromtimestamp(second, UTC),
                    seconds=1.0,
                    requests=counts.requests,
                    errors=counts.errors,
                    latency=tuple(counts.latency),
                    feedback=counts.feedback,
                )
            )

    def _drop_old(self, now: datetime) -> None:
        while self._waiting and (now - self._waiting[0].start).total_seconds() > self._keep_s:
            self._waiting.popleft()
            self.dropped += 1

    def _run(self) -> None:
        while not self._stop.wait(self._period_s):
            self.flush()
