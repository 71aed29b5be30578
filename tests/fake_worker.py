"""A worker of which there is only the record: it has loaded and applied whatever the routes say."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from flyball import Flyball
from flyball.domain.routing import Route, SlotPhase, SlotStatus, WorkerStatus
from flyball.errors import NotFound
from flyball.ports import Change
from flyball.testing import builders as make

BEAT_S = 0.2
NAME = "fake:1"


@contextmanager
def fake_worker(installed: Flyball) -> Iterator[None]:
    """It reports until the end of the block."""
    over = threading.Event()
    report(installed)

    def beat() -> None:
        while not over.wait(BEAT_S):
            report(installed)

    thread = threading.Thread(target=beat, name=NAME)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def report(installed: Flyball) -> None:
    """One heartbeat."""
    records, now = installed.platform.records, datetime.now(UTC)
    routes = records.find(Route)
    slots = {
        f"{route.model}/{slot}": SlotStatus(version=version, phase=SlotPhase.READY)
        for route in routes
        for slot, version in route.slots.items()
    }
    try:
        before = records.get(WorkerStatus, NAME)
    except NotFound:
        before = None
    applied = {route.model: route.generation for route in routes}
    after = make.a_worker(NAME, started_at=now, seen_at=now, slots=slots, applied=applied)
    records.commit([Change(value=after, replacing=before)])
