"""Prometheus metrics of a serving process, shared by all workers of a home.

In multiprocess mode each worker writes to files of its own in one folder, and any worker's
``/metrics`` adds them all up. ``prometheus_client`` chooses that mode when it is first imported:
``share`` must be called before this module's classes are used.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

MULTIPROC = "PROMETHEUS_MULTIPROC_DIR"
_FILE = re.compile(r"[a-z]+(?:_[a-z]+)?_(\d+)\.db")

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the latency histograms: 1 ms to 30 s."""


def share(directory: Path) -> None:
    """Share this process's metrics with the others that name the same folder.

    Call it before anything imports ``prometheus_client``.
    """
    directory.mkdir(parents=True, exist_ok=True)
    os.environ[MULTIPROC] = str(directory)


def forget(directory: Path) -> None:
    """Start counting anew: for the one who starts all workers, while none runs."""
    for path in directory.glob("*.db"):
        path.unlink(missing_ok=True)


class Metrics:
    """The metrics of one process. One instance a process; thread-safe.

    Attributes:
        requests: answers of models, by model, version, endpoint and status.
        duration: seconds each took, by model, version and endpoint.
        latency: the same over everything, under the name that alerts use.
        events: events received, by model, type and result (new, duplicate, refused).
        loads: versions loaded, by model and result (ready, failed).
        generation: the oldest route generation in force among the live workers, by model.
        ready: live workers that have a model's version ready, by model and version.
        resident: resident memory of each live worker, bytes.
        dropped: windows of telemetry that were lost because the database stayed away.
    """

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        here = self._registry = CollectorRegistry()
        by_answer = ("model", "model_version", "endpoint")
        self.requests: Counter = Counter(
            "model_inference_requests_total",
            "Answers of models.",
            (*by_answer, "status"),
            registry=here,
        )
        self.duration: Histogram = Histogram(
            "model_inference_duration_seconds",
            "Seconds an answer took.",
            by_answer,
            buckets=SECONDS,
            registry=here,
        )
        self.latency: Histogram = Histogram(
            "prediction_latency_seconds",
            "Seconds an answer took, over all models.",
            buckets=SECONDS,
            registry=here,
        )
        self.events: Counter = Counter(
            "flyball_events_total",
            "Events received.",
            ("model", "type", "result"),
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

    def served(self, model: str, version: str, endpoint: str, seconds: float, status: int) -> None:
        """Count one answer."""
        self.requests.labels(model, version, endpoint, str(status)).inc()
        self.duration.labels(model, version, endpoint).observe(seconds)
        self.latency.observe(seconds)

    def exposition(self) -> tuple[bytes, str]:
        """What a scrape gets, of all workers where they share: the body and its content type."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return generate_latest(self._shared() or self._registry), CONTENT_TYPE_LATEST

    def _shared(self) -> CollectorRegistry | None:
        from prometheus_client import CollectorRegistry
        from prometheus_client.multiprocess import MultiProcessCollector

        directory = os.environ.get(MULTIPROC)
        if directory is None:
            return None
        bury(Path(directory))
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=directory)  # type: ignore[no-untyped-call]
        return registry


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
