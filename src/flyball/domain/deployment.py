"""Deployments: the recorded wish that a version serve, and how far that has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from flyball.domain.routing import Route, SlotPhase, WorkerStatus
from flyball.domain.validation import Verdict
from flyball.errors import IllegalTransition


class Phase(StrEnum):
    """How far a deployment has come."""

    LOADING = "loading"  # wanted in the idle slot; workers load and smoke-test it
    ROLLING = "rolling"  # a share of the traffic is the challenger's, judged step by step
    SWITCHING = "switching"  # live by the record; workers are applying it
    BAKING = "baking"  # serving all traffic, watched, the old version kept loaded
    DONE = "done"
    FAILED = "failed"  # never took traffic
    ROLLED_BACK = "rolled back"


WAITS = "waits for approval"
"""Why a rollout is held that only needs somebody to approve it."""

FINAL = frozenset({Phase.DONE, Phase.FAILED, Phase.ROLLED_BACK})
_NEXT = {
    Phase.LOADING: {Phase.ROLLING, Phase.SWITCHING, Phase.FAILED},
    Phase.ROLLING: {Phase.SWITCHING, Phase.ROLLED_BACK},
    Phase.SWITCHING: {Phase.BAKING, Phase.ROLLED_BACK},
    Phase.BAKING: {Phase.DONE, Phase.ROLLED_BACK},
    Phase.DONE: {Phase.ROLLED_BACK},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A step of traffic that was taken.

    Attributes:
        share: of the challenger.
        at: when it was recorded, UTC.
        applied_at: when every worker had acknowledged it, UTC; None until then. What is judged
            begins a warm-up later, and ends with the next shift.
    """

    share: float
    at: datetime
    applied_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One rollout of one version.

    Attributes:
        model, version: what is to serve.
        ordinal: counts the model's deployments from 1.
        replaces: the champion it found; empty where there was none.
        displaced: what the idle slot held before, put back if the deployment fails.
        strategy: ``"blue-green"``, or ``"canary"``: shares of traffic one after the other.
        steps: the shares, rising to 1; of a blue-green one ``(1.0,)``.
        shifts: the shares below 1 that were taken so far.
        held: why it stays in its step whatever is judged; empty where it does not.
        approved_by: who approved full traffic; empty until somebody did.
        promoted_by: who took it on without waiting for the judge; empty where nobody did.
        slow_above_s: the champion's 95th percentile, frozen when traffic began, seconds.
        phase: how far it has come.
        started_at, moved_at: UTC; ``moved_at`` is the last change of phase.
        bake_until: when the watched time ends, once it has begun.
        detail: why it failed or was rolled back.
    """

    model: str
    version: str
    ordinal: int
    replaces: str
    strategy: str
    started_at: datetime
    moved_at: datetime
    phase: Phase = Phase.LOADING
    displaced: str = ""
    bake_until: datetime | None = None
    detail: str = ""
    steps: tuple[float, ...] = (1.0,)
    shifts: tuple[Shift, ...] = ()
    held: str = ""
    approved_by: str = ""
    promoted_by: str = ""
    slow_above_s: float = 0.0

    @property
    def id(self) -> str:
        """``"<model>/<ordinal>"``."""
        return f"{self.model}/{self.ordinal}"

    @property
    def share(self) -> float:
        """The share of traffic that the version has by the record."""
        match self.phase:
            case Phase.ROLLING:
                return self.shifts[-1].share
            case Phase.SWITCHING | Phase.BAKING | Phase.DONE:
                return 1.0
            case _:
                return 0.0

    @property
    def next_share(self) -> float:
        """The share of the next step; 1 after the last one below it."""
        return next((share for share in self.steps if share > self.share), 1.0)

    @property
    def waits(self) -> bool:
        """Whether full traffic waits for somebody's approval."""
        return self.held == WAITS

    def shifted(
        self, share: float, *, at: datetime, slow_above_s: float | None = None
    ) -> Deployment:
        """This deployment with ``share`` of the traffic for its version.

        Args:
            slow_above_s: with the first share: the champion's 95th percentile from here on.

        Raises:
            IllegalTransition: it has no traffic to take any more.
        """
        rolling = self if self.phase is Phase.ROLLING else self.moved(Phase.ROLLING, at=at)
        return replace(
            rolling,
            moved_at=at,
            shifts=(*self.shifts, Shift(share=share, at=at)),
            slow_above_s=self.slow_above_s if slow_above_s is None else slow_above_s,
            held="",
        )

    def acknowledged(self, *, at: datetime) -> Deployment:
        """This deployment once every worker has applied its newest share."""
        *before, last = self.shifts
        return replace(self, shifts=(*before, replace(last, applied_at=at)))

    def moved(
        self, phase: Phase, *, at: datetime, detail: str = "", bake_until: datetime | None = None
    ) -> Deployment:
        """This deployment in its next phase; nothing holds it there.

        Raises:
            IllegalTransition: it cannot go there from here.
        """
        if phase not in _NEXT.get(self.phase, set()):
            raise IllegalTransition(
                f"deployment {self.id} is {self.phase} and cannot become {phase}"
            )
        until = bake_until or self.bake_until
        return replace(self, phase=phase, moved_at=at, detail=detail, bake_until=until, held="")


def loaded(route: Route, version: str, workers: Sequence[WorkerStatus]) -> tuple[Verdict, str]:
    """Whether every worker has ``version`` loaded and smoke-tested in one of its slots.

    Returns:
        PASS when all have; FAIL with the first reason when any cannot; INCONCLUSIVE while any is
        still at it, or while there is no worker at all.
    """
    slot = next((s for s, name in route.slots.items() if name == version), None)
    if slot is None:
        return Verdict.FAIL, f"the route of {route.model} no longer wants {version}"
    waiting = []
    for worker in workers:
        status = worker.slot(route.model, slot)
        if status is None or status.version != version or status.phase is SlotPhase.LOADING:
            waiting.append(worker.worker)
        elif status.phase is SlotPhase.FAILED:
            return Verdict.FAIL, f"worker {worker.worker}: {status.detail}"
    if waiting or not workers:
        return Verdict.INCONCLUSIVE, f"waiting for {', '.join(waiting) or 'a worker'}"
    return Verdict.PASS, f"loaded and smoke-tested by {_counted(workers)}"


def applied(route: Route, workers: Sequence[WorkerStatus]) -> tuple[Verdict, str]:
    """Whether every worker reported at least the route's generation."""
    behind = [w.worker for w in workers if w.applied.get(route.model, 0) < route.generation]
    if behind or not workers:
        return Verdict.INCONCLUSIVE, f"waiting for {', '.join(behind) or 'a worker'}"
    return Verdict.PASS, f"generation {route.generation} applied by {_counted(workers)}"


def _counted(workers: Sequence[WorkerStatus]) -> str:
    return "1 worker" if len(workers) == 1 else f"{len(workers)} workers"
