"""Schemas: proposed for a new dataset, compared with the recorded ones, taken on purpose."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from flyball.data.part import Part
from flyball.domain.data import DatasetVersion
from flyball.domain.package_rules import check_table_name
from flyball.domain.schema import Schema
from flyball.domain.schema_change import Change
from flyball.domain.table_schema import to_package
from flyball.errors import InvalidRequest

if TYPE_CHECKING:
    from flyball.steps.infer import Inferred

_REMOTE = "://"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaStatus:
    """The schemas of a model's data.

    Attributes:
        model: whose.
        declared: by its application, or by the reviewed file.
        recorded: with the newest dataset version; None where there is none yet.
        changes: what the declared ones change in the recorded ones.
        dataset: that version; None where there is none yet.
    """

    model: str
    declared: tuple[Schema, ...]
    recorded: tuple[Schema, ...] | None
    changes: tuple[Change, ...]
    dataset: DatasetVersion | None

    @property
    def breaking(self) -> bool:
        """Whether the next ingest would be refused."""
        return any(change.breaking for change in self.changes)


class Schemas(Part):
    """Verbs about schemas."""

    def infer(
        self,
        sources: Sequence[str],
        *,
        table: str = "rows",
        query: str | None = None,
        out: Path | None = None,
        stdin: BinaryIO | None = None,
    ) -> Inferred:
        """Propose a schema for sources of one kind, from all their rows.

        Args:
            sources: as ``ingest`` takes them.
            table: what to call the table; lower-case letters, digits and "_".
            query: the SELECT statement, where the one source is a database.
            out: where to write it as a data package with notes for review.

        Raises:
            InvalidRequest: no source, or a name that no table may have.
            DataQualityError: a source cannot be read, has no rows, or other columns than the first.
            StorageUnavailable: ``out`` cannot be written.
        """
        from flyball.steps.undeclared import infer

        if not sources:
            raise InvalidRequest("there is nothing to look at: give a source")
        check_table_name(table)
        with self._here(sources, query, stdin) as locations:
            found = infer(locations, table=table, sources=self.platform.sources)
        if out is not None:
            from flyball.steps.schema_file import write_package

            review = {table: found.notes}
            write_package(to_package([found.schema], review=review), out)
        return found

    def schema(self, model: str) -> SchemaStatus:
        """The declared schemas of a model against those of its newest dataset version.

        Raises:
            NotFound: no such model.
            ConfigurationError: the reviewed schema file is wrong.
        """
        from flyball.domain.schema_change import compared_all
        from flyball.steps.declared import recorded
        from flyball.steps.newest import ends

        declared = self.platform.schemas(self._known(model))
        old = recorded(self.platform.records, self.platform.datasets, model)
        _, stored = ends(self.platform.records, model)
        return SchemaStatus(
            model=model,
            declared=declared,
            recorded=old or None,
            changes=compared_all(old, declared) if old else (),
            dataset=stored,
        )

    def accept_schema(self, model: str) -> SchemaStatus:
        """Record the declared schemas with the dataset, whatever they change.

        Raises:
            NotFound: no such model, or it has no data yet.
            SchemaChanged: stored rows cannot be told by them.
            StaleWrite: others changed the dataset again and again in the meantime.
        """
        from flyball.steps.accept_schema import accept_schema

        found = self.schema(model)
        accept_schema(
            model,
            found.recorded or (),
            found.declared,
            found.changes,
            datasets=self.platform.datasets,
            records=self.platform.records,
            clock=self.platform.clock,
            actor=self.actor,
            scratch=self.platform.scratch(),
        )
        return self.schema(model)

    @contextmanager
    def _here(
        self, sources: Sequence[str], query: str | None, stdin: BinaryIO | None
    ) -> Iterator[list[str]]:
        """The sources as local files: each is opened several times, and fetched once."""
        from flyball.data.locations import Locations
        from flyball.storage.fetching.fetcher import Fetcher

        where = Locations(self.platform, self.actor)
        with tempfile.TemporaryDirectory(prefix="infer-", dir=self.platform.scratch()) as folder:
            # no model: only its own events would need one
            located = where.of("", sources, query=query, stdin=stdin, incoming=Path(folder))
            found: list[str] = []
            for number, source in enumerate(located):
                if _REMOTE not in source:
                    found.append(source)
                    continue
                into = Path(folder) / str(number)
                into.mkdir()
                found += [str(each.path) for each in Fetcher().fetch(source, into)]
            yield found
