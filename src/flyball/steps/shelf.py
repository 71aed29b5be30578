"""Where a model's batches go: into its dataset, each once, whoever else adds at the same time.

The effects, in order: the files are kept in the dataset's store; batch, dataset version and ledger
entry are written in one commit; the store lays out the version that is recorded.

Two ingests may run at once, and both build on the dataset version they found. Each commit therefore
also moves ``head`` of the model's empty version from the one to the next. The second commit finds
it moved, is refused as a whole (``StaleWrite``), and is worked out again on the newer version. The
empty version is written with the first batch, so this holds for it too.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from flyball.domain.data import EMPTY, PACKAGE, DataBatch, DatasetVersion, batch_file
from flyball.domain.ledger import Entry
from flyball.domain.text import many
from flyball.errors import BatchConflict, NotFound, StaleWrite
from flyball.ports import Change, Datasets, Records
from flyball.steps.newest import ends

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
class Contents:
    """The files of a batch.

    Attributes:
        rows: its canonical Parquet.
        sketches: its profile.
        quarantine: the rows left out; None where there are none.
        package: the schemas it was read with, as they lie beside the data.
    """

    rows: Path
    sketches: Path
    quarantine: Path | None
    package: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Where a model's batches go."""

    model: str
    datasets: Datasets
    records: Records
    actor: str

    def put(self, draft: DataBatch, contents: Contents) -> Ingested:
        """Add a batch to the newest version of the dataset, or find it there.

        Args:
            draft: the batch; without an id it gets one from its digest, without the hashes of its
                files it always comes.
            contents: its files.

        Raises:
            BatchConflict: its id names other content.
            StaleWrite: other ingests were first, again and again.
        """
        given = draft.batch_id
        draft = replace(draft, batch_id=given or draft.digest[:12])
        for _ in range(_ATTEMPTS):
            known = self._known(draft)
            try:
                if known is None:
                    batch = self._added(draft, contents)
                    note = f"batch {batch.id}: {many(batch.rows, 'row')} from {batch.source}"
                else:
                    self._heal(known, contents)
                    batch, note = known, _already(known, given)
            except StaleWrite:
                continue  # somebody else was first: look again
            return Ingested(batch=batch, dataset=self.shown(), new=known is None, note=note)
        raise StaleWrite(
            f"batch {draft.id} was not added: other ingests changed the dataset {_ATTEMPTS} times "
            "in the meantime; run the same command again"
        )

    def shown(self) -> DatasetVersion:
        """The newest version, once it is what the data store lays out for people and ``dvc``."""
        _, newest = self.ends()
        while newest is not None:
            self.datasets.lay_out(self.model, newest.files)
            laid_out, (_, newest) = newest, self.ends()
            if newest == laid_out:
                return laid_out
        raise StaleWrite(
            f"the dataset of {self.model} was removed in the meantime; run the same command again"
        )

    def ends(self) -> tuple[DatasetVersion | None, DatasetVersion | None]:
        """The empty version and the newest one; None where there is none yet."""
        return ends(self.records, self.model)

    def _heal(self, known: DataBatch, contents: Contents) -> None:
        """The same bytes again mend a damaged store; what was removed on purpose stays away."""
        _, newest = self.ends()
        if newest is not None and newest.files.get(known.file) == known.md5:
            self.datasets.keep(contents.rows)
            self.datasets.keep(contents.package)

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
                    f"({many(batch.rows, 'row')} from {batch.source}, ingested "
                    f"{batch.ingested_at:%Y-%m-%d %H:%M} UTC), which is kept; "
                    f"give {draft.source} another id, or none"
                )
        return None

    def _added(self, draft: DataBatch, contents: Contents) -> DataBatch:
        """Keep the files, then write everything in one commit.

        The version's name is known once the listing is: so it is laid out before it is recorded.
        Whoever is first past that records it; ``shown`` puts right what the others laid out.
        """
        start, newest = self.ends()
        base = newest or self._empty()
        batch = replace(
            draft,
            file=batch_file(len(base.batches) + 1, draft.table, draft.digest),
            md5=self.datasets.keep(contents.rows),
            sketches=self.datasets.keep(contents.sketches),
            quarantine=self.datasets.keep(contents.quarantine) if contents.quarantine else "",
        )
        files = {**base.files, PACKAGE: self.datasets.keep(contents.package)}
        files[batch.file] = batch.md5
        version = DatasetVersion(
            model=self.model,
            version=self.datasets.lay_out(self.model, files),
            batches=(*base.batches, batch.batch_id),
            files=files,
            rows=base.rows + batch.rows,
            created_at=draft.ingested_at,
        )
        self.record(version, start, [Change(value=batch)], self._entry(batch, base, version))
        return batch

    def record(
        self,
        version: DatasetVersion,
        start: DatasetVersion | None,
        changes: Sequence[Change],
        entry: Entry,
    ) -> None:
        """Write a version as the newest one, with what belongs to it, in one commit.

        Args:
            start: the empty version, as ``ends`` gave it with the version that this one follows.

        Raises:
            StaleWrite: somebody else made a version since; nothing was written.
        """
        moved = replace(start or self._empty(), head=version.version)
        with suppress(NotFound):  # the same files as once before: that version is the newest again
            version = self.records.get(DatasetVersion, version.id)
        made = [Change(value=moved, replacing=start), Change(value=version)]
        self.records.commit([*made, *changes], [entry])

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
            reason=f"{many(batch.rows, 'row')} from {batch.source}",
        )


def _already(batch: DataBatch, given: str) -> str:
    first = (
        f"the same rows are already batch {batch.id}, ingested "
        f"{batch.ingested_at:%Y-%m-%d %H:%M} UTC from {batch.source}"
    )
    if given in ("", batch.batch_id):
        return f"{first}; nothing was added"
    return f"{first}; it keeps that id, and {given!r} was not used"
