"""The product's own events as a source: feedback becomes the next batch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flyball.errors import DataQualityError, InvalidRequest
from flyball.ports import Events
from flyball.storage.fetching.arrow import BATCH_ROWS, write_rows

COLUMNS = ("event_id", "user_id", "game_id", "event", "value", "timestamp")
"""Of the file that is written."""


def parsed(location: str) -> tuple[str, int, int]:
    """Model, cursor after, cursor until.

    Raises:
        InvalidRequest: it is no ``events:MODEL:AFTER:UNTIL``.
    """
    parts = location.split(":")
    if len(parts) != 4 or not parts[1] or not (parts[2].isdecimal() and parts[3].isdecimal()):
        raise InvalidRequest(
            f"{location!r} is no location of stored events; write events:MODEL:AFTER:UNTIL, with "
            "two cursors"
        )
    return parts[1], int(parts[2]), int(parts[3])


def export(location: str, target: Path, events: Events) -> int:
    """Write the events of ``events:MODEL:AFTER:UNTIL`` as one Arrow file; returns how many.

    Raises:
        InvalidRequest: see ``parsed``.
        DataQualityError: there is none.
        StorageUnavailable: the database cannot be read, or the file cannot be written.
    """
    model, after, until = parsed(location)
    count = write_rows(COLUMNS, _pages(events, model, after, until), target, what=location)
    if not count:
        raise DataQualityError(
            f"the model {model} has no event after {after} up to {until}; wait for feedback, or "
            "ingest a file"
        )
    return count


def _pages(events: Events, model: str, cursor: int, until: int) -> Iterator[list[tuple[Any, ...]]]:
    while cursor < until:
        page, cursor = events.after(cursor, limit=BATCH_ROWS, until=until, model=model)
        if not page:
            return
        yield [(e.event_id, e.user_id, e.item_id, str(e.type), e.value, e.timestamp) for e in page]
