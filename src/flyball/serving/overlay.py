"""What users did since the snapshots were made, kept in memory by every worker.

A version is made from data of some past; a user who bought a game a second ago must not be offered
it again. Each worker reads every event of the store once, and then what is new; it keeps one entry
a user, model, kind of event and item, however often that comes. While the database is away it reads
what the other workers keep on disk. People who were forgotten are let go of: what the ledger says
of them is read as well.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

import structlog

from flyball.domain.data import Forgotten
from flyball.domain.traffic import Event, EventType
from flyball.errors import FlyballError
from flyball.ports import Events, Records
from flyball.serving.erasures import Erasures

POLL_S = 0.2
PAGE = 1_000
"""Events read at once: answers wait while they are taken in."""

KEPT = frozenset({EventType.PURCHASE.value, EventType.PLAY.value, EventType.DISLIKE.value})
NONE: frozenset[str] = frozenset()
NOTHING: Mapping[str, frozenset[str]] = MappingProxyType({})


class Tail(Protocol):
    """What other workers keep on disk; see ``flyball.storage.spool_tail.SpoolTail``."""

    def new(self) -> list[Event]:
        """A page of what they wrote since the last call; empty: nothing now."""
        ...


class Overlay:
    """Item ids by user and event type. Readers take no lock; thread-safe.

    Args:
        events: the store.
        records: says who was forgotten.
        spool: what other workers were told while the store was away; None: not followed.
    """

    def __init__(self, events: Events, records: Records, spool: Tail | None = None) -> None:
        self._events, self._records, self._spool = events, records, spool
        self._erasures = Erasures(records)
        self._forgotten: dict[tuple[str, str], datetime] = {}
        self._cursor = 0
        self._failing = self._blind = self._informed = False
        self._users: dict[tuple[str, str], Mapping[str, frozenset[str]]] = {}
        self._lock = threading.Lock()
        self._caught_up = threading.Event()
        self._stop = threading.Event()
        # Apart: a database that does not answer may keep whoever asks it for long.
        targets = [("overlay", self._run)]
        if spool is not None:
            targets.append(("overlay of the spool", self._run_spool))
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True) for name, target in targets
        ]
        self._log = structlog.get_logger("flyball.overlay")

    @property
    def caught_up(self) -> bool:
        """Whether everything stored before this process began has been read."""
        return self._caught_up.is_set()

    def start(self) -> None:
        """Begin to read."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End reading."""
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def of(self, model: str, user: str) -> Mapping[str, frozenset[str]]:
        """Item ids by event type (purchase, play, dislike)."""
        return self._users.get((model, user), NOTHING)

    def apply(self, events: Iterable[Event]) -> None:
        """Take in events; the same event again changes nothing."""
        told: dict[tuple[str, str], dict[str, set[str]]] = {}
        for event in events:
            if (kind := event.type.value) in KEPT:
                user = told.setdefault((event.model, event.user_id), {})
                user.setdefault(kind, set()).add(event.item_id)
        with self._lock:
            for key, items in told.items():
                known = self._users.get(key, NOTHING)
                # A new mapping each time: a reader keeps the one it has.
                added = {kind: known.get(kind, NONE) | new for kind, new in items.items()}
                self._users[key] = MappingProxyType({**known, **added})

    def read(self) -> None:
        """Read everything that is new. A database that is away is tried again next time."""
        self._let_go()
        try:
            self._read_store()
            if not self._informed:
                self._learn_forgotten()
        except FlyballError as error:
            if not self._failing:
                self._log.warning("events cannot be read; the overlay ages", reason=str(error))
            self._failing = True
        else:
            self._failing = False
            self._caught_up.set()

    def read_spool(self) -> None:
        """Read what other workers keep on disk since the last time.

        Nothing before the store was read once: else it may not be known who was forgotten.
        """
        if self._spool is None or not self.caught_up:
            return
        try:
            while (events := self._spool.new()) and not self._stop.is_set():
                self.apply(event for event in events if not self._was_forgotten(event))
        except FlyballError as error:
            if not self._blind:
                self._log.warning("what waits on disk cannot be read", reason=str(error))
            self._blind = True
        else:
            self._blind = False

    def _read_store(self) -> None:
        while not self._stop.is_set():
            events, self._cursor = self._events.after(self._cursor, limit=PAGE, types=KEPT)
            self.apply(events)
            if len(events) < PAGE:
                return

    def _was_forgotten(self, event: Event) -> bool:
        asked = self._forgotten.get((event.model, event.user_id))
        return asked is not None and event.received_at <= asked

    def _learn_forgotten(self) -> None:
        found = self._records.find(Forgotten)
        self._forgotten = {(person.model, person.pseudonym): person.at for person in found}
        self._informed = True

    def _let_go(self) -> None:
        """Drop people who were forgotten meanwhile; their events are gone from the store."""
        try:
            erased = self._erasures.new()
        except FlyballError:
            return  # told of by whoever reads events or verifies the ledger; tried again next time
        self._informed = self._informed and not erased
        with self._lock:
            for person in erased:
                self._users.pop(person, None)

    def _run(self) -> None:
        self.read()
        while not self._stop.wait(POLL_S):
            self.read()

    def _run_spool(self) -> None:
        while not self._stop.wait(POLL_S):
            self.read_spool()
