"""Full traffic: the slots swap by one row, and the old champion stays loaded in the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from flyball.domain.deployment import Deployment, Phase
from flyball.domain.evidence import Evidence, EvidenceKind
from flyball.domain.ledger import Entry
from flyball.domain.lifecycle import State
from flyball.ports import Change
from flyball.steps.desk import Desk, evidence_of


def switch(
    desk: Desk,
    deployment: Deployment,
    reason: str,
    evidence: Evidence,
    *,
    entries: Sequence[Entry] = (),
    promoted_by: str = "",
) -> Deployment:
    """The version answers everybody from now on, by the record.

    Args:
        evidence: of the smoke tests where the version had no traffic yet, else of what decided.
        entries: what the ledger is told besides.
        promoted_by: who did not wait for the judge.

    Raises:
        StaleWrite: another process moved the deployment first.
    """
    route, version = desk.route(deployment.model), desk.version(deployment)
    after = deployment.moved(Phase.SWITCHING, at=desk.clock.now())
    after = replace(after, promoted_by=promoted_by)
    changes = [
        Change(value=after, replacing=deployment),
        Change(value=route.switched(), replacing=route),
    ]
    told = list(entries)
    if version.state is State.STAGING:
        moved = version.moved(State.PRODUCTION, evidence)
        changes.append(Change(value=moved, replacing=version))
        told.append(desk.transition(version, moved, evidence, reason))
    settled, superseded = _superseded(desk, deployment)
    routed = desk.routed(deployment, deployment.replaces, deployment.version, reason, evidence)
    desk.records.commit([*changes, *settled], [*superseded, *told, routed])
    return after


def _superseded(desk: Desk, by: Deployment) -> tuple[list[Change], list[Entry]]:
    """A bake cut short by a newer deployment ends: its version stays good to go back to."""
    changes, entries = [], []
    for old in desk.records.find(Deployment, model=by.model):
        if old.phase is not Phase.BAKING:
            continue
        reason = f"superseded by deployment {by.id} before its bake ended"
        version = desk.version(old)
        evidence = evidence_of(EvidenceKind.DECISION, by.id, reason)
        moved = version.moved(State.PRODUCTION, evidence)
        done = old.moved(Phase.DONE, at=desk.clock.now(), detail=reason)
        changes += [Change(value=done, replacing=old), Change(value=moved, replacing=version)]
        entries.append(desk.transition(version, moved, evidence, reason))
    return changes, entries
