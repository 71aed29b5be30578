"""Ingest: a source becomes an immutable batch of a model's dataset."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from flyball.domain.data import DataBatch, DatasetVersion, Finding
from flyball.domain.ledger import Entry
from flyball.errors import (
    BatchConflict,
    DataQualityError,
    InvalidRequest,
    StaleWrite,
    StorageUnavailable,
)
from flyball.ports import Application, Change, Clock, Datasets, Records, Sources
from flyball.settings import Gates
from flyball.steps.conform import conform, left_out
from flyball.steps.profile import profile

_BATCH_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ATTEMPTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What became of a source.

    Attributes:
        batch: the batch its rows are.
        dataset: the newest version of the model's dataset, which holds the batch.
        new: False where the same rows had been ingested before.
        note: one sentence for the user.
    """

    batch: DataBatch
    dataset: DatasetVersion
    new: bool
    note: str


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
    undisturbed run. The effects: the file is added to the dataset's store, where nobody looks
    until the record names it; then batch, dataset version and ledger entry are written in one
    commit.

    Two ingests may run at once. Both build on the dataset version they found, and the second
    commit would then be a version without the first one's batch. Therefore the last effect is
    ``_completed``: whoever has committed looks whether the newest version holds every recorded
    batch of the model, and if not, writes one that does. The later committer always sees the
    earlier one's batch, so some version holds both, and from the same records everybody makes
    the same one.

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
    shelf = _Shelf(model=model, datasets=datasets, records=records, clock=clock, actor=actor)
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="ingest-", dir=scratch) as folder:
            content = Path(folder) / "batch.parquet"
            digest = write_canonical(frame, content)
            draft = DataBatch(
                model=model,
                batch_id=batch_id or digest[:12],
                digest=digest,
                file="",
                md5="",
                source=location,
                rows=frame.height,
                findings=findings,
                profile=profile(frame),
                ingested_at=clock.now(),
            )
            return shelf.put(draft, content, given=batch_id)
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
        f"{location} was refused: {bad} of {rows} rows ({bad / max(rows, 1):.1%}) cannot be used; "
        f"at most {most:.1%} may be left out. Mend the source, or raise `max_quarantined` of the "
        f"model's gates:\n{reasons}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shelf:
    """Where a model's batches go."""

    model: str
    datasets: Datasets
    records: Records
    clock: Clock
    actor: str

    def put(self, draft: DataBatch, content: Path, *, given: str | None) -> Ingested:
        """Add a batch, or find it there; then see to it that the newest dataset holds all."""
        for _ in range(_ATTEMPTS):
            known = self._known(draft)
            if known is not None:
                return Ingested(
                    batch=known,
                    dataset=self._completed(),
                    new=False,
                    note=_already(known, given),
                )
            try:
                batch = self._added(draft, content)
            except StaleWrite:
                continue  # somebody else was first: look again
            note = f"batch {batch.id}: {batch.rows} rows from {batch.source}"
            return Ingested(batch=batch, dataset=self._completed(), new=True, note=note)
        raise StaleWrite(
            f"batch {draft.id} lost {_ATTEMPTS} races against other ingests; run it again"
        )

    def _known(self, draft: DataBatch) -> DataBatch | None:
        """The batch with the same content. Raises BatchConflict for the same id without it."""
        batches = self.records.find(DataBatch, model=self.model)
        for batch in batches:
            if batch.digest == draft.digest:
                return batch
        for batch in batches:
            if batch.batch_id == draft.batch_id:
                raise BatchConflict(
                    f"batch id {batch.batch_id!r} of {self.model} is taken by other content "
                    f"({batch.rows} rows from {batch.source}, ingested "
                    f"{batch.ingested_at:%Y-%m-%d %H:%M} UTC), which stays; "
                    f"give {draft.source} another id, or none"
                )
        return None

    def _added(self, draft: DataBatch, content: Path) -> DataBatch:
        from dataclasses import replace

        newest = self._newest()
        count = len(newest.batches) if newest else 0
        file = f"{count + 1:04d}-{draft.digest[:12]}.parquet"
        files = newest.files if newest else {}
        added = self.datasets.add(self.model, files, file, content)
        batch = replace(draft, file=file, md5=added.files[file])
        version = DatasetVersion(
            model=self.model,
            version=added.version,
            batches=(*(newest.batches if newest else ()), batch.batch_id),
            files=added.files,
            rows=(newest.rows if newest else 0) + batch.rows,
            created_at=self.clock.now(),
        )
        entry = self._entry("ingest", batch.id, newest, version, f"{batch.rows} rows")
        self.records.commit([Change(value=batch), Change(value=version)], [entry])
        return batch

    def _completed(self) -> DatasetVersion:
        """The newest dataset version, once it holds every recorded batch of the model."""
        for _ in range(_ATTEMPTS):
            newest = self._newest()
            if newest is None:
                break
            batches = self.records.find(DataBatch, model=self.model)
            missing = [batch for batch in batches if batch.batch_id not in newest.batches]
            if not missing:
                return newest
            try:
                self._join(newest, missing)
            except StaleWrite:
                continue
        raise StaleWrite(
            f"the dataset of {self.model} changed {_ATTEMPTS} times meanwhile; run it again"
        )

    def _join(self, newest: DatasetVersion, missing: Sequence[DataBatch]) -> None:
        """Write a version of ``newest`` and the batches that arrived beside it."""
        files, version = newest.files, newest.version
        for batch in missing:
            added = self.datasets.add(
                self.model, files, batch.file, self.datasets.path(batch.md5)
            )
            files, version = added.files, added.version
        joined = DatasetVersion(
            model=self.model,
            version=version,
            batches=(*newest.batches, *(batch.batch_id for batch in missing)),
            files=files,
            rows=newest.rows + sum(batch.rows for batch in missing),
            created_at=self.clock.now(),
        )
        names = ", ".join(batch.batch_id for batch in missing)
        entry = self._entry("join", joined.id, newest, joined, f"{names} arrived at the same time")
        self.records.commit([Change(value=joined)], [entry])

    def _newest(self) -> DatasetVersion | None:
        found = self.records.find(DatasetVersion, model=self.model, limit=1)
        return found[0] if found else None

    def _entry(
        self,
        action: str,
        subject: str,
        before: DatasetVersion | None,
        after: DatasetVersion,
        reason: str,
    ) -> Entry:
        return Entry(
            at=self.clock.now(),
            actor=self.actor,
            action=action,
            subject=subject,
            model=self.model,
            before=before.version if before else "",
            after=after.version,
            reason=reason,
        )


def _already(batch: DataBatch, given: str | None) -> str:
    first = (
        f"the same rows are already batch {batch.id}, ingested "
        f"{batch.ingested_at:%Y-%m-%d %H:%M} UTC from {batch.source}"
    )
    if given is None or given == batch.batch_id:
        return f"{first}; nothing was added"
    return f"{first}; it keeps that id, and {given!r} was not used"
