"""What a batch or a dataset looks like: ``flyball data profile``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flyball.data.part import Part
from flyball.domain.data import DataBatch, DatasetVersion
from flyball.domain.nearest import did_you_mean
from flyball.domain.schema import Schema
from flyball.domain.text import many
from flyball.errors import NotFound
from flyball.stats.profile import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiled:
    """The shape of some rows of one table.

    Attributes:
        model: whose data it is.
        table: which of its tables.
        version: the dataset version, where it was asked for; else None.
        batches: the batches whose rows these are, in order of arrival.
        unprofiled: ids of batches without a profile, of an earlier version of Flyball.
        rows: in the batch or dataset version. Fewer than ``profile.rows`` where persons were
            forgotten since (told only where the model has one table).
        profile: of all batches together.
        schema: the table's.
    """

    model: str
    table: str
    version: str | None
    batches: tuple[DataBatch, ...]
    unprofiled: tuple[str, ...]
    rows: int
    profile: Profile
    schema: Schema | None

    @property
    def subject(self) -> str:
        """What it is of, in words."""
        if self.version is not None:
            return f"dataset version {self.version}, {many(len(self.batches), 'batch')}"
        batch = self.batches[0]
        return f"batch {batch.batch_id} from {batch.source}, {batch.ingested_at:%Y-%m-%d %H:%M} UTC"

    def in_short(self) -> dict[str, Any]:
        """JSON types: the summary of the profile, with measures and findings by batch."""
        from flyball.steps.profile import summary

        return {
            "model": self.model,
            "table": self.table,
            "version": self.version,
            "batches": [batch.batch_id for batch in self.batches],
            "unprofiled": list(self.unprofiled),
            "read": self.profile.read,
            "rejected": self.profile.rejected,
            "duplicates": self.profile.duplicates,
            "forgotten": self.profile.forgotten,
            "unresolved": dict(self.profile.unresolved),
            **summary(self.profile),
            "rows": self.rows,
            "measured": {batch.batch_id: batch.measured for batch in self.batches},
            "findings": {batch.batch_id: batch.findings for batch in self.batches},
        }


class Profiles(Part):
    """Looks at the profiles that were made when batches came in."""

    def profile(
        self, model: str, which: str | None = None, *, table: str | None = None
    ) -> Profiled:
        """The shape of a batch, or of a table of a dataset version.

        Args:
            which: a batch id, or a dataset version or the beginning of it; default the newest
                version.
            table: of a dataset version; default the first that the model has.

        Raises:
            NotFound: no such batch, version or table; or a profile is nowhere to be found.
            ArtifactCorrupt: a profile is damaged.
        """
        known = self.platform.records.find(DataBatch, model=self._known(model))
        one = [batch for batch in known if batch.batch_id == which]
        if one:
            return self._profiled(model, one[0].table, one, one[0].rows, None)
        try:
            version = self._version(model, which)
        except NotFound as error:
            raise self._neither(error, which, known) from None
        name = self._table(model, version, table)
        those = [b for b in known if b.batch_id in version.batches and b.table == name]
        only = len(version.tables()) < 2
        rows = version.rows if only else sum(batch.rows for batch in those)
        return self._profiled(model, name, those, rows, version.version)

    def page(self, found: Profiled) -> str:
        """A profile as an HTML page that stands alone."""
        from flyball.steps.profile_page import Subject, page

        subject = Subject(
            title=f"{found.model}: {found.table}",
            subtitle=found.subject,
            batches=found.batches,
            unprofiled=found.unprofiled,
        )
        return page(subject, found.profile, found.schema)

    def _profiled(
        self, model: str, table: str, batches: Sequence[DataBatch], rows: int, version: str | None
    ) -> Profiled:
        with_one = [batch for batch in batches if batch.sketches]
        if batches and not with_one:
            raise NotFound(
                f"no batch of {table!r} in {model} has a profile: an earlier version of Flyball "
                "ingested them; ingest them again to have one"
            )
        profiles = [self._read(batch) for batch in with_one]
        schemas = {schema.name: schema for schema in self.platform.schemas(model)}
        return Profiled(
            model=model,
            table=table,
            version=version,
            batches=tuple(batches),
            unprofiled=tuple(b.batch_id for b in batches if not b.sketches),
            rows=rows,
            profile=Profile.merged(profiles),
            schema=schemas.get(table),
        )

    def _read(self, batch: DataBatch) -> Profile:
        return Profile.from_json(self.platform.datasets.path(batch.sketches).read_bytes())

    def _table(self, model: str, version: DatasetVersion, table: str | None) -> str:
        there = list(version.tables())
        declared = [schema.name for schema in self.platform.schemas(model)]
        if table is None:
            return next((name for name in declared if name in there), (there or declared)[0])
        if table not in there:
            raise NotFound(
                f"dataset version {version.version} of {model} has no table {table!r}"
                f"{did_you_mean(table, there)}; it has {', '.join(there) or 'no rows'}"
            )
        return table

    def _neither(self, error: NotFound, which: str | None, known: Sequence[DataBatch]) -> NotFound:
        if which is None:
            return error
        ids = [batch.batch_id for batch in known]
        return NotFound(f"{error}. Nor is there a batch of this name{did_you_mean(which, ids)}")
