"""Gather: what the records say of a version at the moment it moves, for its signed bundle.

What cannot be read is named, and never stops a move: a rollback does not wait for a damaged report.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Protocol, TypeVar

from flyball.domain.data import DatasetVersion
from flyball.domain.deployment import Deployment
from flyball.domain.evidence import Evidence, EvidenceKind
from flyball.domain.facts import Facts, Made, Reported, Rolled, fingerprint, reported, rolled
from flyball.domain.judging import Standing
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.training import Run
from flyball.domain.validation import ValidationReport
from flyball.errors import ArtifactCorrupt, NotFound, StorageUnavailable
from flyball.ports import Blobs, R
from flyball.steps.manifest import read_manifest

T = TypeVar("T")


class Reads(Protocol):
    """The part of ``Records`` that is needed here."""

    def get(self, kind: type[R], id: str) -> R:
        """The record with this id."""
        ...


class Commits(Reads, Protocol):
    """The records as a commit leaves them."""

    def find(self, kind: type[R], *, model: str) -> list[R]:
        """Those of a model, the first written first."""
        ...

    def written(self, kind: type[R]) -> list[R]:
        """Those of a kind that the commit writes."""
        ...


def gathered(
    reading: Commits,
    version: ModelVersion,
    evidence: Evidence | None,
    before: Facts | None,
    *,
    blobs: Blobs,
) -> Facts:
    """What is known of a version as it moves.

    Args:
        version: as it is after the move.
        evidence: the move's; a report that it names is the report.
        before: what the bundle before said: how it was made does not change.

    Raises:
        StorageUnavailable: the records cannot be read.
    """
    missing: list[str] = []
    made = before.made if before else None
    if made is None or not made.run_digest or made.artifact != version.artifact:
        made = made_of(reading, version, blobs, missing)
    else:
        missing += before.missing if before else ()
    report = _report(reading, version, evidence, before, missing)
    rollout = _rollout(reading, version, before, missing)
    return Facts(made=made, report=report, rollout=rollout, missing=tuple(dict.fromkeys(missing)))


def made_of(reading: Reads, version: ModelVersion, blobs: Blobs, missing: list[str]) -> Made:
    """How a version was made. What cannot be read is added to ``missing``, in words."""
    recipe = version.recipe
    made = Made(
        family=version.family,
        architecture=recipe.architecture,
        artifact=version.artifact,
        data_version=recipe.data_version,
        run_id=version.run_id,
        hyperparameters=recipe.hyperparameters,
        metrics=version.metrics,
    )
    run = _or_missing(lambda: reading.get(Run, f"{version.model}/{version.run_id}"), missing)
    if run is not None:
        standings = run.result.standings if run.result else ()
        made = replace(
            made,
            run_digest=fingerprint(run),
            standings=tuple(asdict(standing) for standing in standings),
        )
    data_id = f"{version.model}/{recipe.data_version}"
    data = _or_missing(lambda: reading.get(DatasetVersion, data_id), missing)
    if data is not None:
        made = replace(made, data_digest=fingerprint(data), rows=data.rows)
    manifest = _or_missing(
        lambda: read_manifest(blobs.get(version.artifact, verify=False)), missing
    )
    if manifest is None:
        return made
    return replace(
        made,
        code=manifest.code,
        environment=manifest.environment,
        seeds=dict(manifest.seeds),
        threads=manifest.threads,
    )


def _report(
    reading: Commits,
    version: ModelVersion,
    evidence: Evidence | None,
    before: Facts | None,
    missing: list[str],
) -> Reported | None:
    """The report that the move rests on, else the one that an earlier move did."""
    if evidence is not None and evidence.kind is EvidenceKind.REPORT:
        id = evidence.id
        found = _or_missing(lambda: reading.get(ValidationReport, id), missing)
        return None if found is None else reported(found)
    if before is not None:
        return before.report
    reports = _or_missing(lambda: reading.find(ValidationReport, model=version.model), missing)
    own = [report for report in reports or () if report.version == version.name]
    return reported(own[-1]) if own else None


def _rollout(
    reading: Commits, version: ModelVersion, before: Facts | None, missing: list[str]
) -> Rolled | None:
    """The deployment that the commit moves, else the one that the bundle before tells of."""
    mine = [d for d in reading.written(Deployment) if d.version == version.name]
    deployment = mine[-1] if mine else None
    if deployment is None and before is not None and before.rollout is not None:
        id = before.rollout.deployment
        deployment = _or_missing(lambda: reading.get(Deployment, id), missing)
    if deployment is None:
        return None
    standing = None
    if deployment.shifts:
        with suppress(NotFound):  # nothing was judged yet
            standing = reading.get(Standing, deployment.id)
    return rolled(deployment, standing)


def _or_missing(read: Callable[[], T], missing: list[str]) -> T | None:
    try:
        return read()
    except (NotFound, ArtifactCorrupt, StorageUnavailable) as error:
        missing.append(str(error))
        return None
