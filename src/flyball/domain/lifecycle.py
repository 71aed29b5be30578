"""The lifecycle of a model version: which moves there are, and the evidence each needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from flyball.domain.evidence import Evidence, EvidenceKind
from flyball.domain.names import Recipe, VersionName
from flyball.errors import IllegalTransition


class State(StrEnum):
    """Where a version stands."""

    DEVELOPMENT = "development"
    TRAINING = "training"
    VALIDATION = "validation"
    STAGING = "staging"
    PRODUCTION = "production"
    MONITORING = "monitoring"
    ROLLBACK = "rollback"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One allowed move: from, to, why it happens, and the kinds of evidence that allow it."""

    source: State
    target: State
    when: str
    needs: tuple[EvidenceKind, ...]


def _move(source: State, target: State, when: str, *needs: EvidenceKind) -> Transition:
    return Transition(source=source, target=target, when=when, needs=needs)


_S, _E = State, EvidenceKind
TRANSITIONS: tuple[Transition, ...] = (
    _move(_S.DEVELOPMENT, _S.TRAINING, "data ready", _E.DATASET),
    _move(_S.TRAINING, _S.VALIDATION, "training complete", _E.RUN),
    _move(_S.VALIDATION, _S.STAGING, "tests passed", _E.REPORT),
    _move(_S.VALIDATION, _S.DEVELOPMENT, "tests failed", _E.REPORT),
    _move(_S.STAGING, _S.PRODUCTION, "staging tests passed", _E.SMOKE),
    _move(_S.STAGING, _S.DEVELOPMENT, "staging tests failed", _E.SMOKE),
    _move(_S.PRODUCTION, _S.MONITORING, "deployed", _E.APPLIED),
    _move(_S.MONITORING, _S.PRODUCTION, "healthy", _E.HEALTH, _E.DECISION),
    _move(_S.MONITORING, _S.ROLLBACK, "degraded", _E.HEALTH, _E.DECISION),
    _move(_S.PRODUCTION, _S.ROLLBACK, "degraded", _E.HEALTH, _E.DECISION),
    _move(_S.ROLLBACK, _S.STAGING, "previous version restored", _E.APPLIED),
    _move(_S.PRODUCTION, _S.ARCHIVED, "deprecated", _E.DECISION, _E.APPLIED),
)
_BY_MOVE: Mapping[tuple[State, State], Transition] = {(t.source, t.target): t for t in TRANSITIONS}


def allowed(source: State, target: State, evidence: Evidence) -> Transition:
    """The transition that ``evidence`` allows from ``source`` to ``target``.

    Raises:
        IllegalTransition: there is no such move, or it needs another kind of evidence.
    """
    transition = _BY_MOVE.get((source, target))
    if transition is None:
        onward = ", ".join(t.target for t in TRANSITIONS if t.source is source) or "nowhere"
        raise IllegalTransition(
            f"a version in {source} cannot move to {target}; from there it can go to {onward}"
        )
    if evidence.kind not in transition.needs:
        raise IllegalTransition(
            f"{source} -> {target} ({transition.when}) needs evidence of "
            f"{' or '.join(transition.needs)}, not {evidence.kind}"
        )
    return transition


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """A numbered training result with its artifact and its lifecycle state.

    A value: ``moved`` returns the next one. Two writers that both move the same stored value
    cannot both succeed, because a record is only replaced while it still equals what was read.

    Attributes:
        model: the model's name, for example ``"games"``.
        name: the version's name, for example ``"1.0.0-0123abcd-89ef4567"``.
        family: the algorithm, for example ``"ease"``.
        recipe: what the number and the hashes were made from.
        run_id: the training run that made it.
        artifact: digest of its artifact directory.
        metrics: what training measured on the held-out part, by metric name.
        created_at: when it was registered, UTC.
        state: where it stands in the lifecycle.
    """

    model: str
    name: str
    family: str
    recipe: Recipe
    run_id: str
    artifact: str
    metrics: Mapping[str, float]
    created_at: datetime
    state: State = State.DEVELOPMENT

    @property
    def id(self) -> str:
        """``"<model>/<version>"``."""
        return f"{self.model}/{self.name}"

    @property
    def number(self) -> VersionName:
        """The parsed name."""
        return VersionName.parse(self.name)

    def moved(self, target: State, evidence: Evidence) -> ModelVersion:
        """This version in state ``target``.

        Raises:
            IllegalTransition: the lifecycle has no such move, or the evidence does not allow it.
        """
        try:
            allowed(self.state, target, evidence)
        except IllegalTransition as error:
            raise IllegalTransition(f"{self.id}: {error}") from None
        return replace(self, state=target)


def summary(version: ModelVersion) -> dict[str, Any]:
    """What a table or an API answer shows of a version, as JSON types."""
    return {
        "model": version.model,
        "version": version.name,
        "family": version.family,
        "state": str(version.state),
        "metrics": dict(version.metrics),
        "data_version": version.recipe.data_version,
        "hyperparameters": dict(version.recipe.hyperparameters),
        "run_id": version.run_id,
        "artifact": version.artifact,
        "created_at": version.created_at.isoformat(),
    }
