"""The story of a model or of one version, in order: from the ledger, and from the records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from math import inf

from flyball.domain.bundle import SignedBundle
from flyball.domain.canonical import digest
from flyball.domain.data import DatasetVersion
from flyball.domain.deployment import Deployment
from flyball.domain.evidence import Evidence
from flyball.domain.judging import Standing
from flyball.domain.ledger import LedgerRow
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.text import many
from flyball.domain.training import Run
from flyball.domain.validation import ValidationReport, Verdict
from flyball.errors import EvidenceBroken, NotFound
from flyball.ports import Records
from flyball.steps.reading_bundles import bundle_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """One thing that happened.

    Attributes:
        at: when, UTC.
        who: who did it; empty where nobody is recorded.
        what, why: in words.
        about: the id of what it happened to.
        row: of the ledger; None where a record tells it.
        evidence: what it rested on, ``"<kind> <id>"``; empty where nothing is named.
        bundle: digest of the signed bundle; empty where it moved no version.
    """

    at: datetime
    who: str
    what: str
    why: str
    about: str
    row: int | None = None
    evidence: str = ""
    bundle: str = ""


def story(records: Records, model: str, version: ModelVersion | None = None) -> list[Chapter]:
    """What happened, the first first.

    Args:
        version: only what concerns this one: the data it learnt from, its run, reports, moves and
            rollouts, and what took its place.

    Raises:
        StorageUnavailable, LedgerBroken: the records or the ledger cannot be read.
    """
    deployments = [d for d in records.find(Deployment, model=model) if _of(d, version)]
    rows = records.ledger(model=model)
    if version is not None:
        rows = list(_concerning(version, rows, records, deployments))
    bundles = _bundles(records, model)
    told = [_chapter(row, bundles) for row in rows]
    told += _trained(records, model, version)
    told += _examined(records, model, version)
    told += _judged(records, deployments)
    return sorted(told, key=_when)


def _when(one: Chapter) -> tuple[datetime, float]:
    """What the ledger tells comes before what a record tells of the same moment."""
    return one.at, inf if one.row is None else one.row


def _of(record: Deployment | ValidationReport, version: ModelVersion | None) -> bool:
    return version is None or record.version == version.name


def _concerning(
    version: ModelVersion,
    rows: Iterable[LedgerRow],
    records: Records,
    deployments: Sequence[Deployment],
) -> Iterator[LedgerRow]:
    subjects = {version.id, *(deployment.id for deployment in deployments)}
    with suppress(NotFound):
        data = records.get(DatasetVersion, f"{version.model}/{version.recipe.data_version}")
        subjects |= {f"{version.model}/{batch}" for batch in data.batches}
    for row in rows:
        entry = row.entry
        routed = entry.action == "route" and version.name in (entry.before, entry.after)
        if entry.subject in subjects or routed:
            yield row


def _bundles(records: Records, model: str) -> dict[str, str]:
    """Digests of bundles by the digests of their ledger entries."""
    found = {}
    for signed in records.find(SignedBundle, model=model):
        with suppress(EvidenceBroken):  # `flyball verify` is who tells
            found[bundle_of(signed).move.entry] = signed.digest
    return found


def _chapter(row: LedgerRow, bundles: dict[str, str]) -> Chapter:
    entry = row.entry
    return Chapter(
        at=entry.at,
        who=entry.actor,
        what=_what(row),
        why=entry.reason,
        about=entry.subject,
        row=row.seq,
        evidence=_named(entry.evidence),
        bundle=bundles.get(digest(entry), ""),
    )


def _what(row: LedgerRow) -> str:
    entry = row.entry
    match entry.action:
        case "transition":
            return f"{entry.before or 'registered'} -> {entry.after}"
        case "ingest":
            return f"batch {entry.subject.partition('/')[2]} ingested"
        case "deploy":
            beside = f" beside {entry.before}" if entry.before else ""
            return f"deployment {entry.subject} of {entry.after} began{beside}"
        case "route":
            instead = f" instead of {entry.before}" if entry.before else ""
            return f"{entry.after or 'nothing'} serves{instead}"
        case "shift" | "withdraw" | "promote":
            return f"{entry.action}: {entry.before} -> {entry.after} of traffic"
        case _:
            return entry.action


def _named(evidence: Evidence | None) -> str:
    return f"{evidence.kind} {evidence.id}" if evidence else ""


def _trained(records: Records, model: str, version: ModelVersion | None) -> Iterator[Chapter]:
    for run in records.find(Run, model=model):
        if version is not None and run.run_id != version.run_id:
            continue
        yield Chapter(
            at=run.started_at,
            who="",
            what=f"training run {run.run_id} began",
            why=run.error or f"{many(run.trials_done, 'trial')}, seed {run.seed}: {run.phase}",
            about=run.id,
        )


def _examined(records: Records, model: str, version: ModelVersion | None) -> Iterator[Chapter]:
    for report in records.find(ValidationReport, model=model):
        if not _of(report, version):
            continue
        passed = sum(result.verdict is Verdict.PASS for result in report.results)
        yield Chapter(
            at=report.created_at,
            who="",
            what=f"report {report.report_id} on {report.version}: {report.decision}",
            why=f"{passed} of {many(len(report.results), 'check')} passed",
            about=report.id,
        )


def _judged(records: Records, deployments: Sequence[Deployment]) -> Iterator[Chapter]:
    for deployment in deployments:
        if not deployment.shifts:
            continue
        with suppress(NotFound):
            standing = records.get(Standing, deployment.id)
            judgement = standing.judgement
            yield Chapter(
                at=standing.at,
                who="",
                what=f"judged last at {standing.share:.0%}: {judgement.verdict}",
                why=judgement.reason,
                about=deployment.id,
            )
