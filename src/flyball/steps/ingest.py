"""Ingest: a source becomes an immutable batch of a model's dataset.

The source is read once, as a stream: rows that break a rule are set aside, the others wait on disk
until repeated ones are known. Then they are written as canonical Parquet while their profile is
made, the profile is judged against those of earlier batches, and all of it goes to the shelf.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from flyball.domain.data import FORGOTTEN, DataBatch, Forgotten, Measured, Severity
from flyball.domain.privacy import PSEUDONYM, Pseudonyms
from flyball.domain.schema import Schema
from flyball.errors import DataQualityError, InvalidRequest
from flyball.ports import Clock, Datasets, Records, Sources
from flyball.settings import Gates
from flyball.stats.profile import Profile
from flyball.steps.ahead import ahead
from flyball.steps.anomalies import judged
from flyball.steps.by_hand import opened, passed_over
from flyball.steps.declared import agree, package
from flyball.steps.erase import Eraser
from flyball.steps.history import profiles_before
from flyball.steps.intake import Intake
from flyball.steps.origin import Origin
from flyball.steps.profile import Profiler, summary
from flyball.steps.pseudonymise import Pseudonymiser
from flyball.steps.referenced import checked
from flyball.steps.shelf import Contents, Ingested, Shelf
from flyball.steps.sieve import Sieve
from flyball.steps.workplace import workplace

_BATCH_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """What every ingest into one model's dataset needs.

    Attributes:
        model: whose dataset.
        schemas: the tables it may have.
        limits: the share of rows that may be left out, and of clean batches called abnormal.
        pseudonyms: what personal values become.
        actor: who does it, for the ledger.
        scratch: a folder for temporary files, on the home's disk.
    """

    model: str
    schemas: Sequence[Schema]
    limits: Gates
    pseudonyms: Pseudonyms
    sources: Sources
    datasets: Datasets
    records: Records
    clock: Clock
    actor: str
    scratch: Path

    def __call__(
        self, location: str, *, batch_id: str | None = None, accept: bool = False
    ) -> Ingested:
        """Read a source, judge it, and add it to the model's dataset as one immutable batch.

        Every effect is idempotent, so a crash between any two and a repetition end like an
        undisturbed run; ``Shelf`` says in which order they come, and what two ingests at once do.

        Args:
            location: as ``Sources.open`` takes it, or an ``Origin``.
            batch_id: the caller's name for the batch; default the first 12 digits of its digest.
            accept: take the batch although it is severely abnormal.

        Raises:
            DataQualityError: the source cannot be used, too many of its rows, or it is severely
                abnormal; nothing was stored.
            SchemaChanged: the declared schema breaks with the one of the data there is.
            BatchConflict: the batch id names other content; nothing was stored.
            InvalidRequest: the batch id cannot be one.
            StorageUnavailable: no space or no permission; the dataset is as it was.
        """
        if batch_id is not None and not _BATCH_ID.fullmatch(batch_id):
            raise InvalidRequest(
                f"{batch_id!r} cannot name a batch: use letters, digits, '.', '_' and '-', "
                "at most 64"
            )
        agree(self.model, self.schemas, self.records, self.datasets)
        origin = Origin.of(location)
        failed = f"the batch for {self.model} could not be ingested"
        with workplace(self.scratch, prefix="ingest-", failed=failed) as folder:
            taken = self._taken(origin, folder)
            draft, contents = self._drafted(taken, origin, folder, batch_id or "", accept=accept)
            shelf = Shelf(
                model=self.model, datasets=self.datasets, records=self.records, actor=self.actor
            )
            return self._remembering(shelf.put(draft, contents), taken.forgotten)

    def _taken(self, origin: Origin, folder: Path) -> Intake:
        """Everything the source has, staged; raises where too little of it can be used."""
        with opened(self.sources, origin, self.schemas) as reading:
            taken = Intake(reading, origin, folder, self._forgotten())
            hidden = () if reading.pseudonymous else reading.schema.personal
            # rows that come back have pseudonyms, but a cell written by hand may be a name
            spared = PSEUDONYM if origin.pseudonymous else ""
            hide = Pseudonymiser(self.pseudonyms, hidden, spared=spared)
            sieve = Sieve(reading, hide, taken.forgotten)
            # three threads: one reads, one sorts out, this one stages
            with closing(ahead(reading)) as chunks, closing(ahead(map(sieve, chunks))) as sifted:
                for one in sifted:
                    taken.add(one)
            for rule, count in passed_over(reading).items():
                taken.tally.count(rule, count)
        # of repaired rows some may still be bad: they go back where they came from
        most = 1.0 if origin.repaired_from else self.limits.max_quarantined
        taken.judge(most)
        return taken

    def _drafted(
        self, taken: Intake, origin: Origin, folder: Path, batch_id: str, *, accept: bool
    ) -> tuple[DataBatch, Contents]:
        """The batch, judged, and the files that belong to it."""
        now, table = self.clock.now(), taken.schema.name
        rows, profiler = folder / "batch.parquet", Profiler(taken.schema)
        digest = taken.staging.write(rows, profiler.add)
        unresolved = checked(self.model, taken.schema, profiler, self.records, self.datasets)
        profile = profiler.finished(
            read=taken.staging.kept + taken.tally.left_out,
            rejected=taken.tally.bad,
            duplicates=taken.tally.of("duplicate"),
            forgotten=taken.tally.of(FORGOTTEN),
            unresolved={column: found.rows for column, found in unresolved.items()},
        )
        measured = self._measured(taken, profile, digest, now, accept=accept)
        quarantine = folder / "quarantine.parquet"
        quarantined = taken.staging.write_quarantine(quarantine)
        sketches, declared = folder / "profile.json", folder / "package.json"
        sketches.write_bytes(profile.to_json())
        declared.write_bytes(package(self.schemas))
        draft = DataBatch(
            model=self.model,
            batch_id=batch_id,
            digest=digest,
            file="",
            md5="",
            table=table,
            source=taken.source,
            rows=taken.staging.kept,
            findings=(*taken.findings(), *(found.finding for found in unresolved.values())),
            profile=summary(profile),
            measured=measured,
            quarantined=quarantined,
            repaired_from=origin.repaired_from,
            events_until=origin.events_until,
            ingested_at=now,
        )
        return draft, Contents(
            rows=rows,
            sketches=sketches,
            quarantine=quarantine if quarantined else None,
            package=declared,
        )

    def _measured(
        self, taken: Intake, profile: Profile, digest: str, now: datetime, *, accept: bool
    ) -> tuple[Measured, ...]:
        """The batch's measures; raises where one is severe and nobody accepted it."""
        batches = self.records.find(DataBatch, model=self.model)
        if taken.origin.repaired_from or any(batch.digest == digest for batch in batches):
            return ()  # a selection like no other, or there already, as the shelf will find
        table, events = taken.schema.name, bool(taken.origin.events_until)
        history = profiles_before(batches, self.datasets, table, events=events)
        measured = judged(
            profile,
            history,
            schema=taken.schema,
            false_alarms=self.limits.false_alarms,
            now=now,
            own_events=events,
        )
        severe = [m for m in measured if m.severity is Severity.SEVERE]
        if severe and not accept:
            reasons = "\n".join(f"  {m.measure}: {m.detail}" for m in severe)
            raise DataQualityError(
                f"{taken.source} was rejected: it differs from earlier batches of "
                f"{self.model} as a sound one hardly can. Look at its source; if it is right as "
                f"it is, run the same command with --accept-anomalies:\n{reasons}"
            )
        return measured

    def _remembering(self, done: Ingested, forgotten: Mapping[str, datetime]) -> Ingested:
        """Whoever asked to be forgotten while this batch came in is taken out of it, too."""
        meanwhile = self._forgotten().keys() - forgotten.keys()
        if not meanwhile:
            return done
        erase = Eraser(
            model=self.model,
            schemas=self.schemas,
            datasets=self.datasets,
            records=self.records,
            clock=self.clock,
            actor=self.actor,
            scratch=self.scratch,
        )
        for person in sorted(meanwhile):
            newest = erase(person).dataset
            done = replace(done, dataset=newest or done.dataset)
        return replace(done, batch=self.records.get(DataBatch, done.batch.id))

    def _forgotten(self) -> dict[str, datetime]:
        people = self.records.find(Forgotten, model=self.model)
        return {person.pseudonym: person.at for person in people}
