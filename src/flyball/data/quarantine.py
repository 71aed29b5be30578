"""The quarantine: rows that were left out of batches, and how they come back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.answers import Ingested
from flyball.data.part import Part
from flyball.domain.data import DataBatch
from flyball.domain.schema import Schema
from flyball.errors import InvalidRequest, NotFound, StorageUnavailable
from flyball.steps.origin import INCOMING
from flyball.storage.files import made

if TYPE_CHECKING:
    from flyball.steps.quarantine import SetAside
    from flyball.steps.repair import Planned


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """The quarantine of one batch.

    Attributes:
        batch: the batch's id.
        when: it was ingested, UTC.
        source: where it came from.
        rows: how many rows were left out.
        rules: how many of them break each rule; a row may break several.
        repaired_by: ids of batches that were made from it.
    """

    batch: str
    when: datetime
    source: str
    rows: int
    rules: Mapping[str, int]
    repaired_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Rows of a quarantine, and what to do about them.

    Attributes:
        batch: the batch's id.
        rules: how many rows break each rule.
        advice: by rule, in words.
        rows: the first of them.
    """

    batch: str
    rules: Mapping[str, int]
    advice: Mapping[str, str]
    rows: tuple[SetAside, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A quarantine in a file. ``left_out`` rows need no repair (repeated, forgotten)."""

    batch: str
    file: Path
    rows: int
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """A repair. ``planned`` is None for a file repaired by hand, ``ingested`` for a dry run."""

    batch: str
    fixes: str
    planned: Planned | None
    ingested: Ingested | None


class Quarantine(Part):
    """Rows that were left out: listed, explained, exported, repaired."""

    ingest: Callable[..., list[Ingested]]

    def quarantines(self, model: str) -> list[Quarantined]:
        """The batches with rows in quarantine, the first ingested first."""
        from flyball.steps.quarantine import counted

        batches = self.platform.records.find(DataBatch, model=self._known(model))
        made: dict[str, list[str]] = {}
        for batch in batches:
            made.setdefault(batch.repaired_from, []).append(batch.batch_id)
        return [
            Quarantined(
                batch=batch.batch_id,
                when=batch.ingested_at,
                source=batch.source,
                rows=batch.quarantined,
                rules=counted(self.platform.datasets.path(batch.quarantine)),
                repaired_by=tuple(made.get(batch.batch_id, ())),
            )
            for batch in batches
            if batch.quarantine
        ]

    def explain_quarantine(
        self, model: str, batch_id: str, *, rule: str | None = None, limit: int = 20
    ) -> Explained:
        """Rows of a batch's quarantine, with their reasons, and what to do.

        Args:
            rule: only rows that break it.
            limit: how many rows at most.

        Raises:
            NotFound: no such batch, nothing in its quarantine, or no row that breaks the rule.
        """
        from flyball.steps import quarantine

        batch, path = self._quarantine(model, batch_id)
        rules = quarantine.counted(path)
        if rule is not None and rule not in rules:
            raise NotFound(f"no row of {batch.id} breaks {rule!r}; there are: {', '.join(rules)}")
        schema = self._schema(batch)
        return Explained(
            batch=batch.batch_id,
            rules=rules,
            advice={
                name: quarantine.advice(name, schema) for name in rules if rule in (None, name)
            },
            rows=tuple(quarantine.rows(path, rule=rule, limit=limit)),
        )

    def export_quarantine(self, model: str, batch_id: str, file: Path) -> Exported:
        """Write the rows that may be repaired to a new file, ``.csv`` or ``.parquet``.

        Raises:
            NotFound: no such batch, or no row in its quarantine that may be repaired.
            InvalidRequest: the file is there already, or is to be of another kind.
            StorageUnavailable: it cannot be written.
        """
        from flyball.steps import quarantine

        batch, path = self._quarantine(model, batch_id)
        if file.suffix not in (".csv", ".parquet"):
            raise InvalidRequest(f"{file} must end in .csv or .parquet")
        if file.exists():
            raise InvalidRequest(f"{file} is there already; choose another name")
        rows, left_out = quarantine.repairable(path)
        if not rows:
            raise NotFound(
                f"nothing in the quarantine of {batch.id} can be repaired: all its rows "
                f"({left_out:,}) repeat others, or belong to people who were forgotten"
            )
        try:
            quarantine.export(path, file)
        except OSError as error:
            raise StorageUnavailable(
                f"{file} cannot be written: {error.strerror or error}; choose another place"
            ) from error
        return Exported(batch=batch.batch_id, file=file, rows=rows, left_out=left_out)

    def repair(
        self, model: str, batch_id: str, fixes: Mapping[str, str], *, dry_run: bool = False
    ) -> Repaired:
        """Repair rows by rule, and ingest them as a batch of their own.

        A row is repaired once each rule that it breaks has a fix; the others stay. Rows of earlier
        repairs are passed over, so that a repetition adds nothing.

        Args:
            fixes: by rule ``null``, ``clip`` or ``=VALUE``.
            dry_run: only say what would be done.

        Raises:
            NotFound: no such batch, or nothing in its quarantine.
            InvalidRequest: a fix that cannot help.
            DataQualityError: too many of the rows still break a rule; none came in.
        """
        from flyball.steps import repair

        batch, path = self._quarantine(model, batch_id)
        chosen = repair.fixes_of(fixes, self._schema(batch))
        batches = self.platform.records.find(DataBatch, model=model)
        work = repair.Repair(path, chosen, repair.repaired_before(batch_id, batches))
        planned, label = work.planned(), repair.said(chosen)
        done = None
        if planned.rows and not dry_run:
            rows = work.write(self._incoming(), batch, by=self.platform.scratch())
            done = self._ingested(batch, label, rows)
        return Repaired(batch=batch_id, fixes=label, planned=planned, ingested=done)

    def repair_by_hand(self, model: str, batch_id: str, file: Path) -> Repaired:
        """Ingest rows of a batch's quarantine that were exported and corrected in a file.

        Rows whose ``reasons`` say that they repeat others, or are of somebody forgotten, are left
        out.

        Raises: as ``ingest``; NotFound: no such batch, or nothing in its quarantine.
        """
        from flyball.steps.repair import BY_HAND

        batch, _ = self._quarantine(model, batch_id)
        if not file.is_file():
            raise NotFound(f"no file {file}")
        done = self._ingested(batch, BY_HAND, file.resolve())
        return Repaired(batch=batch_id, fixes=BY_HAND, planned=None, ingested=done)

    def _ingested(self, batch: DataBatch, fixes: str, file: Path) -> Ingested:
        """A file of repaired rows as a batch; one in ``INCOMING`` goes once that is settled."""
        from flyball.steps.origin import repaired

        location = repaired(batch.batch_id, fixes, str(file))
        [done] = self.ingest(batch.model, [location], accept_anomalies=True)
        return done

    def _quarantine(self, model: str, batch_id: str) -> tuple[DataBatch, Path]:
        batch = self._batch(model, batch_id)
        if not batch.quarantine:
            raise NotFound(f"nothing is in the quarantine of {batch.id}: all its rows were taken")
        return batch, self.platform.datasets.path(batch.quarantine)

    def _schema(self, batch: DataBatch) -> Schema:
        schemas = self.platform.schemas(batch.model)
        return next((s for s in schemas if s.name == batch.table), schemas[0])

    def _incoming(self) -> Path:
        return made(self.platform.home / INCOMING)
