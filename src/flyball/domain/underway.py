"""How a rollout stands: its step, what keeps it there, and what an operator may decide about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from flyball.domain.deployment import Deployment, Phase
from flyball.domain.judging import Standing


class Order(StrEnum):
    """What an operator may decide about a version."""

    HOLD = "hold"  # stay in this step, however well it goes
    RESUME = "resume"
    APPROVE = "approve"  # the full traffic that it waits for
    PROMOTE = "promote"  # full traffic now, without waiting for the judge
    ABORT = "abort"  # all traffic back to the champion
    ARCHIVE = "archive"  # it serves no more, ever


UNDER_WAY = frozenset({Phase.LOADING, Phase.ROLLING, Phase.SWITCHING})
"""The phases of a rollout that has neither reached all traffic nor ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Underway:
    """One rollout, as an operator sees it.

    Attributes:
        deployment: its record.
        standing: how it was judged last; None before the first look.
        share: of the users that the version answers, in [0, 1].
        step: which of ``deployment.steps`` it is in, from 1; 0 before the first.
        since: when that began, UTC.
        deadline: when the step must have shown enough, UTC; None where that is not awaited.
        held_by: who holds it, where somebody does and the ledger says who.
        orders: what may be decided about it now.
    """

    deployment: Deployment
    standing: Standing | None
    share: float
    step: int
    since: datetime
    deadline: datetime | None
    held_by: str
    orders: tuple[Order, ...]

    @property
    def under_way(self) -> bool:
        """Whether it has neither reached all traffic nor ended."""
        return self.deployment.phase in UNDER_WAY

    @property
    def keeps(self) -> str:
        """What keeps it in its step whatever is judged, in words; empty where nothing does."""
        one = self.deployment
        if one.waits:
            return "waits for somebody to approve full traffic"
        by = f" by {self.held_by}" if self.held_by else ""
        return f"held{by}: {one.held}" if one.held else ""


def underway(
    deployment: Deployment, standing: Standing | None, *, deadline: timedelta, held_by: str = ""
) -> Underway:
    """A rollout as it stands.

    Args:
        deadline: time in which a step must show enough.
        held_by: who wrote that it is held, where it is.
    """
    step, since = _where(deployment)
    judged = deployment.phase is Phase.ROLLING and not deployment.held
    return Underway(
        deployment=deployment,
        standing=standing,
        share=deployment.share,
        step=step,
        since=since,
        deadline=since + deadline if judged else None,
        held_by=held_by if deployment.held else "",
        orders=_orders(deployment),
    )


def _where(deployment: Deployment) -> tuple[int, datetime]:
    match deployment.phase:
        case Phase.ROLLING:
            last = deployment.shifts[-1]
            taken = sum(share <= last.share for share in deployment.steps)
            return taken, last.applied_at or last.at
        case Phase.SWITCHING | Phase.BAKING | Phase.DONE:
            return len(deployment.steps), deployment.moved_at
        case _:
            return 0, deployment.moved_at


def _orders(deployment: Deployment) -> tuple[Order, ...]:
    """What the phase allows; a version that has all traffic is rolled back, not aborted."""
    if deployment.phase is Phase.LOADING:
        return (Order.ABORT,)
    if deployment.phase is not Phase.ROLLING:
        return ()
    if deployment.waits:
        return (Order.APPROVE, Order.ABORT)
    pause = Order.RESUME if deployment.held else Order.HOLD
    return (pause, Order.PROMOTE, Order.ABORT)
