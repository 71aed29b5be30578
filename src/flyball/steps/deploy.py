"""Deploy: the record changes here, and the workers make the traffic match it.

A deployment is moved one phase at a time by ``advance``, from whatever it finds recorded, so that
any process may take it up after a crash. Two that move the same deployment at once cannot both
succeed (``StaleWrite``), and the loser finds it moved.
"""

from __future__ import annotations

from collections.abc import Sequence

from flyball.domain.deployment import FINAL, Deployment, Phase, applied, loaded
from flyball.domain.evidence import Evidence, EvidenceKind
from flyball.domain.ledger import Entry
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.routing import Route
from flyball.domain.validation import Verdict
from flyball.errors import DeploymentError
from flyball.ports import Change
from flyball.steps.desk import Desk, evidence_of
from flyball.steps.rehearsal import give_way
from flyball.steps.shares import start
from flyball.steps.switching import switch

BLUE_GREEN, CANARY = "blue-green", "canary"


def begin(desk: Desk, version: ModelVersion, *, strategy: str = "") -> Deployment:
    """Record the wish that ``version`` serve: it is wanted in the idle slot from now on.

    The same version's unfinished deployment is returned as it is.

    Args:
        strategy: ``"canary"`` takes the steps of the settings, ``"blue-green"`` all at once.
            Default: a canary, where the settings have steps. Where nothing serves yet there is
            nothing to compare with, and any rollout is blue-green.

    Raises:
        DeploymentError: the version has not passed validation, or another rollout is under way.
        StaleWrite: somebody else began one at the same moment.
    """
    past = desk.records.find(Deployment, model=version.model)
    open_one = next((d for d in past if d.phase not in FINAL | {Phase.BAKING}), None)
    if open_one is not None and open_one.version == version.name:
        return open_one
    if open_one is not None:
        raise DeploymentError(
            f"{version.model}: deployment {open_one.id} of {open_one.version} is still "
            f"{open_one.phase}; wait until it is done (see `flyball status {version.model}`)"
        )
    if version.state is not State.STAGING:
        raise DeploymentError(
            f"{version.id} is in {version.state}, and only a version in staging can be deployed; "
            f"{_advice(version)}"
        )
    return _record_wish(desk, version, past, strategy)


def _advice(version: ModelVersion) -> str:
    match version.state:
        case State.VALIDATION:
            return f"run `flyball validate {version.model} {version.name}` first"
        case State.PRODUCTION | State.MONITORING:
            return (
                f"where it is the version before the one that serves, "
                f"`flyball rollback {version.model}` brings it back"
            )
        case State.ROLLBACK:
            return "it was rolled back a moment ago; try again once every worker has left it"
        case _:
            return f"make a new candidate with `flyball train {version.model}`"


def _record_wish(
    desk: Desk, version: ModelVersion, past: Sequence[Deployment], strategy: str
) -> Deployment:
    give_way(desk, version.model)
    now, route = desk.clock.now(), desk.route(version.model)
    steps = desk.rollout.steps
    if strategy == BLUE_GREEN or route.champion is None:
        steps = (1.0,)
    strategy = CANARY if len(steps) > 1 else BLUE_GREEN
    wish = Deployment(
        model=version.model,
        version=version.name,
        ordinal=len(past) + 1,
        replaces=route.champion or "",
        displaced=route.standby or "",
        strategy=strategy,
        started_at=now,
        moved_at=now,
        steps=steps,
    )
    entry = Entry(
        at=now,
        actor=desk.actor,
        action="deploy",
        subject=wish.id,
        model=wish.model,
        before=wish.replaces,
        after=wish.version,
        reason=f"{strategy} deployment begun",
    )
    wanted = route.loading(version.name, salt=wish.id)
    rerouted = Change(value=wanted, replacing=route if route.generation else None)
    desk.records.commit([Change(value=wish), rerouted], [entry])
    return wish


