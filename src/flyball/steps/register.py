"""Register: the end of a run and its version, with the version's first moves, in one commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from flyball.domain.canonical import digest
from flyball.domain.data import DatasetVersion
from flyball.domain.evidence import Evidence, EvidenceKind
from flyball.domain.ledger import Entry
from flyball.domain.lifecycle import ModelVersion, State, allowed
from flyball.domain.names import Recipe, VersionName
from flyball.domain.training import Run
from flyball.errors import TrainingError
from flyball.ports import Change, Records, Tracker


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What training came to: the version, its run, and whether the version was made just now."""

    version: ModelVersion
    run: Run
    new: bool


def register(
    done: Run,
    recipe: Recipe,
    *,
    replacing: Run,
    data: DatasetVersion,
    records: Records,
    at: datetime,
    actor: str,
) -> Trained:
    """Commit the end of a run and the version it made.

    A version with this recipe and this artifact that there is already is the one; it keeps its
    name, and nothing of it changes.

    Args:
        done: the run as it ended, with its result.
        replacing: the run as it is recorded.

    Raises:
        TrainingError: the run has no result.
        StaleWrite: another process moved the run or took the name meanwhile.
    """
    result = done.result
    if result is None:
        raise TrainingError(f"run {done.id} ended without a result; run it again")
    known = records.find(ModelVersion, model=done.model)
    for version in known:
        if (version.recipe, version.artifact) == (recipe, result.artifact):
            done = replace(done, version=version.name)
            records.commit([Change(value=done, replacing=replacing)])
            return Trained(version=version, run=done, new=False)
    version = ModelVersion(
        model=done.model,
        name=str(next_name(known, recipe)),
        family=result.family,
        recipe=recipe,
        run_id=done.run_id,
        artifact=result.artifact,
        metrics=result.metrics,
        created_at=at,
    )
    done = replace(done, version=version.name)
    version, entries = _moves(version, done, data, at=at, actor=actor)
    records.commit([Change(value=done, replacing=replacing), Change(value=version)], entries)
    return Trained(version=version, run=done, new=True)


def next_name(known: Sequence[ModelVersion], recipe: Recipe) -> VersionName:
    """The name of what ``recipe`` made, after the highest version there is."""
    highest = max(known, key=lambda version: version.number, default=None)
    if highest is None:
        return VersionName.first(recipe)
    return highest.number.after(highest.recipe, recipe)


def announce(tracker: Tracker, version: ModelVersion, tracked_as: str) -> None:
    """Tell the registry; harmless to repeat. Only one that still waits is the challenger."""
    tracker.register(version, tracked_as)
    if version.state is State.VALIDATION:
        tracker.alias(version.model, "challenger", version.name)


def moved(
    version: ModelVersion, target: State, evidence: Evidence, *, at: datetime, actor: str
) -> tuple[ModelVersion, Entry]:
    """The version in ``target``, and the ledger's entry of the move.

    Raises:
        IllegalTransition: the lifecycle has no such move, or the evidence does not allow it.
    """
    after = version.moved(target, evidence)
    why = allowed(version.state, target, evidence).when
    return after, _entry(version, str(version.state), target, why, evidence, at=at, actor=actor)


def _moves(
    version: ModelVersion, run: Run, data: DatasetVersion, *, at: datetime, actor: str
) -> tuple[ModelVersion, list[Entry]]:
    """A new version's way to validation."""
    ready = Evidence(kind=EvidenceKind.DATASET, id=data.id, digest=digest(data))
    made = Evidence(kind=EvidenceKind.RUN, id=run.id, digest=digest(run))
    entries = [_entry(version, "", version.state, "registered", made, at=at, actor=actor)]
    for target, evidence in ((State.TRAINING, ready), (State.VALIDATION, made)):
        version, entry = moved(version, target, evidence, at=at, actor=actor)
        entries.append(entry)
    return version, entries


def _entry(
    version: ModelVersion,
    before: str,
    after: State,
    reason: str,
    evidence: Evidence,
    *,
    at: datetime,
    actor: str,
) -> Entry:
    return Entry(
        at=at,
        actor=actor,
        action="transition",
        subject=version.id,
        model=version.model,
        before=before,
        after=str(after),
        reason=reason,
        evidence=evidence,
    )
