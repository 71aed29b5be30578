"""Tells people what the ledger says, each notifier in order, at least once, in its own time.

A notifier that is away or slow keeps neither the others nor the loop: each has a thread while it
has something to tell, and is asked again after a while that grows. What was told is marked after
each notice, so that a crash repeats one and loses none.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from flyball.domain.deployment import Deployment
from flyball.domain.ledger import LedgerRow
from flyball.errors import EnvironmentFailed, NotFound
from flyball.loop.lock import CONTROL, holder
from flyball.loop.troubles import Troubles, attempted
from flyball.ports import Clock, NoticeMarks, Notifier, Records
from flyball.steps.notices import due

MOST_ROWS = 5_000
"""Rows of the ledger that are looked at together at least; of more the oldest are not told."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 600.0
"""How long a notifier that failed is left alone: doubled with each failure."""

CLOSE_WITHIN_S = 2.0

ALONE_WITHIN_S = 5.0
"""How long a command waits for who is told, after what it did is done."""

log = logging.getLogger("flyball.notices")


class Telling(Protocol):
    """What telling needs of the platform."""

    @property
    def records(self) -> Records: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def notifiers(self) -> tuple[Notifier, ...]: ...
    @property
    def notice_marks(self) -> NoticeMarks: ...


def deliver(parts: Telling, notifier: Notifier) -> int:
    """Tell one notifier everything it was not told yet; returns how many notices it took.

    Raises:
        EnvironmentFailed: it took no more, or the ledger or the mark cannot be read or kept.
    """
    with parts.notice_marks.turn(notifier.name) as turn:
        head = newest(parts.records)
        if turn.told == head or not head:
            return 0
        first = turn.told is None or turn.told > head  # a ledger that is another one
        since = 0 if first or turn.told is None else turn.told
        rows = _after(parts.records, since)
        waiting = due(
            rows,
            now=parts.clock.now(),
            first=first,
            version_of=lambda id: _version(parts.records, id),
        )
        for one in waiting:
            notifier.tell(one.notice)
            turn.move(one.row)
        turn.move(rows[-1].seq)
    return len(waiting)


def _after(records: Records, since: int) -> list[LedgerRow]:
    """All rows after one, also those that are appended meanwhile; at least one."""
    limit = 64
    while True:
        rows = records.ledger(limit=limit)
        if rows[0].seq <= since + 1 or limit >= MOST_ROWS:
            return [row for row in rows if row.seq > since]
        limit *= 4


def newest(records: Records) -> int:
    """The number of the ledger's last row; 0 where it is empty."""
    rows = records.ledger(limit=1)
    return rows[-1].seq if rows else 0


def _version(records: Records, deployment: str) -> str:
    try:
        return records.get(Deployment, deployment).version
    except NotFound:
        return ""


def tell_now(parts: Telling, *, within_s: float) -> Troubles:
    """One attempt at each notifier, all at once; for a command while nobody follows the ledger.

    Returns:
        what could not be told; the control process tells it once it runs.
    """
    found: Troubles = {}

    def attempt(notifier: Notifier) -> None:
        found.update(attempted({f"notice to {notifier.whom}": lambda: deliver(parts, notifier)}))

    notifiers = parts.notifiers
    threads = [threading.Thread(target=attempt, args=(one,), daemon=True) for one in notifiers]
    for thread in threads:
        thread.start()
    ends = time.monotonic() + within_s
    for notifier, thread in zip(notifiers, threads, strict=True):
        thread.join(max(0.0, ends - time.monotonic()))
        if thread.is_alive():
            late = EnvironmentFailed(f"{notifier.whom} took no notice within {within_s:g} s")
            found.setdefault(f"notice to {notifier.whom}", late)
    return dict(found)


def tell_alone(parts: Telling, home: Path, *, within_s: float = ALONE_WITHIN_S) -> None:
    """After a decision was carried out while no control process runs: tell of it, once, now.

    What cannot be told is logged and waits for ``flyball up``; nothing is raised. Where a control
    process runs, telling is its business.
    """
    who = holder(home)
    if who is not None and who.role == CONTROL:
        return
    troubles: Troubles = {}
    told = attempted({"notices": lambda: troubles.update(tell_now(parts, within_s=within_s))})
    for name, error in (told | troubles).items():
        log.warning("%s: %s; `flyball up` tells it later", name, error)


class _Courier:
    """One notifier, and when it is next due. Its thread lives while there is something to tell."""

    def __init__(self, parts: Telling, notifier: Notifier, monotonic: Callable[[], float]) -> None:
        self.trouble: Exception | None = None
        self.thread: threading.Thread | None = None
        self.notifier = notifier
        self._parts, self._monotonic = parts, monotonic
        self._told: int | None = None
        self._not_before, self._pause_s = 0.0, FIRST_PAUSE_S

    def wake(self, head: int) -> None:
        """Tell what there is up to row ``head``, unless that is done or under way."""
        busy = self.thread is not None and self.thread.is_alive()
        if busy or self._told == head or self._monotonic() < self._not_before:
            return
        name = f"notices to {self.notifier.name}"
        self.thread = threading.Thread(target=self._work, args=(head,), name=name, daemon=True)
        self.thread.start()

    def _work(self, head: int) -> None:
        try:
            told = deliver(self._parts, self.notifier)
        except Exception as error:  # noqa: BLE001 - reported; the ledger keeps what was not told
            self.trouble = error
            self._not_before = self._monotonic() + self._pause_s
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        else:
            if self.trouble is not None:
                log.info("%s takes notices again: %d told", self.notifier.whom, told)
            self.trouble, self._pause_s, self._told = None, FIRST_PAUSE_S, head


class Notices:
    """Follows the ledger; ``follow`` is called again and again, and never waits for a notifier.

    Args:
        monotonic: seconds that only grow.
    """

    def __init__(self, parts: Telling, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._parts, self._monotonic = parts, monotonic
        self._couriers: list[_Courier] | None = None

    def follow(self) -> Troubles:
        """Let every notifier be told what is new; returns what went wrong the last time."""
        troubles = attempted({"notices": self._follow})
        for courier in self._couriers or ():
            if courier.trouble is not None:
                troubles[f"notices to {courier.notifier.name}"] = courier.trouble
        return troubles

    def close(self) -> None:
        """Wait a moment for who is being told; what is cut off is told again."""
        ends = self._monotonic() + CLOSE_WITHIN_S
        for courier in self._couriers or ():
            if courier.thread is not None:
                courier.thread.join(max(0.0, ends - self._monotonic()))

    def _follow(self) -> None:
        """Raises FlyballError where the settings or the ledger cannot be used."""
        if self._couriers is None:
            self._couriers = [
                _Courier(self._parts, one, self._monotonic) for one in self._parts.notifiers
            ]
        if self._couriers:
            head = newest(self._parts.records)
            for courier in self._couriers:
                courier.wake(head)
