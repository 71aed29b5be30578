"""The controller: a tick, again and again, that moves what the records say should move.

A tick holds no state that matters: it reads the records, decides, and commits. So a controller that
is killed, or a second one that starts after it, goes on where the records stand.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from flyball.domain.deployment import Deployment, Phase
from flyball.domain.routing import LOST_AFTER_S, WorkerStatus
from flyball.loop.notices import Notices
from flyball.loop.parts import Parts
from flyball.loop.tasks import desk
from flyball.loop.troubles import Troubles, attempted, report
from flyball.loop.upkeep import Aliases, Housekeeping, tell
from flyball.loop.watching import Rollouts
from flyball.steps.deploy import advance
from flyball.steps.desk import Desk
from flyball.steps.monitor import monitor
from flyball.steps.rehearsal import end_overdue
from flyball.steps.rollback import restore

TICK_S = 1.0

QUICK_S = 0.25
"""Between two looks at a rollout: what is bad must be found within a second."""

ACTOR = "controller"


def tick(parts: Parts, rollouts: Rollouts, *, since: datetime | None = None) -> Troubles:
    """Move every bake and rollout as far as one look allows.

    Args:
        rollouts: what they showed so far.
        since: when this process began to tick; see ``Desk.since``.

    Returns:
        what could not be done; the rest was done all the same.
    """
    acts: dict[str, Callable[[], object]] = {}
    for model in sorted(parts.settings.models):
        bench = desk(parts, model, ACTOR, since=since)
        acts[f"bake of {model}"] = partial(_monitor, parts, bench, model)
        acts[f"rollout of {model}"] = partial(_advance, rollouts, bench, model)
        acts[f"rollback of {model}"] = partial(restore, bench, model)
        acts[f"rehearsal of {model}"] = partial(end_overdue, bench, model)
    acts["lost workers"] = partial(_forget_lost, parts)
    return attempted(acts)


def look(parts: Parts, rollouts: Rollouts, *, since: datetime | None = None) -> Troubles:
    """Only the rollouts under way, between two ticks: what is bad must be found within a second."""
    acts: dict[str, Callable[[], object]] = {}
    for model in rollouts.models():
        bench = desk(parts, model, ACTOR, since=since)
        acts[f"rollout of {model}"] = partial(_advance, rollouts, bench, model)
    return attempted(acts)


def _monitor(parts: Parts, bench: Desk, model: str) -> None:
    """Every bake, not the newest deployment's alone: a newer one may be loading or have failed."""
    for deployment in bench.records.find(Deployment, model=model):
        if deployment.phase is Phase.BAKING:
            monitor(bench, deployment, parts.events)


def _advance(rollouts: Rollouts, bench: Desk, model: str) -> None:
    for deployment in bench.records.find(Deployment, model=model, limit=1):
        rollouts.look(bench, advance(bench, deployment))


def _forget_lost(parts: Parts) -> None:
    """Workers that were not heard of for a minute are gone: a killed one cannot say so itself."""
    gone = parts.clock.now() - timedelta(seconds=12 * LOST_AFTER_S)
    for worker in parts.records.find(WorkerStatus):
        if worker.seen_at < gone:
            parts.records.discard(WorkerStatus, worker.id)


class _Ticks:
    """Ticks every ``every_s``, and looks at the rollouts in between while there are any."""

    def __init__(self, parts: Parts, every_s: float) -> None:
        self._parts, self._every_s = parts, every_s
        self._rollouts, self._began = Rollouts(parts), parts.clock.now()
        self._due = 0.0
        self._troubles: Troubles = {}

    def __call__(self) -> Troubles:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + self._every_s
            self._troubles = tick(self._parts, self._rollouts, since=self._began)
        else:
            found = look(self._parts, self._rollouts, since=self._began)
            others = {k: v for k, v in self._troubles.items() if not k.startswith("rollout of")}
            self._troubles = others | found
        return self._troubles

    def pause_s(self) -> float:
        """Until the next one."""
        left = max(0.0, self._due - time.monotonic())
        return min(left, QUICK_S) if self._rollouts.models() else left


class Controller:
    """Ticks in a thread of its own until it is closed; upkeep has another, as it may be slow."""

    def __init__(self, parts: Parts, *, every_s: float = TICK_S) -> None:
        aliases, house, ticks = Aliases(parts), Housekeeping(parts), _Ticks(parts, every_s)
        self._notices = Notices(parts)

        def upkeep() -> Troubles:
            tidied = attempted({"old windows": house.tidy})
            return aliases.follow() | tell(parts) | tidied

        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(act, pause), name=name, daemon=True)
            for name, act, pause in (
                ("controller", ticks, ticks.pause_s),
                ("upkeep", upkeep, lambda: every_s),
                ("notices", self._notices.follow, lambda: every_s),  # upkeep may be slow
            )
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
        self._notices.close()

    def _repeat(self, act: Callable[[], Troubles], pause_s: Callable[[], float]) -> None:
        troubles: Troubles = {}
        while not self._stop.is_set():
            before, troubles = troubles, act()
            report(troubles, before)
            self._stop.wait(pause_s())
