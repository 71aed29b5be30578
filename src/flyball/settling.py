"""An operator's decision, written and waited for by the process that was asked for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from flyball.domain.deployment import Deployment, Phase
from flyball.domain.ledger import Entry
from flyball.errors import StaleWrite

if TYPE_CHECKING:
    from flyball.steps.desk import Desk

LOOK_EVERY_S = 0.02
SETTLE_WITHIN_S = 15.0
TRIES = 5
"""How often a decision is written while nothing but the controller's progress is in its way."""

CONTROLLER = "controller"
"""The actor that is no rival: it moves a rollout on, and decides nothing about a person's wish."""

T = TypeVar("T")


def written(
    desk: Desk, model: str, act: Callable[[], T], *, aim: Callable[[], object] = lambda: None
) -> T:
    """What ``act`` did, tried again where only the controller was quicker.

    Args:
        aim: what ``act`` is about, where it does not say that itself; it is not tried again once
            that is something else.

    Raises:
        StaleWrite: somebody else decided about the model meanwhile; says who, what and why.
    """
    aimed = aim()
    for left in reversed(range(TRIES)):
        last = desk.records.ledger(model=model, limit=1)
        try:
            return act()
        except StaleWrite as error:
            rivals = _since(desk, model, last[-1].seq if last else 0)
            people = [entry for entry in rivals if entry.actor != CONTROLLER]
            if people or (rivals and aim() != aimed):
                raise StaleWrite(_told((people or rivals)[0], model)) from error
            if not left:
                raise
    raise AssertionError("the last try returned or raised")


def _since(desk: Desk, model: str, seq: int) -> list[Entry]:
    """What was written to the ledger about the model after a row."""
    return [row.entry for row in desk.records.ledger(model=model, limit=20) if row.seq > seq]


def _told(rival: Entry, model: str) -> str:
    why = f" ({rival.reason})" if rival.reason else ""
    return (
        f"{rival.actor} was quicker: {rival.action} of {rival.subject}{why}; "
        f"see `flyball status {model}` and decide again"
    )


def restored(desk: Desk, model: str, *, since: datetime) -> float | None:
    """Seconds until every worker served the restored version; None where not all did in time."""
    from flyball.steps.rollback import restore

    pause, waited = threading.Event(), 0.0
    while waited <= SETTLE_WITHIN_S and desk.target.workers():
        waited = (desk.clock.now() - since).total_seconds()
        if restore(desk, model):
            return waited
        pause.wait(LOOK_EVERY_S)
    return None


def switched(
    desk: Desk, deployment: Deployment, *, since: datetime
) -> tuple[Deployment, float | None]:
    """A deployment that takes all traffic, once every worker has applied that; and the seconds.

    The seconds are None where not all did in time: the deployment then is as far as it came.
    """
    from flyball.steps.deploy import advance

    pause, waited = threading.Event(), 0.0
    while waited <= SETTLE_WITHIN_S and desk.target.workers():
        try:
            deployment = advance(desk, deployment)
        except StaleWrite:  # the controller moved it first
            deployment = desk.records.get(Deployment, deployment.id)
        waited = (desk.clock.now() - since).total_seconds()
        if deployment.phase is not Phase.SWITCHING:
            return deployment, waited
        pause.wait(LOOK_EVERY_S)
    return deployment, None
