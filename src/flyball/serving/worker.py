"""One serving process without its HTTP server: models, the threads behind them, and its health."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from flyball.domain.access import Caller
from flyball.domain.privacy import Pseudonyms
from flyball.domain.routing import Route, Slot, WorkerStatus
from flyball.domain.traffic import Answers, Event
from flyball.ports import Application, Blobs, Clock, Events, Records, ServedLists
from flyball.serving.backlog import Backlog
from flyball.serving.follower import Follower, resident_bytes
from flyball.serving.health import model_health, unready_reason
from flyball.serving.host import ModelHost
from flyball.serving.journal import Journal
from flyball.serving.loading import load
from flyball.serving.overlay import Overlay
from flyball.serving.rulebook import Rulebook
from flyball.serving.slots import Loaded, Slots
from flyball.settings import ModelSettings
from flyball.storage.spool import Spool
from flyball.storage.spool_tail import SpoolTail
from flyball.telemetry.metrics import Metrics
from flyball.telemetry.served import ServedRecorder
from flyball.telemetry.windows import WindowRecorder


class Adapters(Protocol):
    """What a worker needs of ``wiring.Platform``."""

    @property
    def records(self) -> Records:
        """Routes, versions, statuses."""
        ...

    @property
    def blobs(self) -> Blobs:
        """Artifacts."""
        ...

    @property
    def events(self) -> Events:
        """Live traffic."""
        ...

    @property
    def spool(self) -> Spool:
        """Events on disk, while the database is away."""
        ...

    @property
    def served(self) -> ServedLists:
        """Lists that were shown."""
        ...

    @property
    def clock(self) -> Clock:
        """The time."""
        ...

    def answers(self, model: str) -> Answers:
        """What gives a model's answers their ids, and reads them again."""
        ...

    def model(self, name: str) -> ModelSettings:
        """A model's settings."""
        ...


class Served(Protocol):
    """What the HTTP edge needs of a worker."""

    hosts: Mapping[str, ModelHost]
    metrics: Metrics

    def unready(self) -> list[str]:
        """Why it cannot answer yet; empty when it can."""
        ...

    def health(self) -> dict[str, Any]:
        """All that is known of it, as JSON types."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which process this is."""

    worker: str
    url: str
    started_at: datetime


def identify(url: str, clock: Clock) -> Identity:
    """This process: ``"<host>:<pid>"``, where it listens, and since when."""
    name = f"{socket.gethostname()}:{os.getpid()}"
    return Identity(worker=name, url=url, started_at=clock.now())


