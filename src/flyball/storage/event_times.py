"""Marks of time in the events: up to which row everything was received before a moment.

An index on the time would cost every event; a mark every few minutes costs nothing. Rows are stored
in the order of their numbers, but not in that of their times: what waited on disk comes late. So a
mark says the latest time of all rows up to its own, which every later row may fall below.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flyball.storage.database import insert_new
from flyball.storage.tables import EVENT_TIMES, EVENTS

EVERY_US = 300 * 1_000_000
"""Between the marks of one process."""


class EventTimes:
    """Sets marks for one process. Thread-safe.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._due_us = 0
        self._newest_us = 0

    def passed(self, connection: Connection, newest_us: int) -> None:
        """Set a mark before the next events are stored, if it is time for one.

        Call it in the transaction that will store them, once that is the only one that stores.

        Args:
            newest_us: when the newest of them was received, microseconds since 1970, UTC.
        """
        now_us = int(self._now() * 1_000_000)
        if not self._due_us - EVERY_US <= now_us < self._due_us:  # or the clock was set back
            last = connection.execute(_LAST).scalar() or 0
            mark = {"seq": last, "at_us": max(now_us, self._newest_us)}
            connection.execute(insert_new(connection, EVENT_TIMES), mark)
            self._due_us = now_us + EVERY_US
        self._newest_us = max(self._newest_us, newest_us)


def row_before(connection: Connection, at_us: int) -> int:
    """A row up to which everything was received before a moment; 0 where no mark says so."""
    marks = EVENT_TIMES.c
    later = sa.select(sa.func.min(marks.seq)).where(marks.at_us >= at_us).scalar_subquery()
    before = sa.select(sa.func.max(marks.seq)).where(
        marks.at_us < at_us, sa.or_(later.is_(None), marks.seq < later)
    )
    return connection.execute(before).scalar() or 0


_LAST = sa.select(sa.func.max(EVENTS.c.seq))
