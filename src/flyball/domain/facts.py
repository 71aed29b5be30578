"""Facts: what the records say of a version, as its signed bundles repeat it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flyball.domain.canonical import digest
from flyball.domain.deployment import Deployment, Shift
from flyball.domain.judging import Standing
from flyball.domain.validation import ValidationReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """How the version was made.

    Attributes:
        family, architecture: the algorithm, and it with its versions.
        artifact: digest of the artifact's directory.
        data_version: the DVC hash of the dataset version; it covers every file of it.
        data_digest, rows: fingerprint of the dataset version's record, and its rows.
        run_id, run_digest: the training run, and the fingerprint of its record.
        hyperparameters: JSON types.
        metrics: on the held-out part.
        standings: the best of each family and how far it is behind, with 95% intervals.
        code, environment: fingerprint of the code, and digest of the installed packages.
        seeds: by what they were used for.
        threads: BLAS threads of the fit.
    """

    family: str
    architecture: str
    artifact: str
    data_version: str
    run_id: str
    hyperparameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    data_digest: str = ""
    rows: int = 0
    run_digest: str = ""
    standings: tuple[Mapping[str, Any], ...] = ()
    code: str = ""
    environment: str = ""
    seeds: Mapping[str, int] = field(default_factory=dict)
    threads: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One check of the report: its verdict, its sentence, and its details that are intervals."""

    check: str
    verdict: str
    summary: str
    intervals: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """The validation report.

    Attributes:
        id, digest: the report's, and the fingerprint of its record.
        artifact: digest of its files.
        decision, champion: what it said, and whom the version was compared with.
    """

    id: str
    digest: str
    artifact: str
    decision: str
    champion: str
    checks: tuple[Checked, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolled:
    """The rollout as it stood.

    Attributes:
        deployment: its id. The others are those of ``Deployment``.
        standing: how it was judged last; None where there was no step to judge.
    """

    deployment: str
    strategy: str
    replaces: str
    phase: str
    steps: tuple[float, ...]
    shifts: tuple[Shift, ...]
    held: str = ""
    approved_by: str = ""
    promoted_by: str = ""
    slow_above_s: float = 0.0
    detail: str = ""
    standing: Standing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the records say of a version: how it was made, examined and rolled out.

    ``missing`` says in words what could not be read when the bundle was made.
    """

    made: Made | None = None
    report: Reported | None = None
    rollout: Rolled | None = None
    missing: tuple[str, ...] = ()


def reported(report: ValidationReport) -> Reported:
    """What a bundle says of a report."""
    return Reported(
        id=report.id,
        digest=fingerprint(report),
        artifact=report.artifact,
        decision=str(report.decision),
        champion=report.champion,
        checks=tuple(
            Checked(
                check=result.check,
                verdict=str(result.verdict),
                summary=result.summary,
                intervals=tuple(_intervals(result.details)),
            )
            for result in report.results
        ),
    )


def rolled(deployment: Deployment, standing: Standing | None) -> Rolled:
    """What a bundle says of a deployment."""
    own = {f.name for f in dataclasses.fields(Rolled)} - {"deployment", "phase", "standing"}
    return Rolled(
        deployment=deployment.id,
        phase=str(deployment.phase),
        standing=standing,
        **{name: getattr(deployment, name) for name in own},
    )


_ENDS = ({"low", "high"}, {"at least", "at most"})


def _intervals(details: Any) -> list[dict[str, Any]]:
    """The parts of a check's details that have both ends of an interval, wherever they stand."""
    if isinstance(details, Mapping):
        own = [dict(details)] if any(ends <= details.keys() for ends in _ENDS) else []
        return own or [found for part in details.values() for found in _intervals(part)]
    if isinstance(details, list | tuple):
        return [found for part in details for found in _intervals(part)]
    return []


def fingerprint(record: Any) -> str:
    """SHA-256 (hex) of a record without the fields that have their default.

    A later Flyball may give a record more fields: old records then have their defaults there, and
    the same fingerprint as before.
    """
    return digest(_said(record))


def _said(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: _said(getattr(value, f.name))
            for f in dataclasses.fields(value)
            if not _is_default(f, getattr(value, f.name))
        }
    if isinstance(value, Mapping):
        return {str(key): _said(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_said(item) for item in value]
    return value


def _is_default(one: dataclasses.Field[Any], value: Any) -> bool:
    if one.default_factory is not dataclasses.MISSING:
        return bool(value == one.default_factory())
    return one.default is not dataclasses.MISSING and bool(value == one.default)
