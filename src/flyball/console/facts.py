"""What a model's card says in short: standby, rollout, validation, training, data; what to do next.

Pure functions from the verbs' answers to what is shown.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flyball.answers import ModelStatus
from flyball.console.wording import When, label, lasting, shortened, when
from flyball.domain.deployment import Deployment, Phase
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.text import many
from flyball.domain.training import Run, RunPhase
from flyball.domain.validation import Decision, ValidationReport, Verdict

GOOD, WATCH, BAD, PLAIN = "good", "watch", "bad", "plain"
_PHASES = {
    Phase.LOADING: WATCH,
    Phase.ROLLING: WATCH,
    Phase.SWITCHING: WATCH,
    Phase.BAKING: WATCH,
    Phase.DONE: GOOD,
    Phase.FAILED: BAD,
    Phase.ROLLED_BACK: BAD,
}
_DECISIONS = {Decision.PROMOTE: GOOD, Decision.REJECT: BAD, Decision.UNDECIDED: WATCH}
_STATES = {
    State.PRODUCTION: GOOD,
    State.MONITORING: WATCH,
    State.ROLLBACK: BAD,
    State.VALIDATION: WATCH,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One short statement.

    Attributes:
        name: what it is about.
        value, detail: the statement, and what is behind it.
        tone: ``good``, ``watch``, ``bad`` or ``plain``; the value says the same in words.
        progress: in [0, 1]; None where nothing progresses.
        at: when it became so.
        link, link_text: where more is told.
    """

    name: str
    value: str
    detail: str = ""
    tone: str = PLAIN
    progress: float | None = None
    at: When | None = None
    link: str = ""
    link_text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """What to do next, with the exact command."""

    text: str
    command: str


def tone_of(state: State) -> str:
    """How a version's state is coloured."""
    return _STATES.get(state, PLAIN)


def facts(model: ModelStatus, versions: Sequence[ModelVersion], now: datetime) -> tuple[Fact, ...]:
    """All statements there are about a model."""
    found = [
        _standby(model, versions) if model.route and not model.route.challenger_share else None,
        _rollout(model.deployment, now) if model.deployment else None,
        _validation(model.report, now) if model.report else None,
        _training(model.run, now) if model.run else None,
    ]
    if model.dataset:
        rows, batches = many(model.dataset.rows, "row"), len(model.dataset.batches)
        found.append(
            Fact(
                name="Data",
                value=rows,
                detail=f"{many(batches, 'batch')}, {model.dataset.version[:8]}",
                at=when(model.dataset.created_at, now),
            )
        )
    return tuple(fact for fact in found if fact is not None)


def standby(model: ModelStatus, versions: Sequence[ModelVersion]) -> ModelVersion | None:
    """The version in the slot beside the champion."""
    name = model.route.standby if model.route else None
    return next((version for version in versions if version.name == name), None)


def good_standby(model: ModelStatus, versions: Sequence[ModelVersion]) -> ModelVersion | None:
    """The version that a rollback would restore, or None where there is none to go back to."""
    found = standby(model, versions)
    return found if found is not None and found.state is State.PRODUCTION else None


def _standby(model: ModelStatus, versions: Sequence[ModelVersion]) -> Fact:
    found = standby(model, versions)
    if found is None:
        return Fact(name="Standby", value="none", detail="nothing to roll back to yet")
    detail = {
        State.PRODUCTION: "loaded, ready to take over",
        State.STAGING: "loaded, but not proven: it can't take over",
    }.get(found.state, f"loaded, in {found.state}")
    return Fact(name="Standby", value=label(found.name).number, detail=f"{found.family}, {detail}")


