"""Roll: a version takes one share of the traffic after the other, as far as the evidence goes.

The record changes here, and the workers make the traffic match it. ``decide`` is pure; ``roll``
carries out what it says. Whoever moves a deployment must be the first to do so (``StaleWrite``),
so that a controller, its successor and an operator cannot both move it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from flyball.domain.canonical import digest
from flyball.domain.deployment import WAITS, Deployment, Phase, applied, loaded
from flyball.domain.evidence import Evidence, EvidenceKind
from flyball.domain.judging import Judgement, Promises, Seen, Standing
from flyball.domain.lifecycle import State
from flyball.domain.validation import Verdict
from flyball.errors import NotFound
from flyball.ports import Change
from flyball.settings import Rollout
from flyball.stats.sequential.judge import judge
from flyball.steps.desk import Desk, evidence_of
from flyball.steps.shares import shift, withdraw
from flyball.steps.switching import switch

STAND_EVERY = timedelta(seconds=2)
"""How often a standing is stored that says the same as before."""


class Move(StrEnum):
    """What a look at a rollout leads to."""

    STAY = "stay"
    SHIFT = "shift"
    SWITCH = "switch"
    HOLD = "hold"
    WAIT = "wait"  # for approval
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A move, why, and whether it is made without evidence, because its time is over."""

    move: Move
    reason: str = ""
    undecided: bool = False


def promises(rollout: Rollout) -> Promises:
    """What a model's settings hold its rollouts to."""
    return Promises(
        false_alarm=rollout.false_alarm,
        max_error_share=rollout.max_error_share,
        max_p95_s=rollout.max_p95.total_seconds(),
        tolerance=rollout.tolerance,
        engagement_loss=rollout.engagement_loss,
        decisive=rollout.decisive,
        superior=rollout.superior,
        min_requests=rollout.min_requests,
    )


def decide(
    deployment: Deployment, judgement: Judgement, *, now: datetime, rollout: Rollout
) -> Decided:
    """What follows from a judgement of a rollout's step. No effects.

    Harm withdraws, also while it is held. Nothing else moves a held one.
    """
    if judgement.verdict is Verdict.FAIL:
        return Decided(move=Move.WITHDRAW, reason=judgement.reason)
    if deployment.held:
        return Decided(move=Move.STAY)
    if judgement.suspect:
        return Decided(move=Move.HOLD, reason=judgement.reason)
    passed = judgement.verdict is Verdict.PASS
    began = deployment.shifts[-1].applied_at or now
    if now < began + (rollout.warm_up + rollout.interval if passed else rollout.deadline):
        return Decided(move=Move.STAY)
    if passed:
        return _onward(deployment, judgement.reason, rollout)
    return _undecided(deployment, judgement, rollout)


def _onward(deployment: Deployment, reason: str, rollout: Rollout) -> Decided:
    if deployment.next_share < 1.0:
        return Decided(move=Move.SHIFT, reason=reason)
    if rollout.approval == "manual" and not deployment.approved_by:
        return Decided(move=Move.WAIT, reason=reason)
    return Decided(move=Move.SWITCH, reason=reason)


def _undecided(deployment: Deployment, judgement: Judgement, rollout: Rollout) -> Decided:
    """Its time is over, and neither harm nor the lack of it was shown."""
    limit = f"{rollout.deadline.total_seconds() / 3600:g} h"
    reason = f"undecided after {limit} at {deployment.share:.0%}: {judgement.reason}"
    match rollout.undecided:
        case "rollback":
            return Decided(move=Move.WITHDRAW, reason=reason, undecided=True)
        case "promote":
            return replace(_onward(deployment, reason, rollout), undecided=True)
        case _:
            return Decided(move=Move.HOLD, reason=reason, undecided=True)


def roll(desk: Desk, deployment: Deployment, seen: Seen) -> Deployment:
    """Look at a rolling deployment once, and do what follows.

    Args:
        seen: all that it showed so far.

    Raises:
        StaleWrite: another process moved it first; read it again.
    """
    if deployment.phase is not Phase.ROLLING:
        return deployment
    route, workers = desk.route(deployment.model), desk.target.workers()
    with desk.unless_moved(deployment):
        if deployment.shifts[-1].applied_at is None:
            verdict, detail = applied(route, workers)
            if verdict is Verdict.PASS:
                return _taken(desk, deployment, detail)
        lost, why = loaded(route, deployment.version, workers)
        if lost is Verdict.FAIL:
            seen = replace(seen, stopped=why)
        last = deployment.next_share == 1.0
        judgement = judge(seen, promises(desk.rollout), last=last)
        evidence = stand(desk, deployment, judgement, seen)
        decided = decide(deployment, judgement, now=desk.clock.now(), rollout=desk.rollout)
        return carry_out(desk, deployment, decided, evidence)


def _taken(desk: Desk, deployment: Deployment, detail: str) -> Deployment:
    """Every worker has applied the share; from the first one on the version is monitored."""
    after, version = deployment.acknowledged(at=desk.clock.now()), desk.version(deployment)
    changes, entries = [Change(value=after, replacing=deployment)], []
    if version.state is State.PRODUCTION:
        evidence = evidence_of(EvidenceKind.APPLIED, deployment.id, detail)
        moved = version.moved(State.MONITORING, evidence)
        changes.append(Change(value=moved, replacing=version))
        entries.append(desk.transition(version, moved, evidence, detail))
    desk.records.commit(changes, entries)
    return after


def stand(desk: Desk, deployment: Deployment, judgement: Judgement, seen: Seen) -> Evidence:
    """Store how the rollout stands, where that is new; the evidence of what follows from it."""
    standing = Standing(
        model=deployment.model,
        deployment=deployment.id,
        at=desk.clock.now(),
        share=deployment.share,
        judgement=judgement,
        seen=seen,
    )
    try:
        before = desk.records.get(Standing, deployment.id)
    except NotFound:
        before = None
    same = before is not None and before.judgement.verdict is judgement.verdict
    fresh = before is not None and standing.at - before.at < STAND_EVERY
    if not (same and fresh and judgement.verdict is not Verdict.FAIL):
        desk.records.commit([Change(value=standing, replacing=before)])
    return Evidence(kind=EvidenceKind.HEALTH, id=deployment.id, digest=digest(standing))


def carry_out(
    desk: Desk, deployment: Deployment, decided: Decided, evidence: Evidence
) -> Deployment:
    """The record of a decision.

    Raises:
        StaleWrite: another process moved the deployment first.
    """
    note = []
    if decided.undecided:
        note = [desk.noted("undecided", deployment, reason=decided.reason, evidence=evidence)]
    match decided.move:
        case Move.STAY:
            return deployment
        case Move.HOLD | Move.WAIT:
            held = WAITS if decided.move is Move.WAIT else decided.reason
            after = replace(deployment, held=held)
            entry = desk.noted("hold", after, reason=decided.reason, after=held, evidence=evidence)
            desk.records.commit([Change(value=after, replacing=deployment)], [*note, entry])
            return after
        case Move.SHIFT:
            return shift(desk, deployment, decided.reason, evidence, entries=note)
        case Move.SWITCH:
            return switch(desk, deployment, decided.reason, evidence, entries=note)
        case Move.WITHDRAW:
            return withdraw(desk, deployment, decided.reason, evidence, entries=note)