def advance(desk: Desk, deployment: Deployment) -> Deployment:
    """Move a deployment as far as one look at the workers allows; unchanged while they are at it.

    A rolling one is moved by ``rolling.roll``, which also looks at its traffic.

    Raises:
        StaleWrite: another process moved it first; read it again.
    """
    with desk.unless_moved(deployment):
        match deployment.phase:
            case Phase.LOADING:
                return _switch_when_loaded(desk, deployment)
            case Phase.SWITCHING:
                return _bake_when_applied(desk, deployment)
            case _:
                return deployment


def _switch_when_loaded(desk: Desk, deployment: Deployment) -> Deployment:
    route = desk.route(deployment.model)
    verdict, detail = loaded(route, deployment.version, desk.target.workers())
    began = max(deployment.started_at, desk.since or deployment.started_at)
    waited = desk.clock.now() - began
    match verdict:
        case Verdict.PASS if deployment.steps[0] < 1.0:
            return start(desk, deployment, detail)
        case Verdict.PASS:
            evidence = evidence_of(EvidenceKind.SMOKE, deployment.id, detail)
            return switch(desk, deployment, detail, evidence)
        case Verdict.FAIL:
            return _fail(desk, deployment, route, detail)
        case _ if waited > desk.rollout.load_timeout:
            limit = f"{desk.rollout.load_timeout.total_seconds():g} s"
            return give_up(desk, deployment, f"not loaded within {limit}: {detail}")
        case _:
            return deployment


def _fail(desk: Desk, deployment: Deployment, route: Route, detail: str) -> Deployment:
    """It never took traffic: back to development with the reason; the champion is untouched."""
    version = desk.version(deployment)
    evidence = evidence_of(EvidenceKind.SMOKE, deployment.id, detail)
    after = deployment.moved(Phase.FAILED, at=desk.clock.now(), detail=detail)
    moved = version.moved(State.DEVELOPMENT, evidence)
    desk.records.commit(
        [
            Change(value=after, replacing=deployment),
            Change(value=moved, replacing=version),
            Change(value=route.unloaded(deployment.displaced), replacing=route),
        ],
        [desk.transition(version, moved, evidence, detail)],
    )
    return after


def give_up(desk: Desk, deployment: Deployment, detail: str) -> Deployment:
    """Nobody said that the version is bad, so it stays in staging and may be deployed again."""
    route = desk.route(deployment.model)
    after = deployment.moved(Phase.FAILED, at=desk.clock.now(), detail=detail)
    unloaded = route.unloaded(deployment.displaced)
    entry = Entry(
        at=desk.clock.now(),
        actor=desk.actor,
        action="give up",
        subject=deployment.id,
        model=deployment.model,
        before=deployment.version,
        after=deployment.replaces,
        reason=detail,
    )
    desk.records.commit(
        [Change(value=after, replacing=deployment), Change(value=unloaded, replacing=route)],
        [entry],
    )
    return after


def _bake_when_applied(desk: Desk, deployment: Deployment) -> Deployment:
    route = desk.route(deployment.model)
    verdict, detail = applied(route, desk.target.workers())
    if verdict is not Verdict.PASS:
        return deployment
    now, version = desk.clock.now(), desk.version(deployment)
    evidence = evidence_of(EvidenceKind.APPLIED, deployment.id, detail)
    after = deployment.moved(Phase.BAKING, at=now, bake_until=now + desk.rollout.bake)
    changes, entries = _retired(desk, route, evidence)
    if version.state is State.PRODUCTION:  # else it is monitored since its first traffic
        moved = version.moved(State.MONITORING, evidence)
        changes = [Change(value=moved, replacing=version), *changes]
        entries = [desk.transition(version, moved, evidence, detail), *entries]
    desk.records.commit([Change(value=after, replacing=deployment), *changes], entries)
    return after


def _retired(desk: Desk, route: Route, evidence: Evidence) -> tuple[list[Change], list[Entry]]:
    """Versions in production that no slot holds any more are archived: nothing can serve them."""
    changes, entries = [], []
    for version in desk.records.find(ModelVersion, model=route.model):
        if version.state is State.PRODUCTION and version.name not in route.slots.values():
            moved = version.moved(State.ARCHIVED, evidence)
            changes.append(Change(value=moved, replacing=version))
            entries.append(desk.transition(version, moved, evidence, "no slot holds it any more"))
    return changes, entries