def _rollout(deployment: Deployment, now: datetime) -> Fact:
    number, detail, progress = label(deployment.version).number, deployment.detail, None
    if deployment.phase is Phase.BAKING and deployment.bake_until is not None:
        whole = (deployment.bake_until - deployment.moved_at).total_seconds()
        passed = (now - deployment.moved_at).total_seconds()
        progress = min(1.0, max(0.0, passed / whole)) if whole > 0 else 1.0
        left = lasting(deployment.bake_until - now)
        detail = f"watched for {left} more" if left else "waiting for enough healthy traffic"
        if progress < 1.0 and not left:
            detail = "watched for less than a minute more"
    elif deployment.phase is Phase.LOADING:
        detail = "workers load and smoke-test it"
    elif deployment.phase is Phase.ROLLING:
        detail = f"answers {100 * deployment.share:.3g}% of the users"
    elif deployment.phase is Phase.SWITCHING:
        detail = "workers switch to it"
    return Fact(
        name="Rollout",
        value=f"{number} {deployment.phase}",
        detail=shortened(detail),
        tone=_PHASES[deployment.phase],
        progress=progress,
        at=when(deployment.moved_at, now),
    )


def _validation(report: ValidationReport, now: datetime) -> Fact:
    passed = sum(result.verdict is Verdict.PASS for result in report.results)
    failing = [result.check for result in report.results if result.verdict is not Verdict.PASS]
    detail = f"{passed} of {many(len(report.results), 'check')} passed"
    if failing:
        detail += f"; not {', '.join(failing)}"
    return Fact(
        name="Validation",
        value=f"{report.decision} {label(report.version).number}",
        detail=detail,
        tone=_DECISIONS[report.decision],
        at=when(report.created_at, now),
        link=f"/api/models/{report.model}/versions/{report.version}/report"
        if report.artifact
        else "",
        link_text=f"Report on {label(report.version).number}",
    )


def _training(run: Run, now: datetime) -> Fact:
    at = when(run.started_at, now)
    if run.phase is RunPhase.SEARCHING:
        share = min(1.0, run.trials_done / run.budget.trials)
        detail = f"{run.trials_done} of at most {many(run.budget.trials, 'trial')}"
        return Fact(
            name="Training", value="searching", detail=detail, tone=WATCH, progress=share, at=at
        )
    if run.phase is RunPhase.FAILED:
        return Fact(name="Training", value="failed", detail=run.error, tone=BAD, at=at)
    made = label(run.version).number if run.version else "a version"
    detail = many(len(run.result.trials) if run.result else run.trials_done, "trial")
    if run.result is not None and run.result.why:
        detail += f"; {run.result.why}"
    return Fact(name="Training", value=f"made {made}", detail=detail, at=at)


def hint(
    model: ModelStatus, versions: Sequence[ModelVersion], *, workers: int, home: Path
) -> Hint | None:
    """What to do next about a model that does not serve; None where nothing is to do."""
    where, name = f"--home {shlex.quote(str(home))}", model.model
    if model.run is not None and model.run.phase is RunPhase.SEARCHING:
        return None
    if model.dataset is None:
        text = "No data yet. Give it a first file, and a version will be trained and deployed:"
        return Hint(text=text, command=f"flyball run {name} purchases.csv {where}")
    if not versions:
        text = "There is data, but no version yet. Train, validate and deploy one:"
        return Hint(text=text, command=f"flyball run {name} {where}")
    if model.champion is None:
        return _undeployed(model, versions[-1], where)
    if workers == 0:
        text = "No worker is alive, so nobody is answered. This starts them, and this console:"
        return Hint(text=text, command=f"flyball up {where}")
    return None


def _undeployed(model: ModelStatus, newest: ModelVersion, where: str) -> Hint:
    number = label(newest.name).number
    if newest.state is State.STAGING:
        text = f"{number} passed its tests and serves nobody yet. Deploy it:"
        return Hint(text=text, command=f"flyball deploy {model.model} {newest.name} {where}")
    if newest.state is State.VALIDATION:
        text = f"{number} is trained and not validated yet. Validate it:"
        return Hint(text=text, command=f"flyball validate {model.model} {newest.name} {where}")
    advice = model.report.recommendations[:1] if model.report else ()
    text = " ".join([f"{number} may not serve.", *advice, "Then try again with more data:"])
    return Hint(text=shortened(text), command=f"flyball run {model.model} purchases.csv {where}")
