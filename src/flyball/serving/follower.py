"""The thread of a worker that follows the recorded routes and reports what it has done.

Record first, world second: it reads what is wanted, loads what is missing on another thread, lets
``Slots`` swap, and writes a ``WorkerStatus``. While the database is away the worker goes on serving
what it has.
"""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

import structlog

from flyball.domain.routing import Route, SlotPhase, WorkerStatus
from flyball.errors import EnvironmentFailed, FlyballError, NotFound, StaleWrite
from flyball.ports import Change, Clock, Records
from flyball.serving.memory import own_bytes
from flyball.serving.rulebook import Rulebook
from flyball.serving.slots import Loaded, Slots
from flyball.telemetry.metrics import Metrics

POLL_S = 0.2
WATCHED_POLL_S = 0.05
"""While a rollout is watched: a version that is withdrawn answers nobody soon after."""

HEARTBEAT_S = 1.0
RETRY_S = 1.0
"""Seconds until a load that failed because storage was away is tried again."""

NOT_READ = "not read yet"


class Follower:
    """Follows the routes of some models.

    Args:
        records: where routes are read and the status is written.
        load: (model, version) -> loaded; raises as ``loading.load``.
        slots: by model.
        rulebook: what else is followed.
        also: and what more; called with the records at each look.
        status: the status to begin with (worker, url, started_at).
        clock, metrics: as everywhere.
    """

    def __init__(
        self,
        *,
        records: Records,
        load: Callable[[str, str], Loaded],
        slots: Mapping[str, Slots],
        rulebook: Rulebook,
        also: Sequence[Callable[[Records], None]] = (),
        status: WorkerStatus,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self.status = status
        self.database = NOT_READ
        self._records, self._load, self._slots = records, load, slots
        self._rulebook, self._also = rulebook, also
        self._clock, self._metrics = clock, metrics
        self._stored: WorkerStatus | None = None
        self._reported_at = -HEARTBEAT_S
        self._retries: dict[tuple[str, str], float] = {}
        self._when_reported: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._polled = threading.Event()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="loader")
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self._log = structlog.get_logger("flyball.worker").bind(worker=status.worker)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End following and take the status back; the versions go on answering."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._loader.shutdown(wait=False, cancel_futures=True)
        try:
            self._records.discard(WorkerStatus, self.status.worker)
        except FlyballError as error:
            self._log.warning("the status could not be taken back", reason=str(error))

    @property
    def routed(self) -> bool:
        """Whether the routes have been read, and no live version is still being loaded."""
        return self._polled.is_set() and all(s.settled() for s in self._slots.values())

    def when_reported(self, call: Callable[[], None]) -> None:
        """Report at once, and call this after it is stored (on the follower's thread)."""
        self._when_reported.put(call)
        self._reported_at = -HEARTBEAT_S
        self._wake.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.tick()
            self._rest()

    def _rest(self) -> None:
        """Wait until it is time to look again: at once where somebody wants it or a route moved."""
        ends = time.monotonic() + POLL_S
        while (left := ends - time.monotonic()) > 0.0:
            watched = any(s.watched for s in self._slots.values())
            if self._wake.wait(min(left, WATCHED_POLL_S) if watched else left):
                break
            if watched and self.moved():
                break
        self._wake.clear()

    def moved(self) -> bool:
        """Whether a route is not the one that is followed; no, while the database is away."""
        try:
            routes = self._records.find(Route)
        except FlyballError:
            return False  # the next tick says so
        return any(r.model in self._slots and not self._slots[r.model].follows(r) for r in routes)

    def tick(self) -> None:
        """Read the routes, start what must be loaded, report."""
        try:
            for route in self._records.find(Route):
                if (slots := self._slots.get(route.model)) is not None:
                    self._follow(slots, route)
            self._rulebook.follow(self._records)
            for follow in self._also:
                follow(self._records)
            self._polled.set()
            self._retry()
            self._report()
        except FlyballError as error:
            if self.database != str(error):
                self._log.warning("the database is away; serving goes on", reason=str(error))
            self.database = str(error)
        else:
            if self.database not in ("", NOT_READ):
                self._log.info("the database is back", was=self.database)
            self.database = ""

    def _follow(self, slots: Slots, route: Route) -> None:
        for version in slots.follow(route):
            self._begin(slots, version)

    def _begin(self, slots: Slots, version: str) -> None:
        self._loader.submit(self._load_one, slots, version)

    def _retry(self) -> None:
        now = time.monotonic()
        for key in [key for key, due in list(self._retries.items()) if due <= now]:
            del self._retries[key]
            self._begin(self._slots[key[0]], key[1])

    def _load_one(self, slots: Slots, version: str) -> None:
        if self._stop.is_set() or not slots.wants(version):
            return
        try:
            loaded = self._load(slots.model, version)
        except EnvironmentFailed as error:
            slots.wait(version, str(error))
            self._retries[slots.model, version] = time.monotonic() + RETRY_S
        except FlyballError as error:
            slots.fail(version, str(error))
            self._metrics.loads.labels(slots.model, "failed").inc()
            self._log.error(
                "a version cannot be loaded; what serves goes on",
                model=slots.model,
                version=version,
                reason=str(error),
            )
        else:
            slots.put(loaded)
            self._metrics.loads.labels(slots.model, "ready").inc()
            self._log.info("a version is ready", model=slots.model, version=version)
        self._wake.set()

    def _report(self) -> None:
        applied = {name: s.applied for name, s in self._slots.items() if s.applied}
        statuses = {k: v for s in self._slots.values() for k, v in s.statuses().items()}
        changed = applied != self.status.applied or statuses != self.status.slots
        if not changed and time.monotonic() - self._reported_at < HEARTBEAT_S:
            return
        status = replace(
            self.status,
            seen_at=self._clock.now(),
            applied=applied,
            slots=statuses,
            rss_bytes=resident_bytes(),
            own_bytes=own_bytes(),
        )
        self._measure(status)
        waiting = self._when_reported.qsize()  # who asks from here on waits for the next report
        self._store(status)
        self.status, self._reported_at = status, time.monotonic()
        for _ in range(waiting):
            self._when_reported.get()()

    def _store(self, status: WorkerStatus) -> None:
        try:
            self._records.commit([Change(value=status, replacing=self._stored)])
        except StaleWrite:
            # Another process of the same name left it, or someone took it for gone.
            self._stored = self._found()
            self._records.commit([Change(value=status, replacing=self._stored)])
        self._stored = status

    def _found(self) -> WorkerStatus | None:
        try:
            return self._records.get(WorkerStatus, self.status.worker)
        except NotFound:
            return None

    def _measure(self, status: WorkerStatus) -> None:
        before = {(k.partition("/")[0], s.version) for k, s in self.status.slots.items()}
        now = {(k.partition("/")[0], s.version): s.phase for k, s in status.slots.items()}
        for key in before | set(now):
            self._metrics.ready.labels(*key).set(now.get(key) is SlotPhase.READY)
        for model, generation in status.applied.items():
            self._metrics.generation.labels(model).set(generation)
        self._metrics.resident.set(status.rss_bytes)


def resident_bytes() -> int:
    """Resident memory of this process; its highest so far where the kernel does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")
