"""What users did since the snapshots were made, kept in memory by every worker.

A version is made from data of some past; a user who bought a game a second ago must not be offered
it again. Each worker reads every event of the store once, and then what is new; it keeps one entry
a user, model, kind of event and item, however often that comes. People who were forgotten are let
go of: what the ledger says of them is read as well.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import structlog

from flyball.domain.traffic import Event, EventType
from flyball.errors import FlyballError
from flyball.ports import Events, Records
from flyball.serving.erasures import Erasures

POLL_S = 0.2
KEPT = frozenset({EventType.PURCHASE, EventType.PLAY, EventType.DISLIKE})
NONE: frozenset[str] = frozenset()
NOTHING: Mapping[str, frozenset[str]] = MappingProxyType({})


class Overlay:
    """Item ids by user and event type. Readers take no lock; thread-safe.

    Args:
        events: the store.
        records: whose ledger says who was forgotten.
    """

    def __init__(self, events: Events, records: Records) -> None:
        self._events = events
        self._erasures = Erasures(records)
        self._cursor = 0
        self._failing = False
        self._users: dict[tuple[str, str], Mapping[str, frozenset[str]]] = {}
        self._lock = threading.Lock()
        self._caught_up = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="overlay", daemon=True)
        self._log = structlog.get_logger("flyball.overlay")

    @property
    def caught_up(self) -> bool:
        """Whether everything stored before this process began has been read."""
        return self._caught_up.is_set()

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End reading."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def of(self, model: str, user: str) -> Mapping[str, frozenset[str]]:
        """Item ids by event type (purchase, play, dislike)."""
        return self._users.get((model, user), NOTHING)

    def apply(self, events: Iterable[Event]) -> None:
        """Take in events; the same event again changes nothing."""
        told: dict[tuple[str, str], dict[str, set[str]]] = {}
        for event in events:
            if event.type in KEPT:
                user = told.setdefault((event.model, event.user_id), {})
                user.setdefault(str(event.type), set()).add(event.item_id)
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
            while not self._stop.is_set():
                events, cursor = self._events.after(self._cursor)
                self.apply(events)
                if cursor == self._cursor or not events:
                    break
                self._cursor = cursor
        except FlyballError as error:
            if not self._failing:
                self._log.warning("events cannot be read; the overlay ages", reason=str(error))
            self._failing = True
            return
        self._failing = False
        self._caught_up.set()

    def _let_go(self) -> None:
        """Drop people who were forgotten meanwhile; their events are gone from the store."""
        try:
            erased = self._erasures.new()
        except FlyballError:
            return  # told of by whoever reads events or verifies the ledger; tried again next time
        with self._lock:
            for person in erased:
                self._users.pop(person, None)

    def _run(self) -> None:
        self.read()
        while not self._stop.wait(POLL_S):
            self.read()
