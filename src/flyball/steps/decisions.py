"""What an operator decides about a rollout: hold, resume, abort, promote, approve, archive.

Each writes the record itself, so that it also works while no control process runs. Two operators
who decide at once cannot both succeed: the second is told that it has moved (``StaleWrite``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from flyball.domain.deployment import FINAL, Deployment, Phase, Shift
from flyball.domain.evidence import EvidenceKind
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.routing import Route
from flyball.errors import DeploymentError
from flyball.ports import Change
from flyball.steps.deploy import give_up
from flyball.steps.desk import Desk, evidence_of
from flyball.steps.rehearsal import give_way
from flyball.steps.rollback import rollback
from flyball.steps.shares import withdraw
from flyball.steps.switching import switch


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """What a rollback did: which version lost its traffic, and the route as it is now."""

    withdrawn: str
    route: Route


def under_way(desk: Desk, model: str) -> Deployment | None:
    """The model's rollout that is loading or rolling; there is one at most."""
    newest = desk.records.find(Deployment, model=model, limit=1)
    open_ones = [d for d in newest if d.phase in (Phase.LOADING, Phase.ROLLING)]
    return open_ones[0] if open_ones else None


def back(desk: Desk, model: str, *, reason: str) -> Withdrawal:
    """The good version answers everybody again: a rollout is withdrawn, or else the one before.

    Raises:
        DeploymentError: nothing serves, or no earlier good version is loaded.
        StaleWrite: somebody else moved it first.
    """
    rolling = under_way(desk, model)
    if rolling is not None and rolling.phase is Phase.ROLLING:
        abort(desk, model, rolling.version, reason=reason)
        return Withdrawal(withdrawn=rolling.version, route=desk.route(model))
    give_way(desk, model)
    withdrawn = desk.route(model).champion or ""
    route = rollback(desk, model, reason=reason, kind=EvidenceKind.DECISION)
    return Withdrawal(withdrawn=withdrawn, route=route)


def hold(desk: Desk, model: str, version: str, *, reason: str) -> Deployment:
    """It keeps its share until it is resumed; harm that is shown still withdraws it."""
    deployment = _rolling(desk, model, version)
    if deployment.held:
        raise DeploymentError(f"{deployment.id} of {version} is held already: {deployment.held}")
    after = replace(deployment, held=reason)
    entry = desk.noted("hold", after, after=reason, reason=reason)
    desk.records.commit([Change(value=after, replacing=deployment)], [entry])
    return after


def resume(desk: Desk, model: str, version: str, *, reason: str) -> Deployment:
    """A held one goes on; its step has its whole time again, and what was seen still counts."""
    deployment = _rolling(desk, model, version)
    if deployment.waits:
        raise DeploymentError(
            f"{deployment.id} of {version} waits for approval: "
            f"`flyball approve {model} {version}` lets it take all traffic"
        )
    if not deployment.held:
        raise DeploymentError(f"{deployment.id} of {version} is not held")
    now = desk.clock.now()
    again = Shift(share=deployment.share, at=now, applied_at=deployment.shifts[-1].applied_at)
    if again.applied_at is not None:
        again = replace(again, applied_at=now)
    after = replace(deployment, held="", shifts=(*deployment.shifts, again))
    entry = desk.noted("resume", after, before=deployment.held, reason=reason)
    desk.records.commit([Change(value=after, replacing=deployment)], [entry])
    return after


def abort(desk: Desk, model: str, version: str, *, reason: str) -> Deployment:
    """It ends here: the champion answers everybody."""
    deployment = _under_way(desk, model, version)
    with desk.unless_moved(deployment):
        if deployment.phase is Phase.LOADING:
            return give_up(desk, deployment, reason)
        evidence = evidence_of(EvidenceKind.DECISION, deployment.id, reason)
        return withdraw(desk, deployment, reason, evidence)


def promote(desk: Desk, model: str, version: str, *, reason: str) -> Deployment:
    """It takes all traffic now, whatever is shown so far; the bake watches it."""
    deployment = _rolling(desk, model, version)
    evidence = evidence_of(EvidenceKind.DECISION, deployment.id, reason)
    entry = desk.noted(
        "promote",
        deployment,
        before=f"{deployment.share:.0%}",
        after="100%",
        reason=reason,
        evidence=evidence,
    )
    with desk.unless_moved(deployment):
        return switch(desk, deployment, reason, evidence, entries=[entry], promoted_by=desk.actor)


def approve(desk: Desk, model: str, version: str, *, reason: str) -> Deployment:
    """It may take all traffic once the evidence suffices; also said before it asks."""
    deployment = _rolling(desk, model, version)
    if deployment.approved_by:
        raise DeploymentError(f"{deployment.approved_by} has approved {deployment.id} already")
    held = "" if deployment.waits else deployment.held
    after = replace(deployment, approved_by=desk.actor, held=held)
    evidence = evidence_of(EvidenceKind.DECISION, deployment.id, reason)
    entry = desk.noted("approve", after, after=desk.actor, reason=reason, evidence=evidence)
    desk.records.commit([Change(value=after, replacing=deployment)], [entry])
    return after


def archive(desk: Desk, model: str, version: str, *, reason: str) -> ModelVersion:
    """The version that stands by is let go: nothing can go back to it any more."""
    give_way(desk, model)
    found = desk.records.get(ModelVersion, f"{model}/{version}")
    route = desk.route(model)
    if version == route.champion:
        raise DeploymentError(f"{found.id} serves; deploy another version first")
    rollout = under_way(desk, model)
    if rollout is not None and version in (rollout.version, rollout.displaced):
        raise DeploymentError(
            f"{found.id} is part of rollout {rollout.id}; wait until it has ended, or end it with "
            f"`flyball abort {model} {rollout.version}`"
        )
    evidence = evidence_of(EvidenceKind.DECISION, found.id, reason)
    moved = found.moved(State.ARCHIVED, evidence)
    changes = [Change(value=moved, replacing=found)]
    if version == route.standby:
        changes.append(Change(value=route.unloaded(), replacing=route))
    desk.records.commit(changes, [desk.transition(found, moved, evidence, reason)])
    return moved


def _under_way(desk: Desk, model: str, version: str) -> Deployment:
    found = under_way(desk, model)
    if found is None or found.version != version:
        raise DeploymentError(
            f"no rollout of {model}/{version} is under way{_instead(desk, model, version)}"
        )
    return found


def _rolling(desk: Desk, model: str, version: str) -> Deployment:
    found = _under_way(desk, model, version)
    if found.phase is Phase.LOADING:
        raise DeploymentError(
            f"{found.id} of {version} has no traffic yet: workers are loading it; "
            "try again in a moment"
        )
    return found


def _instead(desk: Desk, model: str, version: str) -> str:
    """What there is in its place."""
    past = [d for d in desk.records.find(Deployment, model=model) if d.version == version]
    if past and past[-1].phase in FINAL:
        return f": deployment {past[-1].id} is {past[-1].phase}"
    if past:
        return (
            f": {past[-1].id} has all traffic and is {past[-1].phase}; "
            f"`flyball rollback {model}` takes it back"
        )
    return f"; see `flyball status {model}`"
