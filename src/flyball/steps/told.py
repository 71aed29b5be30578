"""Tell: what the records say was done, as runs of jobs, to whoever keeps lineage (OpenLineage).

The record comes first, and telling follows it: a mark says how far the ledger has been told. A
crash between the two delays what is told and loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from flyball.domain import privacy
from flyball.domain.canonical import digest
from flyball.domain.data import DataBatch, DatasetVersion
from flyball.domain.deployment import Deployment
from flyball.domain.evidence import EvidenceKind
from flyball.domain.ledger import Entry, LedgerRow
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.told import Data, JobRun, Mark, Outcome
from flyball.domain.training import Run, RunPhase
from flyball.domain.validation import ValidationReport
from flyball.errors import ConfigurationError, NotFound, StaleWrite
from flyball.ports import Datasets, Lineage, Records
from flyball.steps import told_data as data
from flyball.steps.ledger_rows import rows_after

RECENT = 16
"""Runs and reports that each look goes through; all of them whenever the ledger has grown."""


def publish(
    records: Records, datasets: Datasets, lineage: Lineage, *, deliver_within_s: float = 0.0
) -> int:
    """Tell what was done since the last time; cheap where nothing was. Returns how many events.

    Args:
        deliver_within_s: how long to wait for a receiver on the network; it goes on meanwhile.

    Raises:
        StorageUnavailable: the records cannot be read, or the events not be written.
    """
    before = lineage.mark()
    rows = rows_after(records, before.ledger)
    runs: list[JobRun] = []
    for row in rows:
        with suppress(NotFound):  # what the row is about is not recorded: nothing to tell
            runs += _of_row(row, records, datasets)
    everything = bool(rows) or not before.ledger
    more, ended = _ended(records, datasets, before, everything=everything)
    runs += more
    after = replace(before, ledger=rows[-1].seq if rows else before.ledger, ended=ended)
    if (after.ledger, after.ended) != (before.ledger, before.ended):
        try:
            lineage.tell(sorted(runs, key=lambda run: run.at), before=before, after=after)
        except StaleWrite:
            return 0  # another process has just told it
    lineage.deliver(within_s=deliver_within_s)
    return len(runs)


# --- runs and reports: by their records, since not each end of one is in the ledger ---------------


def _ended(
    records: Records, datasets: Datasets, before: Mark, *, everything: bool
) -> tuple[list[JobRun], dict[str, str]]:
    """What ended since, and what is told of by then."""
    limit = None if everything else RECENT
    told: list[JobRun] = []
    ended = {} if everything else dict(before.ended)
    for run in records.find(Run, limit=limit):
        if run.phase is RunPhase.SEARCHING:
            continue
        key, seen = f"run:{run.id}", digest([run.phase, run.error, run.version])[:12]
        if before.ended.get(key) != seen:
            told += _trained(run, records, datasets)
        ended[key] = seen
    for report in records.find(ValidationReport, limit=limit):
        key, seen = f"report:{report.id}", digest([report.decision, report.created_at])[:12]
        if before.ended.get(key) != seen:
            told += _validated(report, records, datasets)
        ended[key] = seen
    return told, ended


def _trained(run: Run, records: Records, datasets: Datasets) -> Iterator[JobRun]:
    base = JobRun(
        model=run.model,
        job=f"{run.model}.train",
        record=f"run:{run.id}",
        outcome=Outcome.START,
        at=run.started_at,
        began=run.started_at,
        read=_tables(f"{run.model}/{run.data_version}", records, datasets),
        parameters=_parameters(run),
    )
    yield base
    failed = run.phase is RunPhase.FAILED
    yield replace(
        base,
        outcome=Outcome.FAIL if failed else Outcome.COMPLETE,
        at=_end(run, records),
        wrote=(data.model_data(run.model, run.version),) if run.version else (),
        error=run.error if failed else "",
    )


def _end(run: Run, records: Records) -> datetime:
    """When its version was made. Of other runs nobody noted the end: then what its trials took."""
    with suppress(NotFound):
        version = records.get(ModelVersion, f"{run.model}/{run.version}")
        if version.run_id == run.run_id:
            return version.created_at
    trials = run.result.trials if run.result else ()
    return run.started_at + timedelta(seconds=sum(trial.seconds for trial in trials))


def _parameters(run: Run) -> dict[str, str]:
    told = {"seed": str(run.seed), "trials": str(run.budget.trials)}
    if run.result is not None:
        told["family"] = run.result.family
        told |= {name: str(value) for name, value in run.result.hyperparameters.items()}
    return told


def _validated(report: ValidationReport, records: Records, datasets: Datasets) -> Iterator[JobRun]:
    read = _tables(f"{report.model}/{report.data_version}", records, datasets)
    champion = {"champion": report.champion} if report.champion else {}
    yield JobRun(
        model=report.model,
        job=f"{report.model}.validate",
        record=f"report:{report.id}",
        outcome=Outcome.COMPLETE,
        at=report.created_at,
        read=(data.model_data(report.model, report.version), *read),
        wrote=(data.report_data(report.model, report.report_id),),
        parameters={"decision": str(report.decision), **champion},
    )


def _tables(dataset: str, records: Records, datasets: Datasets) -> tuple[Data, ...]:
    """A dataset version's tables; none of one that is not recorded, or from before there were any.

    (An old home can still roll back and archive, and what it does is told.)
    """
    with suppress(NotFound, ConfigurationError):
        found = records.get(DatasetVersion, dataset)
        return data.tables_data(found, data.schemas_of(found, datasets))
    return ()


# --- rows of the ledger -----------------------------------------------------------------------


def _of_row(row: LedgerRow, records: Records, datasets: Datasets) -> Iterator[JobRun]:
    """What a row of the ledger tells the world; most rows tell nothing that another does not."""
    match row.entry.action:
        case "ingest":
            yield _ingested(row, records, datasets)
        case "schema":
            yield _rewritten("schema", row, records, datasets)
        case privacy.ERASE if row.entry.after:  # "forget" before it is the wish alone
            yield _rewritten("forget", row, records, datasets)
        case "deploy":
            yield _rollout(row, records, Outcome.START)
        case "give up":
            yield _rollout(row, records, Outcome.FAIL)
        case "route":
            yield _routed(row, records)
        case "transition" if _failed_smoke(row.entry):
            yield _rollout(row, records, Outcome.FAIL)


def _ingested(row: LedgerRow, records: Records, datasets: Datasets) -> JobRun:
    batch = records.get(DataBatch, row.entry.subject)
    dataset = records.get(DatasetVersion, f"{batch.model}/{row.entry.after}")
    schema = data.schemas_of(dataset, datasets).get(batch.table)
    left_out = (data.quarantine_data(batch),) if batch.quarantined else ()
    return JobRun(
        model=batch.model,
        job=f"{batch.model}.ingest",
        record=f"batch:{batch.id}",
        outcome=Outcome.COMPLETE,
        at=row.entry.at,
        read=(data.source_data(batch, schema),),
        wrote=(data.batch_data(batch, dataset, schema), *left_out),
        parameters={"batch": batch.batch_id},
    )


def _rewritten(verb: str, row: LedgerRow, records: Records, datasets: Datasets) -> JobRun:
    """The dataset as it was, made into the dataset as it is. Who is forgotten is not told."""
    entry = row.entry
    return JobRun(
        model=entry.model,
        job=f"{entry.model}.{verb}",
        record=f"ledger:{row.digest}",
        outcome=Outcome.COMPLETE,
        at=entry.at,
        read=_tables(f"{entry.model}/{entry.before}", records, datasets),
        wrote=_tables(f"{entry.model}/{entry.after}", records, datasets),
    )


def _failed_smoke(entry: Entry) -> bool:
    """A version that the workers could not load goes back to development."""
    smoke = entry.evidence is not None and entry.evidence.kind is EvidenceKind.SMOKE
    return smoke and entry.after == State.DEVELOPMENT


def _rollout(row: LedgerRow, records: Records, outcome: Outcome) -> JobRun:
    """A deployment that begins, serves or fails."""
    entry = row.entry
    smoke = entry.action == "transition" and entry.evidence is not None
    id = entry.evidence.id if smoke and entry.evidence is not None else entry.subject
    deployment = records.get(Deployment, id)
    served = outcome is Outcome.COMPLETE
    return JobRun(
        model=entry.model,
        job=f"{entry.model}.deploy",
        record=f"deployment:{deployment.id}",
        outcome=outcome,
        at=entry.at,
        began=deployment.started_at,
        read=(data.model_data(entry.model, deployment.version),),
        wrote=(data.serving_data(entry.model, deployment.version),) if served else (),
        error=entry.reason if outcome is Outcome.FAIL else "",
        parameters={"strategy": deployment.strategy},
    )


def _routed(row: LedgerRow, records: Records) -> JobRun:
    """What serves changed: by a deployment, or by going back from it."""
    entry = row.entry
    if entry.after == records.get(Deployment, entry.subject).version:
        return _rollout(row, records, Outcome.COMPLETE)
    return JobRun(
        model=entry.model,
        job=f"{entry.model}.rollback",
        record=f"ledger:{row.digest}",
        outcome=Outcome.COMPLETE,
        at=entry.at,
        read=(data.model_data(entry.model, entry.after),) if entry.after else (),
        wrote=(data.serving_data(entry.model, entry.after),),
        parameters={"withdrawn": entry.before, "reason": entry.reason},
    )
