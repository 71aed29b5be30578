"""Monitor: judge the version that bakes on its live traffic, and settle its deployment."""

from __future__ import annotations

from datetime import datetime

from flyball.domain.deployment import Deployment, Phase
from flyball.domain.evidence import EvidenceKind
from flyball.domain.lifecycle import State
from flyball.domain.traffic import HealthPolicy, judge_health, merged
from flyball.domain.validation import Verdict
from flyball.errors import DeploymentError
from flyball.ports import Change, Events
from flyball.steps.desk import Desk, evidence_of
from flyball.steps.rollback import rollback


def monitor(desk: Desk, deployment: Deployment, events: Events) -> Deployment:
    """Look at a baking deployment once.

    The latest ``rollout.window`` of its traffic is judged, so that hours of good answers do not
    hide bad minutes. Where that is too little traffic at the end of the bake, all of the bake is.
    Degraded is rolled back at once, where there is a version to go back to; healthy at the end of
    the bake is done; too little traffic even then goes on baking.

    Raises:
        StaleWrite: another process moved it first; read it again.
    """
    if deployment.phase is not Phase.BAKING:
        return deployment
    now = desk.clock.now()
    over = deployment.bake_until is not None and now >= deployment.bake_until
    since = max(deployment.moved_at, now - desk.rollout.window)
    verdict, detail = _judged(desk, deployment, events, since=since)
    if over and verdict is Verdict.INCONCLUSIVE:
        verdict, detail = _judged(desk, deployment, events, since=deployment.moved_at)
    if verdict is Verdict.FAIL:
        return _degraded(desk, deployment, detail)
    return _healthy(desk, deployment, detail) if over and verdict is Verdict.PASS else deployment


def _judged(
    desk: Desk, deployment: Deployment, events: Events, *, since: datetime
) -> tuple[Verdict, str]:
    policy = HealthPolicy(
        min_requests=desk.rollout.min_requests, max_error_share=desk.rollout.max_error_share
    )
    served = events.windows(deployment.model, since=since, version=deployment.version)
    return judge_health(merged(served), policy)


def _degraded(desk: Desk, deployment: Deployment, detail: str) -> Deployment:
    try:
        rollback(desk, deployment.model, reason=detail, kind=EvidenceKind.HEALTH)
    except DeploymentError:
        return deployment  # nothing to go back to: a degraded answer is better than none
    return desk.records.get(Deployment, deployment.id)


def _healthy(desk: Desk, deployment: Deployment, detail: str) -> Deployment:
    version = desk.version(deployment)
    evidence = evidence_of(EvidenceKind.HEALTH, deployment.id, detail)
    after = deployment.moved(Phase.DONE, at=desk.clock.now(), detail=detail)
    with desk.unless_moved(deployment):
        moved = version.moved(State.PRODUCTION, evidence)
    desk.records.commit(
        [Change(value=after, replacing=deployment), Change(value=moved, replacing=version)],
        [desk.transition(version, moved, evidence, detail)],
    )
    return after
