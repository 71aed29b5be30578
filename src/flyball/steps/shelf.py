"""Where a model's batches go: into its dataset, each once, whoever else adds at the same time.

The effects, in order: the file is added to the dataset's store; batch, dataset version and ledger
entry are written in one commit; the store lays out the version that is recorded.

Two ingests may run at once, and both build on the dataset version they found. Each commit therefore
also moves ``head`` of the model's empty version from the one to the next. The second commit finds
it moved, is refused as a whole (``StaleWrite``), and is worked out again on the newer version. The
empty version is written with the first batch, so this holds for it too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from flyball.domain.data import EMPTY, DataBatch, DatasetVersion
from flyball.domain.ledger import Entry
from flyball.errors import BatchConflict, NotFound, StaleWrite
from flyball.ports import Change, Datasets, Records

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
    actor: str

    def put(self, draft: DataBatch, content: Path) -> Ingested:
        """Add a batch to the newest version of the dataset, or find it there.

        Args:
            draft: the batch; without an id it gets one from its digest, without a file's name and
                hash it always comes.
            content: its bytes.

        Raises:
            BatchConflict: its id names other content.
            StaleWrite: other ingests were first, again and again.
        """
        given = draft.batch_id
        draft = replace(draft, batch_id=given or draft.digest[:12])
        for _ in range(_ATTEMPTS):
            known = self._known(draft)
            start, newest = self._ends()
            try:
                if known is None:
                    batch = self._added(draft, content, start, newest)
                    note = f"batch {batch.id}: {batch.rows} rows from {batch.source}"
                else:
                    batch, note = known, _already(known, given)
                    if newest is not None:  # the same bytes: they heal a damaged store
                        self.datasets.add(self.model, newest.files, known.file, content)
            except StaleWrite:
                self._shown()
                continue  # somebody else was first: look again
            return Ingested(batch=batch, dataset=self._shown(), new=known is None, note=note)
        raise StaleWrite(
            f"batch {draft.id} was not added: other ingests changed the dataset {_ATTEMPTS} times "
            "in the meantime; run the same command again"
        )

    def _shown(self) -> DatasetVersion:
        """The newest version, once it is what the data store lays out for people and ``dvc``.

        An addition lays out its version before that is recorded, and it may never be. So everybody
        lays out the recorded one last, and looks whether that is still the newest.
        """
        _, newest = self._ends()
        while newest is not None:
            last, md5 = list(newest.files.items())[-1]
            self.datasets.add(self.model, newest.files, last, self.datasets.path(md5))
            laid_out, (_, newest) = newest, self._ends()
            if newest == laid_out:
                return laid_out
        raise StaleWrite(
            f"the dataset of {self.model} was removed in the meantime; run the same command again"
        )

    def _ends(self) -> tuple[DatasetVersion | None, DatasetVersion | None]:
        """The empty version and the newest one; None where there is none yet."""
        try:
            start = self.records.get(DatasetVersion, f"{self.model}/{EMPTY}")
        except NotFound:
            return None, None
        return start, self.records.get(DatasetVersion, f"{self.model}/{start.head}")

    def _known(self, draft: DataBatch) -> DataBatch | None:
        """The batch with the same content. Raises BatchConflict for the same id without it."""
        batches = self.records.find(DataBatch, model=self.model)
        for batch in batches:
            if batch.digest == draft.digest:
                return batch
        for batch in batches:
            if batch.batch_id == draft.batch_id:
                raise BatchConflict(
                    f"the batch id {batch.batch_id!r} of {self.model} is taken by other content "
                    f"({batch.rows} rows from {batch.source}, ingested "
                    f"{batch.ingested_at:%Y-%m-%d %H:%M} UTC), which is kept; "
                    f"give {draft.source} another id, or none"
                )
        return None

    def _added(
        self,
        draft: DataBatch,
        content: Path,
        start: DatasetVersion | None,
        newest: DatasetVersion | None,
    ) -> DataBatch:
        """Store the file, then write everything in one commit."""
        base = newest or self._empty()
        file = f"{len(base.batches) + 1:04d}-{draft.digest[:12]}.parquet"
        added = self.datasets.add(self.model, base.files, file, content)
        batch = replace(draft, file=file, md5=added.files[file])
        version = DatasetVersion(
            model=self.model,
            version=added.version,
            batches=(*base.batches, batch.batch_id),
            files=added.files,
            rows=base.rows + batch.rows,
            created_at=draft.ingested_at,
        )
        moved = replace(start or self._empty(), head=version.version)
        changes = [
            Change(value=moved, replacing=start),
            Change(value=batch),
            Change(value=version),
        ]
        self.records.commit(changes, [self._entry(batch, base, version)])
        return batch

    def _empty(self) -> DatasetVersion:
        """The version that a dataset starts from: the same for everybody who writes it."""
        return DatasetVersion(
            model=self.model,
            version=EMPTY,
            batches=(),
            files={},
            rows=0,
            created_at=datetime.fromtimestamp(0, UTC),
        )

    def _entry(self, batch: DataBatch, base: DatasetVersion, made: DatasetVersion) -> Entry:
        return Entry(
            at=batch.ingested_at,
            actor=self.actor,
            action="ingest",
            subject=batch.id,
            model=self.model,
            before=base.version if base.batches else "",
            after=made.version,
            reason=f"{batch.rows} rows from {batch.source}",
        )


def _already(batch: DataBatch, given: str) -> str:
    first = (
        f"the same rows are already batch {batch.id}, ingested "
        f"{batch.ingested_at:%Y-%m-%d %H:%M} UTC from {batch.source}"
    )
    if given in ("", batch.batch_id):
        return f"{first}; nothing was added"
    return f"{first}; it keeps that id, and {given!r} was not used"
