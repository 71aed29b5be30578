"""Events that were acknowledged while the database was away: kept on disk, moved when it is back.

What a killed process left is moved as well, by whichever worker comes first. New events go to the
database directly as soon as it takes them again, so they may be stored before those that waited.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import structlog

from flyball.domain.data import Forgotten
from flyball.domain.traffic import Event
from flyball.errors import EnvironmentFailed, FlyballError
from flyball.ports import Events, Records
from flyball.storage.spool import Spool
from flyball.telemetry.metrics import Metrics

POLL_S = 0.5

Stored = Callable[[Sequence[Event], Sequence[bool]], None]
People = Mapping[tuple[str, str], datetime]
"""When people asked to be forgotten, by model and pseudonym."""


class Backlog:
    """Keeps events on disk, and moves them into the database. Thread-safe.

    Args:
        spool: the disk.
        events: the database.
        records: says who asked to be forgotten: what they did before that is dropped.
        metrics: of this process.
        stored: told of events that are in the database now, and whether each was new.
    """

    def __init__(
        self, spool: Spool, events: Events, records: Records, metrics: Metrics, stored: Stored
    ) -> None:
        self._spool, self._events, self._records = spool, events, records
        self._metrics, self._stored = metrics, stored
        self._away = False
        self._failing = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="backlog", daemon=True)
        self._log = structlog.get_logger("flyball.backlog")

    @property
    def away(self) -> bool:
        """Whether the database did not take the last events; then it need not be asked first."""
        return self._away and self._spool.waiting > 0

    @property
    def waiting(self) -> int:
        """Events that this process has to move."""
        return self._spool.waiting

    def keep(self, events: Sequence[Event]) -> None:
        """Keep events that the database does not take; they are on disk when this returns.

        Raises:
            StorageUnavailable: they could not be kept either: too many wait, or the disk is full.
        """
        self._spool.append(events)
        if not self.away:
            self._log.warning("the database takes no events; they wait on disk")
        self._away = True
        self._metrics.spooled.set(self.waiting)

    def start(self) -> None:
        """Begin to move what waits, and what dead processes left."""
        self._thread.start()

    def stop(self) -> None:
        """End moving. What waits is left to other processes, or to the next."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._spool.close()

    def work(self) -> None:
        """Take over what was left, and move what waits as far as the database takes it."""
        try:
            if adopted := self._spool.adopt():
                self._log.info("a process left events on disk; they are moved", events=adopted)
                self._metrics.spooled.set(self.waiting)
            while self._spool.waiting and not self._stop.is_set():
                self._move()
        except FlyballError as error:
            if self._failing != str(error):
                self._log.warning("events wait on disk", reason=str(error), waiting=self.waiting)
            self._failing = str(error)
        else:
            self._failing = ""

    def _move(self) -> None:
        events = self._spool.first()
        people = self._people()
        wanted = [event for event in events if not _unwanted(event, people)]
        stored, new = self._appended(wanted)
        self._forget_meanwhile(stored, people)
        self._spool.drop()
        self._away = False
        self._count("forgotten", len(events) - len(wanted))
        self._count("new", sum(new))
        self._count("duplicate", len(new) - sum(new))
        self._metrics.spooled.set(self.waiting)
        self._stored(stored, new)
        if not self._spool.waiting:
            self._log.info("all events that waited on disk are in the database")

    def _appended(self, events: list[Event]) -> tuple[list[Event], list[bool]]:
        """Those that the database could store, and whether each was new."""
        try:
            return events, self._events.append(events)
        except EnvironmentFailed:
            raise
        except FlyballError:
            if len(events) == 1:
                self._log.exception("the database cannot store an event; it is dropped")
                self._count("unreadable", 1)
                return [], []
        middle = len(events) // 2
        (first, a), (second, b) = self._appended(events[:middle]), self._appended(events[middle:])
        return first + second, a + b

    def _count(self, result: str, count: int) -> None:
        if count:
            self._metrics.moved.labels(result).inc(count)

    def _people(self) -> People:
        found = self._records.find(Forgotten)
        return {(person.model, person.pseudonym): person.at for person in found}

    def _forget_meanwhile(self, moved: Sequence[Event], before: People) -> None:
        """Who asked to be forgotten while their events were on the way into the database: whoever
        removed the others of theirs may not have met these."""
        after = {person: at for person, at in self._people().items() if before.get(person) != at}
        for model, user in {(e.model, e.user_id) for e in moved if _unwanted(e, after)}:
            self._events.forget(model, user)

    def _run(self) -> None:
        self.work()
        while not self._stop.wait(POLL_S):
            self.work()


def _unwanted(event: Event, people: People) -> bool:
    """Whether its person has asked since to be forgotten."""
    asked = people.get((event.model, event.user_id))
    return asked is not None and event.received_at <= asked
