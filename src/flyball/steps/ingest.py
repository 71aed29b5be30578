"""Ingest: a source becomes an immutable batch of a model's dataset."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from flyball.domain.data import DataBatch, Finding
from flyball.errors import (
    DataQualityError,
    InvalidRequest,
    StorageUnavailable,
)
from flyball.ports import Application, Clock, Datasets, Records, Sources
from flyball.settings import Gates
from flyball.steps.conform import conform, left_out
from flyball.steps.profile import profile
from flyball.steps.shelf import Ingested, Shelf

_BATCH_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def ingest(
    model: str,
    location: str,
    *,
    batch_id: str | None = None,
    application: Application,
    limits: Gates,
    sources: Sources,
    datasets: Datasets,
    records: Records,
    clock: Clock,
    actor: str,
    scratch: Path,
) -> Ingested:
    """Read a source, judge it, and add it to the model's dataset as one immutable batch.

    Every effect is idempotent, so a crash between any two and a repetition end like an
    undisturbed run; ``Shelf`` says in which order they come, and what two ingests at once do.

    Args:
        batch_id: the caller's name for the batch; by default the first 12 digits of its digest.
        limits: ``max_quarantined`` is the share of rows that may be left out.
        actor: who does it, for the ledger.
        scratch: a folder for a temporary file.

    Raises:
        DataQualityError: the source cannot be used, or too many of its rows; nothing was stored.
        BatchConflict: the batch id names other content; nothing was stored.
        InvalidRequest: the batch id cannot be one.
        StorageUnavailable: no space or no permission; the dataset is as it was.
    """
    if batch_id is not None and not _BATCH_ID.fullmatch(batch_id):
        raise InvalidRequest(
            f"{batch_id!r} cannot name a batch: use letters, digits, '.', '_' and '-', at most 64"
        )
    table = sources.read(location, application.schema)
    frame, findings = conform(table, application.schema, application.key)
    _judge(location, frame.height, findings, limits.max_quarantined)
    shelf = Shelf(model=model, datasets=datasets, records=records, actor=actor)
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="ingest-", dir=scratch) as folder:
            content = Path(folder) / "batch.parquet"
            draft = DataBatch(
                model=model,
                batch_id=batch_id or "",
                digest=write_canonical(frame, content),
                file="",
                md5="",
                source=location,
                rows=frame.height,
                findings=findings,
                profile=profile(frame),
                ingested_at=clock.now(),
            )
            return shelf.put(draft, content)
    except OSError as error:
        raise StorageUnavailable(
            f"{location} could not be ingested: {error.strerror or error} ({scratch}); "
            "free space or fix the permissions, then run the same command again"
        ) from error


def write_canonical(frame: pl.DataFrame, path: Path) -> str:
    """Write rows as canonical Parquet; returns the SHA-256 (hex) of the bytes.

    The same rows in the same order give the same bytes: one chunk, fixed compression and group
    size, no clock.
    """
    frame.rechunk().write_parquet(
        path, compression="zstd", compression_level=3, statistics=True, row_group_size=1 << 18
    )
    with path.open("rb") as reader:
        return hashlib.file_digest(reader, "sha256").hexdigest()


def _judge(location: str, kept: int, findings: Sequence[Finding], most: float) -> None:
    """Refuse a source with too many bad rows, or with no good one."""
    bad = left_out(findings)
    rows = kept + sum(finding.count for finding in findings if finding.dropped)
    if kept and bad <= most * rows:
        return
    reasons = "\n".join(f"  {finding.rule}: {finding.detail}" for finding in findings)
    raise DataQualityError(
        f"{location} was rejected: {bad} of {rows} rows ({bad / max(rows, 1):.1%}) cannot be used; "
        f"at most {most:.1%} may be left out. Fix the source, or raise `max_quarantined` in the "
        f"model's gates:\n{reasons}"
    )
