"""Roll back: the version before serves again, by one row; and what follows once it does."""

from __future__ import annotations

from flyball.domain.deployment import Deployment, Phase, applied
from flyball.domain.evidence import EvidenceKind
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.routing import Route
from flyball.domain.validation import Verdict
from flyball.errors import DeploymentError, NotFound, StaleWrite
from flyball.ports import Change
from flyball.steps.desk import Desk, evidence_of
from flyball.steps.rehearsal import give_way

_SERVING = (Phase.SWITCHING, Phase.BAKING, Phase.DONE)


def rollback(desk: Desk, model: str, *, reason: str, kind: EvidenceKind) -> Route:
    """The previous good version serves again, by the record. Workers apply it within a second.

    Raises:
        DeploymentError: nothing serves, or no earlier good version is loaded beside it.
        StaleWrite: somebody else moved it first.
    """
    give_way(desk, model)
    route = desk.route(model)
    deployment = _serving(desk, route)
    _check_standby(desk, route)
    version = desk.version(deployment)
    evidence = evidence_of(kind, deployment.id, reason)
    with desk.unless_moved(route):
        after = deployment.moved(Phase.ROLLED_BACK, at=desk.clock.now(), detail=reason)
        back, moved = route.switched(), version.moved(State.ROLLBACK, evidence)
    desk.records.commit(
        [
            Change(value=after, replacing=deployment),
            Change(value=back, replacing=route),
            Change(value=moved, replacing=version),
        ],
        [
            desk.transition(version, moved, evidence, reason),
            desk.routed(
                deployment, deployment.version, back.champion or "", f"rollback: {reason}", evidence
            ),
        ],
    )
    return back


def _serving(desk: Desk, route: Route) -> Deployment:
    """The deployment that put the champion where it is."""
    for deployment in reversed(desk.records.find(Deployment, model=route.model)):
        if deployment.version == route.champion and deployment.phase in _SERVING:
            return deployment
    raise DeploymentError(
        f"{route.model}: no version serves yet, so there is nothing to roll back; "
        f"deploy one with `flyball run {route.model} SOURCE`"
    )


def _check_standby(desk: Desk, route: Route) -> None:
    """Only a version that served well may come back: not a challenger, not a rolled-back one."""
    try:
        standby = desk.records.get(ModelVersion, f"{route.model}/{route.standby}")
    except NotFound:
        standby = None
    if standby is None or standby.state is not State.PRODUCTION:
        held = (
            f"beside it stands {standby.name} in {standby.state}" if standby else "none is loaded"
        )
        raise DeploymentError(
            f"{route.model}: there is no earlier good version than {route.champion} to go back to "
            f"({held}); deploy one with `flyball deploy {route.model} VERSION`"
        )


def restore(desk: Desk, model: str) -> bool:
    """Once every worker serves the earlier version, the rolled-back one returns to staging.

    Returns:
        whether nothing is waiting for that any more.
    """
    route = desk.route(model)
    waiting = [v for v in desk.records.find(ModelVersion, model=model) if v.state is State.ROLLBACK]
    verdict, detail = applied(route, desk.target.workers())
    if waiting and verdict is not Verdict.PASS:
        return False
    for version in waiting:
        evidence = evidence_of(EvidenceKind.APPLIED, f"{model}/{route.generation}", detail)
        moved = version.moved(State.STAGING, evidence)
        try:
            desk.records.commit(
                [Change(value=moved, replacing=version)],
                [desk.transition(version, moved, evidence, detail)],
            )
        except StaleWrite:
            return False  # another process is at it too; the next look shows how it ended
    return True
