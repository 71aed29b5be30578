"""Windows of what this process served, by version; stored by a thread of their own.

A window is a second; while a rollout of its model is watched, a quarter of one, and then it tells
which units (``domain.judging``) were answered.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from flyball.domain.routing import Watch
from flyball.domain.traffic import Window
from flyball.errors import FlyballError
from flyball.ports import Choice, Clock, Events
from flyball.stats import latency
from flyball.telemetry.units import Units

KEEP_S = 600.0
"""Seconds of windows that are kept in memory while they cannot be stored."""

HUNG_AFTER_S = 2.0
"""A watched version that works on an answer for longer has failed those who wait for it."""

QUARTERS = 4
"""Of a second: times below are counted in quarters since 1970."""

_LATE_S = 0.005
"""After the end of a window: then it is over by this process's clock too."""

_HUNG = 500


@dataclass(slots=True)
class _Counts:
    """A window that is open, ``quarters`` long."""

    quarters: int
    requests: int = 0
    errors: int = 0
    latency: list[int] = field(default_factory=latency.empty)
    feedback: dict[str, int] = field(default_factory=dict)
    units: Units | None = None


_Key = tuple[int, str, str]
"""The quarter in which a window starts, its model and its version."""


class WindowRecorder:
    """Counts answers in short windows and stores those that are over. Thread-safe.

    Args:
        events: where windows are stored.
        worker: this process, ``"<host>:<pid>"``.
        clock: tells which second it is.
        period_s: seconds between two stores while no rollout is watched.
        keep_s: older windows that could not be stored are dropped, and counted in ``dropped``.
        elapsed: seconds, never set back: tells how long an answer has been worked on.
    """

    def __init__(
        self,
        events: Events,
        worker: str,
        clock: Clock,
        *,
        period_s: float = 1.0,
        keep_s: float = KEEP_S,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self.dropped = 0
        self._events, self._worker, self._clock, self._elapsed = events, worker, clock, elapsed
        self._period_s, self._keep_s = period_s, keep_s
        self._lock = threading.Lock()
        self._open: dict[_Key, _Counts] = {}
        self._watched: dict[str, int] = {}  # until which quarter windows of a model are short
        self._at_work: dict[str, tuple[float, Choice]] = {}
        self._hung: dict[str, tuple[float, Choice]] = {}  # of them, what was counted as an error
        self._waiting: deque[Window] = deque()
        self._failing = False
        self._stop, self._wake = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="windows", daemon=True)
        self._log = structlog.get_logger("flyball.windows")

    def count(
        self,
        model: str,
        version: str,
        seconds: float,
        status: int,
        *,
        answers: int = 1,
        watch: Watch | None = None,
        units: Sequence[int] = (),
    ) -> None:
        """Count answers: their latency, and errors for a status of 500 or above.

        Args:
            watch: how the rollout under way is watched, if one is.
            units: tags of those who were answered.
        """
        with self._lock:
            counts = self._counts(model, version, watched=watch is not None)
            counts.requests += answers
            counts.errors += answers if status >= 500 else 0
            counts.latency[latency.bucket(seconds)] += answers
            if watch is not None and units:
                if counts.units is None:
                    counts.units = Units(watch.salt)
                counts.units.note(units, watch, seconds, failed=status >= 500)

    def feedback(self, model: str, version: str, event_type: str, count: int = 1) -> None:
        """Count events of one type that answers of this version led to."""
        with self._lock:
            counts = self._counts(model, version)
            counts.feedback[event_type] = counts.feedback.get(event_type, 0) + count

    def working(self, model: str, choice: Choice | None) -> None:
        """A model's answers are worked on by this choice from here on; None: by none.

        If that takes more than ``HUNG_AFTER_S``, an error is counted for each of its units.
        """
        if choice is None:
            self._at_work.pop(model, None)
        else:
            self._at_work[model] = (self._elapsed(), choice)

    def start(self) -> None:
        """Begin to store, soon after the end of each window."""
        self._thread.start()

    def stop(self) -> None:
        """Store everything that was counted, open windows too, and end the thread."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self.flush(everything=True)

    def flush(self, *, everything: bool = False) -> None:
        """Store the windows that are over. A database that is away is tried again next time."""
        self._find_hung()
        now = self._clock.now()
        self._close(None if everything else _quarter(now))
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

    def _counts(self, model: str, version: str, *, watched: bool = False) -> _Counts:
        """The window of now. Two of one version never start at the same time."""
        now = _quarter(self._clock.now())
        short_until = self._watched.get(model, 0)
        if watched:
            if not self._watched:
                self._wake.set()  # the thread sleeps for a second, else
            # up to a whole second, where a long window may begin
            short_until = self._watched[model] = (now // QUARTERS + 2) * QUARTERS
        quarters = 1 if now < short_until else QUARTERS
        key = (now - now % quarters, model, version)
        counts = self._open.get(key)
        if counts is None:
            counts = self._open[key] = _Counts(quarters)
        return counts

    def _close(self, now: int | None) -> None:
        """Take the windows that do not hold this quarter: those over, or of a clock set back."""
        with self._lock:
            over = sorted(
                key
                for key, counts in self._open.items()
                if now is None or not key[0] <= now < key[0] + counts.quarters
            )
            closed = [(key, self._open.pop(key)) for key in over]
            for model in [m for m, until in self._watched.items() if now and now >= until]:
                del self._watched[model]
        self._waiting.extend(self._window(key, counts) for key, counts in closed)

    def _window(self, key: _Key, counts: _Counts) -> Window:
        start, model, version = key
        units, bounds = ({}, {}) if counts.units is None else counts.units.kept()
        return Window(
            model=model,
            version=version,
            worker=self._worker,
            start=datetime.fromtimestamp(start / QUARTERS, UTC),
            seconds=counts.quarters / QUARTERS,
            requests=counts.requests,
            errors=counts.errors,
            latency=tuple(counts.latency),
            feedback=counts.feedback,
            units=units,
            units_below=bounds,
            salt="" if counts.units is None else counts.units.salt,
        )

    def _find_hung(self) -> None:
        """Count for those who wait for a version that does not come back: once each."""
        for model, work in list(self._at_work.items()):
            since, choice = work
            seconds = self._elapsed() - since
            if seconds > HUNG_AFTER_S and self._hung.get(model) is not work:
                self._hung[model] = work
                self._log.error(
                    "a version does not come back with an answer",
                    model=model,
                    version=choice.version,
                    seconds=round(seconds, 1),
                )
                self.count(
                    model,
                    choice.version,
                    seconds,
                    _HUNG,
                    answers=max(1, len(choice.units)),
                    watch=choice.watch,
                    units=choice.units,
                )

    def _drop_old(self, now: datetime) -> None:
        while self._waiting and (now - self._waiting[0].start).total_seconds() > self._keep_s:
            self._waiting.popleft()
            self.dropped += 1

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(self._pause())
            self._wake.clear()
            if not self._stop.is_set():
                self.flush()

    def _pause(self) -> float:
        """Seconds until the next store."""
        if not self._watched and not self._at_work:
            return self._period_s
        into = self._clock.now().timestamp() % (1 / QUARTERS)
        return min(self._period_s, 1 / QUARTERS - into + _LATE_S)


def _quarter(time: datetime) -> int:
    return int(time.timestamp() * QUARTERS)
