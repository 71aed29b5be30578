"""Workers that a rollout costs: those that crash, and those whose memory runs away."""

from __future__ import annotations

from collections import Counter

from flyball.domain.routing import WorkerStatus, alive
from flyball.loop.parts import Parts

CRASHES = 3
"""Workers lost since a version has traffic: with so many it is stopped."""

MISSED = 8
"""Looks in a row at which a worker is missed until it counts as crashed: some two seconds. When
somebody sets the clock, all workers seem to be gone until each has reported again."""


class Casualties:
    """Counts workers from one rollout's first look on. Not thread-safe.

    A worker counts once it outgrew its limit by what it took up since then; one that leaks slowly
    and had its limit nearly reached before is no version's fault.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._began = parts.clock.now()
        self._missed: Counter[str] = Counter()
        self._first: dict[str, int] = {}
        self._crashed: set[str] = set()
        self._outgrown: set[str] = set()

    def trouble(self) -> str:
        """Why the rollout must be stopped, if too many are lost; empty where it need not."""
        now = self._parts.clock.now()
        known = [w for w in self._parts.records.find(WorkerStatus) if w.seen_at > self._began]
        living = [worker for worker in known if alive(worker, now)]
        gone = {worker.worker for worker in known} - {worker.worker for worker in living}
        self._missed = Counter({name: self._missed[name] + 1 for name in gone})
        self._crashed |= {name for name, looks in self._missed.items() if looks >= MISSED}
        self._outgrown |= {worker.worker for worker in living if self._outgrew(worker)}
        if len(self._crashed) >= CRASHES:
            return f"{len(self._crashed)} workers crashed since the version has traffic"
        if len(self._outgrown) >= max(1, min(CRASHES, len(living))):
            return (
                f"memory of {len(self._outgrown)} workers grew beyond server.worker_memory since "
                "the version has traffic"
            )
        return ""

    def _outgrew(self, worker: WorkerStatus) -> bool:
        """Whether it took up more than half its limit meanwhile, and is beyond it now."""
        limit = self._parts.settings.server.worker_memory
        first = self._first.setdefault(worker.worker, worker.own_bytes)
        return 0 < limit <= worker.own_bytes and worker.own_bytes - first > limit / 2
