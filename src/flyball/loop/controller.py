"""The controller: a tick, again and again, that moves what the records say should move.

A tick holds no state that matters: it reads the records, decides, and commits. So a controller that
is killed, or a second one that starts after it, goes on where the records stand.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from flyball.domain.deployment import Deployment, Phase
from flyball.domain.routing import LOST_AFTER_S, WorkerStatus
from flyball.loop.parts import Parts
from flyball.loop.tasks import desk
from flyball.loop.troubles import Troubles, attempted, report
from flyball.loop.upkeep import Aliases, Housekeeping, tell
from flyball.steps.deploy import advance
from flyball.steps.desk import Desk
from flyball.steps.monitor import monitor
from flyball.steps.rollback import restore

TICK_S = 1.0
ACTOR = "controller"


def tick(parts: Parts, *, since: datetime | None = None) -> Troubles:
    """Move every bake and rollout as far as one look allows.

    Args:
        since: when this process began to tick; see ``Desk.since``.

    Returns:
        what could not be done; the rest was done all the same.
    """
    acts: dict[str, Callable[[], object]] = {}
    for model in sorted(parts.settings.models):
        bench = desk(parts, model, ACTOR, since=since)
        acts[f"bake of {model}"] = partial(_monitor, parts, bench, model)
        acts[f"rollout of {model}"] = partial(_advance, bench, model)
        acts[f"rollback of {model}"] = partial(restore, bench, model)
    acts["lost workers"] = partial(_forget_lost, parts)
    return attempted(acts)


def _monitor(parts: Parts, bench: Desk, model: str) -> None:
    """Every bake, not the newest deployment's alone: a newer one may be loading or have failed."""
    for deployment in bench.records.find(Deployment, model=model):
        if deployment.phase is Phase.BAKING:
            monitor(bench, deployment, parts.events)


def _advance(bench: Desk, model: str) -> None:
    for deployment in bench.records.find(Deployment, model=model, limit=1):
        advance(bench, deployment)


def _forget_lost(parts: Parts) -> None:
    """Workers that were not heard of for a minute are gone: a killed one cannot say so itself."""
    gone = parts.clock.now() - timedelta(seconds=12 * LOST_AFTER_S)
    for worker in parts.records.find(WorkerStatus):
        if worker.seen_at < gone:
            parts.records.discard(WorkerStatus, worker.id)


class Controller:
    """Ticks in a thread of its own until it is closed; upkeep has another, as it may be slow."""

    def __init__(self, parts: Parts, *, every_s: float = TICK_S) -> None:
        began = parts.clock.now()
        aliases, house = Aliases(parts), Housekeeping(parts)

        def upkeep() -> Troubles:
            tidied = attempted({"old windows": house.tidy})
            return aliases.follow() | tell(parts) | tidied

        self._every_s = every_s
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(act,), name=name, daemon=True)
            for name, act in (("controller", partial(tick, parts, since=began)), ("upkeep", upkeep))
        ]

    def start(self) -> None:
        """Begin ticking."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop after what is under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, act: Callable[[], Troubles]) -> None:
        troubles: Troubles = {}
        while not self._stop.is_set():
            before, troubles = troubles, act()
            report(troubles, before)
            self._stop.wait(self._every_s)
