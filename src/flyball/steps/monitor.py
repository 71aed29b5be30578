"""Monitor: judge the version that bakes on its live traffic, and settle its deployment."""

from __future__ import annotations

from datetime import datetime

from flyball.domain.deployment import Deployment, Phase
from flyball.domain.evidence import EvidenceKind
from flyball.domain.lifecycle import State
from flyball.domain.traffic import merged
from flyball.domain.validation import Verdict
from flyball.errors import DeploymentError
from flyball.ports import Change, Events
from flyball.stats.sequential.health import judge_health
from flyball.steps.desk import Desk, evidence_of
from flyball.steps.rollback import rollback


def monitor(desk: Desk, deployment: Deployment, events: Events) -> Deployment:
    """Look at a baking deployment once.

    Its time is divided into stretches of ``rollout.window``, and the latest is judged, so that
    hours of good answers do not hide bad minutes; all of it is where the bake is over and the
    latest stretch was too little. A breach of the service level is rolled back at once, where there
    is a version to go back to; healthy at the end of the bake is done; too little traffic even then
    goes on baking. A good version is rolled back by chance with ``rollout.false_alarm`` at most,
    over all of the bake.

    Raises:
        StaleWrite: another process moved it first; read it again.
    """
    if deployment.phase is not Phase.BAKING:
        return deployment
    now, stretch = desk.clock.now(), desk.rollout.window
    over = deployment.bake_until is not None and now >= deployment.bake_until
    number = max(0, (now - deployment.moved_at) // stretch)
    alpha = desk.rollout.false_alarm / (max(-(-desk.rollout.bake // stretch), number + 1) + 1)
    since = deployment.moved_at + number * stretch
    verdict, detail = _judged(desk, deployment, events, since=since, alpha=alpha)
    if over and verdict is Verdict.INCONCLUSIVE:
        whole = deployment.moved_at
        verdict, detail = _judged(desk, deployment, events, since=whole, alpha=alpha)
    if verdict is Verdict.FAIL:
        return _degraded(desk, deployment, detail)
    return _healthy(desk, deployment, detail) if over and verdict is Verdict.PASS else deployment


def _judged(
    desk: Desk, deployment: Deployment, events: Events, *, since: datetime, alpha: float
) -> tuple[Verdict, str]:
    served = events.windows(deployment.model, since=since, version=deployment.version)
    return judge_health(
        merged(served),
        limit=desk.rollout.max_error_share,
        alpha=alpha,
        min_requests=desk.rollout.min_requests,
    )


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
