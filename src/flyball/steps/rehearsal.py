"""A rehearsed rollback: the version that stands by serves for a moment, and then no longer.

While it lasts the route says so (``Route.rehearsal_ends``): whoever finds it past that time, or
wants to move the route for a reason of their own, ends it first. So a rehearsal that was killed
leaves what it found. No version changes its state in it.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from flyball.domain.deployment import FINAL, Deployment, Phase, applied, loaded
from flyball.domain.ledger import Entry
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.routing import Route
from flyball.domain.validation import Verdict
from flyball.errors import DeploymentError, NotFound, StaleWrite
from flyball.ports import Change
from flyball.steps.desk import Desk

ACTION = "drill"
"""Of all its rows in the ledger. Those with a ``before`` and an ``after`` changed what serves."""

BEGUN, ENDED = "begun: ", "ended: "
MEASURED, FELL_SHORT, CUT_OFF = "measured: ", "fell short: ", "cut off: "
"""How the reasons of its rows begin."""


def begin(desk: Desk, model: str, *, until: datetime) -> Route:
    """The version that stands by serves, by the record, until the rehearsal is ended.

    Args:
        until: when anybody may end it, UTC.

    Returns:
        the route that is to be applied.

    Raises:
        DeploymentError: there is no good version to switch to, a rollout is under way, workers are
            missing or behind, or another rehearsal is under way; says what to do.
        StaleWrite: somebody else moved it first.
    """
    end_overdue(desk, model)
    route = desk.route(model)
    check(desk, route)
    after = route.rehearsing(until)
    reason = f"{BEGUN}rollback rehearsed, to be over by {until:%H:%M:%S} UTC"
    desk.records.commit(
        [Change(value=after, replacing=route)], [_entry(desk, route, after, reason)]
    )
    return after


def end(desk: Desk, model: str, *, reason: str) -> Route:
    """The version that served before serves again, by the record; harmless to repeat.

    Args:
        reason: for the ledger; begins with ``ENDED`` or ``CUT_OFF``.

    Raises:
        StaleWrite: somebody else moved it first.
    """
    route = desk.route(model)
    after = route.restored()
    if after != route:
        desk.records.commit(
            [Change(value=after, replacing=route)], [_entry(desk, route, after, reason)]
        )
    return after


def end_overdue(desk: Desk, model: str) -> None:
    """End a rehearsal that should be over: whoever began it was killed, or hangs."""
    ends = desk.route(model).rehearsal_ends
    if ends is not None and desk.clock.now() >= ends:
        with suppress(StaleWrite):  # somebody else ended it
            end(desk, model, reason=f"{CUT_OFF}it was not over by {ends:%H:%M:%S} UTC")


def give_way(desk: Desk, model: str) -> None:
    """End a rehearsal that is under way, because something real is about to move the route."""
    if desk.route(model).rehearsal_ends is not None:
        with suppress(StaleWrite):
            end(desk, model, reason=f"{CUT_OFF}{desk.actor} had something real to do")


def record(desk: Desk, model: str, *, champion: str, reason: str) -> None:
    """What a rehearsal came to; ``reason`` begins with ``MEASURED`` or ``FELL_SHORT``."""
    entry = Entry(
        at=desk.clock.now(),
        actor=desk.actor,
        action=ACTION,
        subject=f"{model}/{champion}",
        model=model,
        reason=reason,
    )
    desk.records.commit([], [entry])


def check(desk: Desk, route: Route) -> None:
    """Whether a rollback can be rehearsed now. Raises as ``begin`` does."""
    model = route.model
    if route.rehearsal_ends is not None:
        raise DeploymentError(
            f"{model}: a rollback is being rehearsed until {route.rehearsal_ends:%H:%M:%S} UTC; "
            "try again after that"
        )
    for deployment in desk.records.find(Deployment, model=model):
        if deployment.phase not in FINAL | {Phase.BAKING}:
            raise DeploymentError(
                f"{model}: rollout {deployment.id} of {deployment.version} is {deployment.phase}; "
                f"rehearse when it is done (see `flyball status {model}`)"
            )
    if route.champion is None:
        raise DeploymentError(
            f"{model}: no version serves yet, so there is nothing to rehearse; "
            f"deploy one with `flyball run {model} SOURCE`"
        )
    _check_standby(desk, route)
    _check_workers(desk, route)


def _check_standby(desk: Desk, route: Route) -> None:
    try:
        standby = desk.records.get(ModelVersion, f"{route.model}/{route.standby}")
    except NotFound:
        standby = None
    if standby is None or standby.state is not State.PRODUCTION:
        held = f"{standby.name} is in {standby.state}" if standby else "none is loaded"
        raise DeploymentError(
            f"{route.model}: beside {route.champion} stands no good version to go back to "
            f"({held}); a second good version makes one: `flyball run {route.model} SOURCE`"
        )


def _check_workers(desk: Desk, route: Route) -> None:
    workers = desk.target.workers()
    if not workers:
        raise DeploymentError(
            f"{route.model}: no worker is running, so nothing serves; start `flyball up`"
        )
    for verdict, detail in (applied(route, workers), loaded(route, route.standby or "", workers)):
        if verdict is not Verdict.PASS:
            raise DeploymentError(
                f"{route.model}: not every worker is ready to switch: {detail}; "
                f"see `flyball status {route.model}`"
            )


def _entry(desk: Desk, before: Route, after: Route, reason: str) -> Entry:
    return Entry(
        at=desk.clock.now(),
        actor=desk.actor,
        action=ACTION,
        subject=f"{before.model}/{before.restored().champion}",
        model=before.model,
        before=before.champion or "",
        after=after.champion or "",
        reason=reason,
    )
