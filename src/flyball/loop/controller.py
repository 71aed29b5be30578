"""The controller: a tick, again and again, that moves what the records say should move.

A tick holds no state that matters: it reads the records, decides, and commits. So a controller that
is killed, or a second one that starts after it, goes on where the records stand.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

from flyball.domain.deployment import Deployment, Phase
from flyball.domain.routing import LOST_AFTER_S, WorkerStatus
from flyball.errors import FlyballError, StaleWrite
from flyball.loop.parts import Parts
from flyball.loop.tasks import desk
from flyball.steps.deploy import advance
from flyball.steps.desk import Desk
from flyball.steps.monitor import monitor
from flyball.steps.rollback import restore

log = logging.getLogger("flyball.controller")

TICK_S = 1.0
ACTOR = "controller"


def tick(parts: Parts) -> None:
    """Move every rollout and bake as far as one look allows, and keep the registry's aliases true.

    A record that somebody else moved meanwhile is left for the next tick.
    """
    for model in sorted(parts.settings.models):
        bench = desk(parts, model, ACTOR)
        for act in (_advance, _monitor, _restore):
            try:
                act(parts, bench, model)
            except StaleWrite:
                log.info("%s: moved by somebody else; looking again at the next tick", model)
    _forget_lost(parts)


def _advance(parts: Parts, bench: Desk, model: str) -> None:
    del parts
    for deployment in bench.records.find(Deployment, model=model, limit=1):
        advance(bench, deployment)


def _monitor(parts: Parts, bench: Desk, model: str) -> None:
    for deployment in bench.records.find(Deployment, model=model, limit=1):
        if deployment.phase is Phase.BAKING:
            monitor(bench, deployment, parts.events)


def _restore(parts: Parts, bench: Desk, model: str) -> None:
    del parts
    restore(bench, model)


def _forget_lost(parts: Parts) -> None:
    """Workers that were not heard of for a minute are gone: a killed one cannot say so itself."""
    gone = parts.clock.now() - timedelta(seconds=12 * LOST_AFTER_S)
    for worker in parts.records.find(WorkerStatus):
        if worker.seen_at < gone:
            parts.records.discard(WorkerStatus, worker.id)


class Housekeeping:
    """Forgets windows of traffic that are older than is kept; events stay."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._due = parts.clock.now()

    def tidy(self) -> None:
        """Look once an hour."""
        now = self._parts.clock.now()
        if now >= self._due:
            self._parts.events.forget_windows(before=now - self._parts.settings.server.keep_windows)
            self._due = now + timedelta(hours=1)


class Aliases:
    """Keeps the registry's ``champion`` alias on the version that the route says serves.

    The record changes first (a rollback does not wait for a registry); this follows it.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._told: dict[str, str | None] = {}

    def follow(self) -> None:
        """Tell the registry of every champion that changed since the last call."""
        for model in self._parts.settings.models:
            champion = desk(self._parts, model, ACTOR).route(model).champion
            if champion is not None and self._told.get(model) != champion:
                self._parts.tracker.alias(model, "champion", champion)
                self._told[model] = champion


class Controller:
    """Ticks in a thread of its own until it is closed."""

    def __init__(self, parts: Parts, *, every_s: float = TICK_S) -> None:
        self._acts: tuple[Callable[[], None], ...] = (
            lambda: tick(parts),
            Aliases(parts).follow,
            Housekeeping(parts).tidy,
        )
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="controller", daemon=True)

    def start(self) -> None:
        """Begin ticking."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the tick under way."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            for act in self._acts:
                try:
                    act()
                except FlyballError as error:
                    log.warning("tick failed, trying again in %.0f s: %s", self._every_s, error)
            self._stop.wait(self._every_s)
