"""Group commit: events of concurrent requests are stored together, by one thread.

A flush to disk takes milliseconds however much it carries. So one thread takes everything that
waits, stores it in one call, and then lets all the requests behind it go on. While the database is
away the same is done with the backlog on disk.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from flyball.domain.traffic import Event
from flyball.errors import EnvironmentFailed, FlyballError, StorageUnavailable
from flyball.ports import Events
from flyball.serving.backlog import Backlog

MOST = 5_000
"""Events stored in one call, unless a single request brings more."""

WAITING = 50_000
"""Events that may wait; more are refused, so that a slow disk does not fill the memory."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of the events of one request; they are on disk.

    Attributes:
        new: whether each was new (False: a duplicate).
        waits: the database is away. Then an event counts as new unless the same request brought it
            before; what else is a duplicate shows when they are moved.
    """

    new: list[bool]
    waits: bool = False


_Job = tuple[Sequence[Event], "Future[Kept]"]


class Journal:
    """Stores events of many requests durably. ``append`` is for coroutines of any event loop.

    Args:
        events: the database.
        backlog: where events wait while the database is away; None: they are refused then.
    """

    def __init__(self, events: Events, backlog: Backlog | None = None) -> None:
        self._events, self._backlog = events, backlog
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def start(self) -> None:
        """Begin to store."""
        self._thread.start()

    def stop(self) -> None:
        """Store what waits, and end. Later events are refused."""
        with self._lock:
            self._closed = True
            self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join()

    async def append(self, events: Sequence[Event]) -> Kept:
        """Store events; they are on disk when this returns.

        Raises:
            StorageUnavailable: none of them was stored; send them again.
            InvalidRequest: one of them cannot be stored at all; none was.
        """
        if not events:
            return Kept([])
        future: Future[Kept] = Future()
        with self._lock:
            if self._closed:
                raise StorageUnavailable("the server is stopping; send the events again")
            if self._waiting + len(events) > WAITING:
                raise StorageUnavailable(
                    f"{self._waiting} events wait to be stored already; send these again later"
                )
            self._waiting += len(events)
            self._jobs.put((events, future))
        return await asyncio.wrap_future(future)

    def _run(self) -> None:
        last = False
        while not last:
            jobs, last = self._gathered()
            if jobs:
                self._store(jobs)
                with self._lock:
                    self._waiting -= sum(len(events) for events, _ in jobs)

    def _gathered(self) -> tuple[list[_Job], bool]:
        """All jobs that wait (at least one, unless it is the end); whether these are the last."""
        jobs: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            if sum(len(events) for events, _ in jobs) >= MOST:
                return jobs, False
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs, False
        return jobs, True

    def _store(self, jobs: list[_Job]) -> None:
        for _, future in jobs:
            future.set_running_or_notify_cancel()  # stored even if the sender gave up waiting
        try:
            kept = self._kept([event for events, _ in jobs for event in events])
        except EnvironmentFailed as error:
            _refuse(jobs, error)
        except FlyballError as error:
            # One request's events cannot be stored; the others must not suffer for it.
            if len(jobs) == 1:
                _settle(jobs[0][1], error)
            else:
                for events, future in jobs:
                    self._store_alone(events, future)
        except Exception as error:  # noqa: BLE001 - whatever it is, the senders must hear of it
            _refuse(jobs, _unforeseen(error))
        else:
            start = 0
            for events, future in jobs:
                _settle(future, Kept(kept.new[start : start + len(events)], kept.waits))
                start += len(events)

    def _kept(self, events: Sequence[Event]) -> Kept:
        """Events in the database, or on disk while that is away."""
        backlog = self._backlog
        if backlog is None:
            return Kept(self._events.append(events))
        if backlog.away:  # it will say when the database is back; nobody has to wait for that
            return _kept_in(backlog, events)
        try:
            return Kept(self._events.append(events))
        except StorageUnavailable as away:
            try:
                return _kept_in(backlog, events)
            except StorageUnavailable as error:
                raise error from away

    def _store_alone(self, events: Sequence[Event], future: Future[Kept]) -> None:
        try:
            _settle(future, self._kept(events))
        except FlyballError as error:
            _settle(future, error)
        except Exception as error:  # noqa: BLE001 - as above
            _settle(future, _unforeseen(error))


def _kept_in(backlog: Backlog, events: Sequence[Event]) -> Kept:
    backlog.keep(events)
    first = {event.event_id: place for place, event in reversed(list(enumerate(events)))}
    new = [first[event.event_id] == place for place, event in enumerate(events)]
    return Kept(new, waits=True)


def _refuse(jobs: Sequence[_Job], error: FlyballError) -> None:
    for _, future in jobs:
        _settle(future, error)


def _unforeseen(error: Exception) -> StorageUnavailable:
    refusal = StorageUnavailable(f"the events could not be stored: {type(error).__name__}: {error}")
    refusal.__cause__ = error
    return refusal


def _settle(future: Future[Kept], outcome: Kept | FlyballError) -> None:
    if future.cancelled():
        return
    if isinstance(outcome, FlyballError):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
