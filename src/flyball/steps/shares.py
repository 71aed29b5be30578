"""A rolling version's share of the traffic: taken, raised, taken away, by one row of the route."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from flyball.domain.deployment import Deployment, Phase
from flyball.domain.evidence import Evidence, EvidenceKind
from flyball.domain.ledger import Entry
from flyball.domain.lifecycle import State
from flyball.ports import Change
from flyball.stats import latency
from flyball.steps.desk import Desk, evidence_of

LOOK_BACK = timedelta(hours=1)
"""How much of the champion's traffic tells its 95th percentile, before a rollout begins."""

ENOUGH = 200
"""Answers that a 95th percentile needs; with fewer the service level stands for it."""


def start(desk: Desk, deployment: Deployment, detail: str) -> Deployment:
    """The first share, once every worker has loaded and smoke-tested the version."""
    route, version = desk.route(deployment.model), desk.version(deployment)
    slow, share = frozen_p95_s(desk, deployment), deployment.steps[0]
    after = deployment.shifted(share, at=desk.clock.now(), slow_above_s=slow)
    evidence = evidence_of(EvidenceKind.SMOKE, deployment.id, detail)
    moved = version.moved(State.PRODUCTION, evidence)
    desk.records.commit(
        [
            Change(value=after, replacing=deployment),
            Change(value=route.shared(share, slow_above_s=slow), replacing=route),
            Change(value=moved, replacing=version),
        ],
        [
            desk.transition(version, moved, evidence, detail),
            _shifted(desk, deployment, after, detail, evidence),
        ],
    )
    return after


def frozen_p95_s(desk: Desk, deployment: Deployment) -> float:
    """The champion's 95th percentile of late, seconds; the service level where it is not known."""
    since = desk.clock.now() - LOOK_BACK
    windows = desk.events.windows(deployment.model, since=since, version=deployment.replaces)
    counts = latency.merge(*(window.latency for window in windows))
    found = latency.quantile(counts, 0.95) if sum(counts) >= ENOUGH else None
    return desk.rollout.max_p95.total_seconds() if found is None else found


def shift(
    desk: Desk,
    deployment: Deployment,
    reason: str,
    evidence: Evidence,
    *,
    entries: Sequence[Entry] = (),
) -> Deployment:
    """The next share below 1.

    Raises:
        StaleWrite: another process moved the deployment first.
    """
    route, share = desk.route(deployment.model), deployment.next_share
    after = deployment.shifted(share, at=desk.clock.now())
    desk.records.commit(
        [
            Change(value=after, replacing=deployment),
            Change(
                value=route.shared(share, slow_above_s=deployment.slow_above_s), replacing=route
            ),
        ],
        [*entries, _shifted(desk, deployment, after, reason, evidence)],
    )
    return after


def withdraw(
    desk: Desk,
    deployment: Deployment,
    reason: str,
    evidence: Evidence,
    *,
    entries: Sequence[Entry] = (),
) -> Deployment:
    """No traffic for it any more: the champion answers everybody, within a second.

    The idle slot holds again what it held before, so that there is a version to go back to.

    Raises:
        StaleWrite: another process moved the deployment first.
    """
    route, version = desk.route(deployment.model), desk.version(deployment)
    after = deployment.moved(Phase.ROLLED_BACK, at=desk.clock.now(), detail=reason)
    moved = version.moved(State.ROLLBACK, evidence)
    withdrawn = desk.noted(
        "withdraw",
        deployment,
        before=f"{deployment.share:.0%}",
        after="0%",
        reason=reason,
        evidence=evidence,
    )
    desk.records.commit(
        [
            Change(value=after, replacing=deployment),
            Change(value=route.unloaded(_good(desk, deployment)), replacing=route),
            Change(value=moved, replacing=version),
        ],
        [*entries, desk.transition(version, moved, evidence, reason), withdrawn],
    )
    return after


def _good(desk: Desk, deployment: Deployment) -> str:
    """What the idle slot held before, if that may still come back."""
    for version in desk.versions(deployment.model):
        if version.name == deployment.displaced and version.state is State.PRODUCTION:
            return version.name
    return ""


def _shifted(
    desk: Desk, before: Deployment, after: Deployment, reason: str, evidence: Evidence
) -> Entry:
    return desk.noted(
        "shift",
        after,
        before=f"{before.share:.0%}",
        after=f"{after.share:.0%}",
        reason=reason,
        evidence=evidence,
    )