class Worker:
    """A worker that follows the routes of its models, and keeps what it is sent.

    Args:
        adapters: what it reads and writes.
        applications: by model.
        identity: which process this is.
        metrics: of this process.
        pseudonyms: of the models whose data knows users by them.
        also: more that follows the records, as ``Follower`` does.
        limit_user: counts a request that names a user; see ``ModelHost``.
    """

    def __init__(
        self,
        adapters: Adapters,
        applications: Mapping[str, Application],
        identity: Identity,
        metrics: Metrics,
        *,
        pseudonyms: Mapping[str, Pseudonyms],
        also: Sequence[Callable[[Records], None]] = (),
        limit_user: Callable[[Caller, str], None] | None = None,
    ) -> None:
        self.metrics = metrics
        self._clock, self._identity = adapters.clock, identity
        self._windows = WindowRecorder(adapters.events, identity.worker, adapters.clock)
        self._lists = ServedRecorder(adapters.served, metrics.unwritten.inc)
        self._backlog = Backlog(
            adapters.spool, adapters.events, adapters.records, metrics, self._stored
        )
        self._journal = Journal(adapters.events, self._backlog)
        tail = SpoolTail(adapters.spool.folder, adapters.spool.mark)
        self._overlay = Overlay(adapters.events, adapters.records, tail)
        self._slots = {model: Slots(model) for model in applications}
        self._rulebook = Rulebook(applications)
        self.hosts: Mapping[str, ModelHost] = {
            model: ModelHost(
                slots,
                metrics,
                pseudonyms=pseudonyms.get(model),
                windows=self._windows,
                journal=self._journal,
                overlay=self._overlay,
                rules=partial(self._rulebook.of, model),
                answers=adapters.answers(model),
                lists=self._lists,
                limit_user=limit_user,
                exploration=adapters.model(model).exploration,
            )
            for model, slots in self._slots.items()
        }

        def load_version(model: str, version: str) -> Loaded:
            return load(
                model,
                version,
                records=adapters.records,
                blobs=adapters.blobs,
                application=applications[model],
            )

        self._follower = Follower(
            records=adapters.records,
            load=load_version,
            slots=self._slots,
            rulebook=self._rulebook,
            also=also,
            status=WorkerStatus(
                worker=identity.worker,
                url=identity.url,
                started_at=identity.started_at,
                seen_at=identity.started_at,
            ),
            clock=adapters.clock,
            metrics=metrics,
        )

    @property
    def settled(self) -> bool:
        """Whether it has done what it can before its first request: routes, versions, events."""
        return self._follower.routed and self._overlay.caught_up

    def start(self) -> None:
        """Begin to follow, to store and to count."""
        self._backlog.start()
        self._journal.start()
        self._windows.start()
        self._lists.start()
        self._overlay.start()
        self._follower.start()

    def stop(self) -> None:
        """Store what is left and take the status back. No request may be in flight."""
        self._journal.stop()
        self._backlog.stop()
        self._windows.stop()
        self._lists.stop()
        self._overlay.stop()
        self._follower.stop()

    def _stored(self, events: Sequence[Event], new: Sequence[bool]) -> None:
        """Events that waited on disk are in the database."""
        for model, host in self.hosts.items():
            theirs = [pair for pair in zip(events, new, strict=True) if pair[0].model == model]
            host.stored([event for event, _ in theirs], [is_new for _, is_new in theirs])

    def when_reported(self, call: Callable[[], None]) -> None:
        """Call this once a status has been stored from now on."""
        self._follower.when_reported(call)

    def unready(self) -> list[str]:
        """Why it cannot answer yet; empty when every routed model has a ready live version."""
        routed = [s for s in self._slots.values() if s.route is not None and s.route.champion]
        reasons = [
            f"{slots.model}: {unready_reason(slots)}" for slots in routed if slots.snapshot is None
        ]
        if not self._follower.routed and not reasons:
            reasons.append("the routes are being read")
        elif not routed:
            reasons.append("nothing is live yet; to deploy: flyball run MODEL SOURCE")
        if not self._overlay.caught_up:
            reasons.append("the stored events are being read")
        return reasons

    def health(self) -> dict[str, Any]:
        """Versions, slots, worker, uptime and dependencies, as JSON types."""
        away = self._follower.database
        unready = self.unready()
        self.metrics.dropped.set(self._windows.dropped)
        return {
            "status": "degraded" if away else "starting" if unready else "ok",
            "unready": unready,
            **process_health(self._identity, self._clock),
            "models": {model: model_health(slots) for model, slots in self._slots.items()},
            "dependencies": {"database": {"ok": not away, "detail": away}},
            "spool": {"waiting": self._backlog.waiting},
        }


class Candidate:
    """A worker that serves exactly one version and leaves no trace in the records."""

    def __init__(
        self,
        loaded: Loaded,
        model: str,
        identity: Identity,
        clock: Clock,
        *,
        pseudonyms: Pseudonyms | None,
    ) -> None:
        self.metrics = Metrics()
        self._identity, self._clock = identity, clock
        self._slots = Slots(model)
        self._slots.follow(
            Route(model=model, generation=1, slots={Slot.BLUE: loaded.version}, live=Slot.BLUE)
        )
        self._slots.put(loaded)
        host = ModelHost(self._slots, self.metrics, pseudonyms=pseudonyms)
        self.hosts: Mapping[str, ModelHost] = {model: host}

    def unready(self) -> list[str]:
        """Nothing: it was loaded before."""
        return []

    def health(self) -> dict[str, Any]:
        """As of any worker, without dependencies."""
        return {
            "status": "ok",
            "unready": [],
            **process_health(self._identity, self._clock),
            "models": {self._slots.model: model_health(self._slots)},
            "dependencies": {},
        }


def process_health(identity: Identity, clock: Clock) -> dict[str, Any]:
    """Who this process is and how it does."""
    return {
        "worker": identity.worker,
        "url": identity.url,
        "started_at": identity.started_at.isoformat(),
        "uptime_s": round((clock.now() - identity.started_at).total_seconds(), 3),
        "rss_bytes": resident_bytes(),
    }
