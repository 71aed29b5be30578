"""Prometheus metrics of a serving process, shared by all workers of a home.

In multiprocess mode each worker writes to files of its own in one folder, and any worker's
``/metrics`` adds them all up. ``prometheus_client`` chooses that mode when it is first imported:
``share`` must be called before this module's classes are used.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.telemetry.orphans import FEEDBACK, WithOrphans
from flyball.telemetry.overall import DURATION, WithOverall

if TYPE_CHECKING:
    from prometheus_client import Counter, Gauge

    from flyball.telemetry.durations import Durations
    from flyball.telemetry.orphans import Collects

MULTIPROC = "PROMETHEUS_MULTIPROC_DIR"
_FILE = re.compile(r"[a-z]+(?:_[a-z]+)?_(\d+)\.db")

_FILES = ("counter", "histogram", "gauge_liveall", "gauge_livemin", "gauge_livesum")
"""The kinds of files that ``Metrics`` uses; a test holds the two together."""

_RESERVED = 1024 * 1024
"""Bytes of each: room for about 300 histograms."""

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the latency histograms: 1 ms to 30 s."""


def share(directory: Path) -> None:
    """Share this process's metrics with the others that name the same folder.

    Call it before anything imports ``prometheus_client``. Its files are mapped into memory: on a
    disk that is full, counting something for the first time would end the process by SIGBUS. So
    they get their space now; where there is none already, only that protection is missing.
    """
    directory.mkdir(parents=True, exist_ok=True)
    os.environ[MULTIPROC] = str(directory)
    for kind in _FILES:
        with suppress(OSError), (directory / f"{kind}_{os.getpid()}.db").open("ab") as file:
            os.posix_fallocate(file.fileno(), 0, _RESERVED)


def forget(directory: Path) -> None:
    """Start counting anew: for the one who starts all workers, while none runs."""
    for path in directory.glob("*.db"):
        path.unlink(missing_ok=True)


class Metrics:
    """The metrics of one process. One instance a process; thread-safe.

    Attributes:
        requests: answers of models, by model, version, endpoint and status.
        duration: seconds each took, by model, version and endpoint.
        events: events received, by model, type and result (new, duplicate, refused; spooled: the
            database was away; they are new or duplicate as well once they are moved).
        spooled: events on disk that wait for the database.
        moved: events that waited, by what became of them (new, duplicate, forgotten, unreadable).
        fallbacks: answers that a version failed to give, by model, version and what gave them.
        feedback: new events, by model, type and join (joined, orphan, late, unattributed).
        refused: requests and sign-ins that were not let in, by reason.
        unshared: requests counted by this worker alone because Redis was away.
        unwritten: shown lists that were not written: too many waited, or the disk was full.
        loads: versions loaded, by model and result (ready, failed).
        generation: the oldest route generation in force among the live workers, by model.
        ready: live workers that have a model's version ready, by model and version.
        resident: resident memory of each live worker, bytes.
        dropped: windows of telemetry that were lost because the database stayed away.
    """

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge

        from flyball.telemetry.durations import Durations

        here = self._registry = CollectorRegistry()
        by_answer = ("model", "model_version", "endpoint")
        self.requests: Counter = Counter(
            "model_inference_requests_total",
            "Answers of models.",
            (*by_answer, "status"),
            registry=here,
        )
        self.duration: Durations = Durations(
            DURATION,
            "Seconds an answer took.",
            by_answer,
            buckets=SECONDS,
            registry=here,
        )
        self._answers: dict[tuple[str, str, str, int], tuple[Counter, Durations]] = {}
        self.events: Counter = Counter(
            "flyball_events_total",
            "Events received.",
            ("model", "type", "result"),
            registry=here,
        )
        self.spooled: Gauge = Gauge(
            "flyball_spool_waiting_events",
            "Acknowledged events on disk that wait for the database.",
            multiprocess_mode="livesum",
            registry=here,
        )
        self.moved: Counter = Counter(
            "flyball_spool_moved_total",
            "Events that waited on disk, by what became of them.",
            ("result",),
            registry=here,
        )
        self.fallbacks: Counter = Counter(
            "flyball_fallbacks_total",
            "Answers that a version failed to give, and what gave them.",
            ("model", "model_version", "to"),
            registry=here,
        )
        self.feedback: Counter = Counter(
            FEEDBACK,
            "New events, by what they say of the answer that led to them.",
            ("model", "type", "join"),
            registry=here,
        )
        self.refused: Counter = Counter(
            "flyball_refused_total",
            "Requests and sign-ins that were not let in.",
            ("reason",),
            registry=here,
        )
        self.unshared: Counter = Counter(
            "flyball_limits_unshared_total",
            "Requests counted by one worker alone because Redis was away.",
            registry=here,
        )
        self.unwritten: Counter = Counter(
            "flyball_served_dropped_total",
            "Shown lists that were not written.",
            registry=here,
        )
        self.loads: Counter = Counter(
            "flyball_version_loads_total",
            "Versions that a worker tried to load.",
            ("model", "result"),
            registry=here,
        )
        self.generation: Gauge = Gauge(
            "flyball_route_generation",
            "The oldest route generation in force among live workers.",
            ("model",),
            multiprocess_mode="livemin",
            registry=here,
        )
        self.ready: Gauge = Gauge(
            "flyball_version_ready_workers",
            "Live workers that have this version loaded and smoke-tested.",
            ("model", "model_version"),
            multiprocess_mode="livesum",
            registry=here,
        )
        self.resident: Gauge = Gauge(
            "flyball_worker_resident_bytes",
            "Resident memory of a live worker.",
            multiprocess_mode="liveall",
            registry=here,
        )
        self.dropped: Gauge = Gauge(
            "flyball_windows_dropped",
            "Windows of telemetry lost because the database stayed away.",
            multiprocess_mode="livesum",
            registry=here,
        )

    def served(
        self,
        model: str,
        version: str,
        endpoint: str,
        seconds: float,
        status: int,
        *,
        answers: int = 1,
    ) -> None:
        """Count answers. For the hot path: what they are counted in is looked up once."""
        counted = self._answers.get((model, version, endpoint, status))
        if counted is None:
            counted = self._answers[model, version, endpoint, status] = (
                self.requests.labels(model, version, endpoint, str(status)),
                self.duration.labels(model, version, endpoint),
            )
        requests, duration = counted
        requests.inc(answers)
        duration.observe_many(seconds, answers)

    def exposition(self) -> tuple[bytes, str]:
        """What a scrape gets, of all workers where they share: the body and its content type."""
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

        whole = CollectorRegistry()
        whole.register(WithOverall(WithOrphans(self._shared() or self._registry)))
        return generate_latest(whole), CONTENT_TYPE_LATEST

    def _shared(self) -> Collects | None:
        from prometheus_client.multiprocess import MultiProcessCollector

        directory = os.environ.get(MULTIPROC)
        if directory is None:
            return None
        bury(Path(directory))
        collector: Collects = MultiProcessCollector(None, path=directory)  # type: ignore[no-untyped-call]
        return collector


def bury(directory: Path) -> list[int]:
    """Remove the live gauges of processes that are gone; returns those processes."""
    from prometheus_client.multiprocess import mark_process_dead

    found = (_FILE.fullmatch(path.name) for path in directory.glob("gauge_live*.db"))
    dead = sorted({int(match[1]) for match in found if match and not _runs(int(match[1]))})
    for pid in dead:
        mark_process_dead(pid, str(directory))  # type: ignore[no-untyped-call]
    return dead


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
