"""Group commit: events of concurrent requests are stored together, by one thread.

A flush to disk takes milliseconds however much it carries. So one thread takes everything that
waits, stores it in one call, and then lets all the requests behind it go on.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future

from flyball.domain.traffic import Event
from flyball.errors import EnvironmentFailed, FlyballError, StorageUnavailable
from flyball.ports import Events

MOST = 5_000
"""Events stored in one call, unless a single request brings more."""

WAITING = 50_000
"""Events that may wait; more are refused, so that a slow disk does not fill the memory."""

_Job = tuple[Sequence[Event], "Future[list[bool]]"]


class Journal:
    """Stores events of many requests durably. ``append`` is for coroutines of any event loop."""

    def __init__(self, events: Events) -> None:
        self._events = events
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

    async def append(self, events: Sequence[Event]) -> list[bool]:
        """Whether each event was new (False: a duplicate). They are on disk when this returns.

        Raises:
            StorageUnavailable: none of them was stored; send them again.
            InvalidRequest: one of them cannot be stored at all; none was.
        """
        if not events:
            return []
        future: Future[list[bool]] = Future()
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
            new = self._events.append([event for events, _ in jobs for event in events])
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
                _settle(future, new[start : start + len(events)])
                start += len(events)

    def _store_alone(self, events: Sequence[Event], future: Future[list[bool]]) -> None:
        try:
            _settle(future, self._events.append(events))
        except FlyballError as error:
            _settle(future, error)
        except Exception as error:  # noqa: BLE001 - as above
            _settle(future, _unforeseen(error))


def _refuse(jobs: Sequence[_Job], error: FlyballError) -> None:
    for _, future in jobs:
        _settle(future, error)


def _unforeseen(error: Exception) -> StorageUnavailable:
    refusal = StorageUnavailable(f"the events could not be stored: {type(error).__name__}: {error}")
    refusal.__cause__ = error
    return refusal


def _settle(future: Future[list[bool]], outcome: list[bool] | FlyballError) -> None:
    if future.cancelled():
        return
    if isinstance(outcome, FlyballError):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
