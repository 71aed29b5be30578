"""Validate: run the checks on a candidate, write the report, and make the move it decides."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from flyball.domain.canonical import digest
from flyball.domain.data import DatasetVersion
from flyball.domain.evidence import Evidence, EvidenceKind
from flyball.domain.ledger import Entry
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.routing import Route
from flyball.domain.training import Run
from flyball.domain.validation import (
    CheckResult,
    Decision,
    ValidationReport,
    Verdict,
    decide,
    recommendations,
)
from flyball.errors import (
    ArtifactCorrupt,
    FlyballError,
    NotFound,
    StorageUnavailable,
    ValidationError,
)
from flyball.ports import (
    Application,
    Blobs,
    Change,
    Check,
    CheckContext,
    Clock,
    Datasets,
    Executor,
    Prepared,
    Records,
    Tables,
    Target,
)
from flyball.settings import ModelSettings
from flyball.steps.fit import read_tables
from flyball.steps.manifest import Manifest, code_fingerprint, read_manifest
from flyball.steps.register import moved
from flyball.steps.report import write_report

_MOVES = {Decision.PROMOTE: State.STAGING, Decision.REJECT: State.DEVELOPMENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """What is judged: the candidate, what it is compared with, and on what."""

    candidate: ModelVersion
    champion: ModelVersion | None
    data: DatasetVersion
    run: Run
    champion_split: Mapping[str, Any]


def validate(
    version: ModelVersion,
    *,
    application: Application,
    checks: Sequence[Check],
    settings: ModelSettings,
    records: Records,
    datasets: Datasets,
    blobs: Blobs,
    executor: Executor,
    target: Target,
    clock: Clock,
    actor: str,
    scratch: Path,
) -> ValidationReport:
    """The report on a candidate, judged on the data and the split it was trained with.

    The same question (candidate, champion, data, checks, gates, code) is the same report, and is
    not asked again, unless a check could not be carried out and nothing was decided. The report
    and the candidate's move (to staging if every check passed, back to development if one failed)
    are committed together; a candidate that is not in validation gets its report and stays.

    Args:
        version: the candidate; its recorded state counts.
        scratch: a directory for work in progress.

    Raises:
        ValidationError: there are no checks.
        NotFound: the candidate, its run or its data is not recorded.
        TrainingError: the data cannot be split as it was.
        StorageUnavailable: the report cannot be stored.
        StaleWrite: another process moved the candidate meanwhile.
    """
    if not checks:
        raise ValidationError(
            f"{version.id}: {application.name} names no checks, so nothing could be decided; "
            "name at least one in its `checks`"
        )
    case = _case(records, version)
    id = _report_id(case, application, checks, settings)
    known = _known(records, f"{version.model}/{id}")
    if known is not None and not _worth_repeating(known):
        return known
    tables, prepared = _prepared(case, application, datasets)
    context = CheckContext(
        application=application,
        candidate=case.candidate,
        champion=case.champion,
        champion_split=case.champion_split,
        tables=tables,
        prepared=prepared,
        objective=_objective(application, settings),
        limits=settings.gates,
        blobs=blobs,
        executor=executor,
        target=target,
    )
    report = _report(case, id, [_run(check, context) for check in checks], at=clock.now())
    report = replace(report, artifact=_stored(report, case, blobs, scratch))
    changes, entries = _move(case.candidate, report, at=clock.now(), actor=actor)
    records.commit([Change(value=report, replacing=known), *changes], entries)
    return report


def _report(
    case: _Case, id: str, results: Sequence[CheckResult], *, at: datetime
) -> ValidationReport:
    return ValidationReport(
        model=case.candidate.model,
        version=case.candidate.name,
        report_id=id,
        champion=case.champion.name if case.champion else "",
        data_version=case.data.version,
        results=tuple(results),
        decision=decide(results),
        recommendations=recommendations(results),
        created_at=at,
    )


def _case(records: Records, version: ModelVersion) -> _Case:
    candidate = records.get(ModelVersion, version.id)
    champion: ModelVersion | None = None
    champion_split: Mapping[str, Any] = {}
    with suppress(NotFound):
        serving = records.get(Route, candidate.model).champion
        if serving is not None and serving != candidate.name:
            champion = records.get(ModelVersion, f"{candidate.model}/{serving}")
            champion_split = records.get(Run, f"{champion.model}/{champion.run_id}").split
    return _Case(
        candidate=candidate,
        champion=champion,
        champion_split=champion_split,
        data=records.get(DatasetVersion, f"{candidate.model}/{candidate.recipe.data_version}"),
        run=records.get(Run, f"{candidate.model}/{candidate.run_id}"),
    )


def _report_id(
    case: _Case, application: Application, checks: Sequence[Check], settings: ModelSettings
) -> str:
    asked = {
        "candidate": [case.candidate.id, case.candidate.artifact],
        "champion": [case.champion.id, case.champion.artifact] if case.champion else None,
        "data": case.data.version,
        "checks": [check.name for check in checks],
        "objective": _objective(application, settings),
        "gates": settings.gates.model_dump(mode="json"),
        "code": code_fingerprint(application, *checks),
    }
    return digest(asked)[:16]


def _objective(application: Application, settings: ModelSettings) -> str:
    return settings.objective or application.objective


def _known(records: Records, id: str) -> ValidationReport | None:
    with suppress(NotFound):
        return records.get(ValidationReport, id)
    return None


def _worth_repeating(report: ValidationReport) -> bool:
    """A port in use or a full disk is no answer: ask again. Nothing hangs on such a report."""
    errors = any(result.verdict is Verdict.ERROR for result in report.results)
    return errors and report.decision is Decision.UNDECIDED


def _prepared(case: _Case, application: Application, datasets: Datasets) -> tuple[Tables, Prepared]:
    """The rows the candidate was trained with, split as they were."""
    tables = read_tables(
        {
            table: [str(datasets.path(md5)) for md5 in md5s]
            for table, md5s in case.data.tables().items()
        }
    )
    return tables, application.prepare(tables, seed=case.run.seed)


def _run(check: Check, context: CheckContext) -> CheckResult:
    """One check with its cost; one that cannot be carried out is an error, never a pass."""
    started = time.monotonic()
    try:
        result = check.run(context)
    except FlyballError as error:
        result = CheckResult(
            check=check.name,
            verdict=Verdict.ERROR,
            summary=f"{error.title}: {error}",
            recommendation=f"remove what stopped the {check.name} check, then validate again",
            details={"error": type(error).__name__},
        )
    return replace(result, seconds=time.monotonic() - started)


def _stored(report: ValidationReport, case: _Case, blobs: Blobs, scratch: Path) -> str:
    """Write the report's files and store them; returns their digest."""
    directory = scratch / f"report-{report.model}-{report.report_id}"
    try:
        directory.mkdir(parents=True, exist_ok=True)  # there already after a crash
        write_report(
            directory,
            report,
            version=case.candidate,
            run=case.run,
            data=case.data,
            manifest=_manifest(blobs, case.candidate),
        )
        stored = blobs.put(directory)
        shutil.rmtree(directory)
    except OSError as error:
        raise StorageUnavailable(
            f"the report on {case.candidate.id} cannot be written in {scratch}: {error.strerror}; "
            "free some space or change its permissions"
        ) from error
    return stored


def _manifest(blobs: Blobs, candidate: ModelVersion) -> Manifest | None:
    """The candidate's manifest; None where it is damaged, which is for a check to say."""
    with suppress(ArtifactCorrupt, NotFound):
        return read_manifest(blobs.get(candidate.artifact, verify=False))
    return None


def _move(
    candidate: ModelVersion, report: ValidationReport, *, at: datetime, actor: str
) -> tuple[list[Change], list[Entry]]:
    """The change and the ledger entry that the decision brings; none where it brings none."""
    target = _MOVES.get(report.decision)
    if target is None or candidate.state is not State.VALIDATION:
        return [], []
    evidence = Evidence(kind=EvidenceKind.REPORT, id=report.id, digest=digest(report))
    after, entry = moved(candidate, target, evidence, at=at, actor=actor)
    return [Change(value=after, replacing=candidate)], [entry]
