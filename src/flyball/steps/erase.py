"""Erase: the next version of a dataset, without the rows of a person.

Only files that hold such rows are written anew, as canonical Parquet under the same names. Batches
keep their ids and get the digests of what is left, so that the same source, ingested once more, is
still the same batch. Versions from before stay what they were, for the models that name them.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from pathlib import Path

from flyball.domain.data import PACKAGE, DataBatch, DatasetVersion, table_of
from flyball.domain.ledger import Entry
from flyball.domain.privacy import ERASE
from flyball.domain.schema import Schema
from flyball.domain.text import many
from flyball.errors import ArtifactCorrupt, NotFound, StaleWrite
from flyball.ports import Change, Clock, Datasets, Records
from flyball.steps import canonical
from flyball.steps.aftermath import Rewritten, after, without
from flyball.steps.shelf import Shelf
from flyball.steps.theirs import Theirs
from flyball.steps.workplace import workplace

_ATTEMPTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What was removed.

    Attributes:
        dataset: the newest version, without the person; None where there is no data.
        files: names of its files that were written anew.
        rows: how many rows went from them.
        quarantined: how many went from quarantines.
    """

    dataset: DatasetVersion | None
    files: tuple[str, ...]
    rows: int
    quarantined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Eraser:
    """What every erasure from one model's dataset needs.

    Attributes:
        model: whose dataset.
        schemas: its tables; they say which columns are personal.
        actor: who decides, for the ledger.
        scratch: a folder for temporary files, on the home's disk.
    """

    model: str
    schemas: Sequence[Schema]
    datasets: Datasets
    records: Records
    clock: Clock
    actor: str
    scratch: Path

    def __call__(self, person: str, *, also: str = "") -> Erased:
        """Take a person's rows out of the newest version and of every quarantine.

        Idempotent, and safe beside ingests: where one was first, it looks again.

        Args:
            person: their pseudonym.
            also: what the ledger says beside the counts.

        Raises:
            StaleWrite: others changed the dataset first, again and again.
            StorageUnavailable: no space or no permission; the dataset is as it was.
            NotFound, ArtifactCorrupt: a file of the newest version is nowhere sound.
        """
        for _ in range(_ATTEMPTS):
            try:
                return self._erased(person, also)
            except StaleWrite:
                continue  # somebody else was first: look again
        raise StaleWrite(
            f"{person} was not removed from the dataset of {self.model}: others changed it "
            f"{_ATTEMPTS} times in the meantime; run the same command again"
        )

    def holding(self, person: str, versions: Sequence[DatasetVersion]) -> list[DatasetVersion]:
        """Those versions that hold rows of a person.

        A file that is nowhere any more, or damaged, holds none that anybody could read.
        """
        seen: dict[str, bool] = {}
        found = []
        for version in versions:
            for name, md5 in version.files.items():
                if md5 not in seen:
                    seen[md5] = self._holds(person, name, md5)
            if any(seen[md5] for md5 in version.files.values()):
                found.append(version)
        return found

    def _erased(self, person: str, also: str) -> Erased:
        shelf = Shelf(
            model=self.model, datasets=self.datasets, records=self.records, actor=self.actor
        )
        began = self.clock.now()
        start, before = shelf.ends()
        batches = self.records.find(DataBatch, model=self.model)
        failed = f"{person} could not be removed"
        with workplace(self.scratch, prefix="erase-", failed=failed) as folder:
            files = self._files(before, person, folder)
            changed, quarantined = self._batches(batches, files, person, folder)
        rows = sum(done.gone for done in files.values())
        said = f"{many(rows, 'row')} of the dataset, {quarantined} of quarantines{also}"
        if before is not None and files:
            newest = self._without(before, files, rows)
            entry = self._entry(person, said, before.version, newest.version)
            shelf.record(newest, start, changed, entry)
        else:
            self.records.commit(changed, [self._entry(person, said)])
        self._let_go(changed, began)
        return Erased(
            dataset=None if before is None else shelf.shown(),
            files=tuple(files),
            rows=rows,
            quarantined=quarantined,
        )

    def _files(
        self, newest: DatasetVersion | None, person: str, folder: Path
    ) -> dict[str, Rewritten]:
        """Files of the newest version that hold rows of the person, without these, by name."""
        found = {} if newest is None else newest.files
        done = {
            name: self._rewritten(md5, self._personal(name), person, folder / name)
            for name, md5 in found.items()
        }
        return {name: made for name, made in done.items() if made is not None}

    def _batches(
        self,
        batches: Sequence[DataBatch],
        files: Mapping[str, Rewritten],
        person: str,
        folder: Path,
    ) -> tuple[list[Change], int]:
        """Changes of the batches that told of the person, and how many rows quarantines lost."""
        stand_in = f"forgotten-{secrets.token_hex(4)}"  # random: it must not tell who it stood for
        changes, quarantined = [], 0
        for batch in batches:
            aside = self._aside(batch, person, folder / "quarantine.parquet")
            quarantined += aside.gone if aside is not None else 0
            sketches = self._sketches(batch, person, stand_in, folder / "profile.json")
            now = after(batch, rows=files.get(batch.file), quarantine=aside, sketches=sketches)
            now = without(now, person, stand_in)
            if now != batch:
                changes.append(Change(value=now, replacing=batch))
        return changes, quarantined

    def _aside(self, batch: DataBatch, person: str, path: Path) -> Rewritten | None:
        if not batch.quarantine:
            return None
        try:
            return self._rewritten(batch.quarantine, self._personal(batch.file), person, path)
        except (NotFound, ArtifactCorrupt):  # nothing of it can be read: nobody is named by it
            return None

    def _sketches(self, batch: DataBatch, person: str, stand_in: str, path: Path) -> str:
        """The batch's profile, in which the person may be among the most frequent."""
        if not batch.sketches:
            return ""
        try:
            profile = self.datasets.path(batch.sketches).read_bytes()
        except (NotFound, ArtifactCorrupt):  # nothing of it can be read: nobody is named by it
            return batch.sketches
        if person.encode() not in profile:
            return batch.sketches
        path.write_bytes(profile.replace(person.encode(), stand_in.encode()))
        return self.datasets.keep(path)

    def _rewritten(
        self, md5: str, personal: Sequence[str], person: str, path: Path
    ) -> Rewritten | None:
        """A file without the person's rows, kept; None where it has none of them."""
        theirs = Theirs.in_file(self.datasets.path(md5), personal, person) if personal else None
        if theirs is None:
            return None
        digest = canonical.write(theirs.all_others(), theirs.schema, path)
        kept, left = self.datasets.keep(path), theirs.height - theirs.gone
        return Rewritten(md5=kept, digest=digest, gone=theirs.gone, left=left)

    def _without(
        self, newest: DatasetVersion, files: Mapping[str, Rewritten], rows: int
    ) -> DatasetVersion:
        left = {**newest.files, **{name: done.md5 for name, done in files.items()}}
        return replace(
            newest,
            version=self.datasets.lay_out(self.model, left),
            files=left,
            rows=newest.rows - rows,
            created_at=self.clock.now(),
        )

    def _let_go(self, changed: Sequence[Change], began: datetime) -> None:
        """Remove quarantines and profiles that no batch of any model names now.

        What was kept since this began, somebody may be about to name.
        """
        old = [change.replacing for change in changed if isinstance(change.replacing, DataBatch)]
        named = set(chain.from_iterable(map(_aside_files, self.records.find(DataBatch))))
        gone = set(chain.from_iterable(map(_aside_files, old))) - named
        self.datasets.remove(gone, kept_before=began)

    def _entry(self, person: str, said: str, before: str = "", after: str = "") -> Entry:
        return Entry(
            at=self.clock.now(),
            actor=self.actor,
            action=ERASE,
            subject=f"{self.model}/{person}",
            model=self.model,
            before=before,
            after=after,
            reason=said,
        )

    def _personal(self, file: str) -> tuple[str, ...]:
        """The personal columns of the table that a file of the dataset holds."""
        if file == PACKAGE:
            return ()
        table = table_of(file)
        return next((schema.personal for schema in self.schemas if schema.name == table), ())

    def _holds(self, person: str, name: str, md5: str) -> bool:
        personal = self._personal(name)
        try:
            return bool(personal) and (
                Theirs.in_file(self.datasets.path(md5), personal, person) is not None
            )
        except (NotFound, ArtifactCorrupt):
            return False


def _aside_files(batch: DataBatch) -> set[str]:
    """Hashes of the files beside the rows."""
    return {batch.quarantine, batch.sketches} - {""}
