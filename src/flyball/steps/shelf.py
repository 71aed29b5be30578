"""Where a model's batches go: into its dataset, each once, whoever else adds at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flyball.domain.data import DataBatch, DatasetVersion
from flyball.domain.ledger import Entry
from flyball.errors import BatchConflict, StaleWrite
from flyball.ports import Change, Clock, Datasets, Records

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
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
                    dataset=self.completed(),
                    new=False,
                    note=_already(known, given),
                )
            try:
                batch = self._added(draft, content)
            except StaleWrite:
                continue  # somebody else was first: look again
            note = f"batch {batch.id}: {batch.rows} rows from {batch.source}"
            return Ingested(batch=batch, dataset=self.completed(), new=True, note=note)
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

    def completed(self) -> DatasetVersion:
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
            added = self.datasets.add(self.model, files, batch.file, self.datasets.path(batch.md5))
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
