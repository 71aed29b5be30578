"""What is different between two versions of a dataset: rows, people, items, distributions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from flyball.domain.data import PACKAGE, DataBatch, DatasetVersion
from flyball.domain.schema import Schema
from flyball.domain.schema_change import Change, compared_all
from flyball.domain.table_schema import package_from
from flyball.errors import ArtifactCorrupt, NotFound
from flyball.ports import Clock, Datasets, Records
from flyball.stats.profile import Profile
from flyball.steps.hash_bags import Apart
from flyball.steps.moved import Movement, Profiled, movements
from flyball.steps.row_difference import FileSets, compared

_AT_ONCE = 2


class Identity(StrEnum):
    """What the values of a column are names of."""

    PERSON = "person"  # the column is personal
    REFERENCE = "reference"  # they are found in another table


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueDifference:
    """Distinct values of one column that only one version has.

    Attributes:
        column: its name.
        identity: what its values name.
        added, removed: how many only the later, or only the earlier version has.
    """

    column: str
    identity: Identity
    added: int
    removed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDifference:
    """One table of both versions.

    Attributes:
        table: its name.
        rows: how many only one version has; repeated rows count as often as they occur.
        values: of its columns that name people or items.
        moved: its columns by how far their distribution moved, the farthest first.
        files_common, files_compared: how many files are in both, and how many were read.
        unprofiled: batches whose profile is lost: they do not count in ``moved``.
    """

    table: str
    rows: Apart
    values: tuple[ValueDifference, ...]
    moved: tuple[Movement, ...]
    files_common: int
    files_compared: int
    unprofiled: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two versions of a model's dataset.

    Attributes:
        model: whose.
        before, after: their DVC hashes.
        rows_before, rows_after: rows in all.
        batches_added, batches_removed: ids of batches that only one has.
        tables: those that either has.
        schema: what changed in the schemas.
    """

    model: str
    before: str
    after: str
    rows_before: int
    rows_after: int
    batches_added: tuple[str, ...]
    batches_removed: tuple[str, ...]
    tables: tuple[TableDifference, ...]
    schema: tuple[Change, ...]


def difference(
    before: DatasetVersion,
    after: DatasetVersion,
    *,
    records: Records,
    datasets: Datasets,
    clock: Clock,
    false_alarms: float,
    scratch: Path,
) -> Difference:
    """Compare two versions. Files that both have are equal; only the others are compared.

    Args:
        false_alarms: see ``movements``.
        scratch: a folder for hashes meanwhile.

    Raises:
        NotFound, ArtifactCorrupt: a file that must be read is not here, or not sound.
    """
    old, new = (_schemas(datasets, version) for version in (before, after))
    tables = []
    for table in dict.fromkeys((*before.tables(), *after.tables())):
        schema = new.get(table) or old.get(table) or Schema(columns=(), name=table)
        older, newer = (Counter(v.tables().get(table, [])) for v in (before, after))
        files = _files(datasets, older, newer)
        found = compared(files, values=list(_identities(schema)), scratch=scratch)
        profiled, lost = _profiled(records, datasets, table, before, after)
        moved = movements(profiled, schema, false_alarms=false_alarms, now=clock.now())
        tables.append(
            TableDifference(
                table=table,
                rows=found.rows,
                values=tuple(
                    ValueDifference(
                        column=column, identity=what, added=apart.added, removed=apart.removed
                    )
                    for column, what in _identities(schema).items()
                    if (apart := found.values.get(column)) is not None
                ),
                moved=moved,
                files_common=(older & newer).total(),
                files_compared=len(files.removed) + len(files.added),
                unprofiled=lost,
            )
        )
    return Difference(
        model=after.model,
        before=before.version,
        after=after.version,
        rows_before=before.rows,
        rows_after=after.rows,
        batches_added=tuple(b for b in after.batches if b not in before.batches),
        batches_removed=tuple(b for b in before.batches if b not in after.batches),
        tables=tuple(tables),
        schema=compared_all(tuple(old.values()), tuple(new.values())) if old and new else (),
    )


def _schemas(datasets: Datasets, version: DatasetVersion) -> Mapping[str, Schema]:
    """The schemas that a version was stored under, by table."""
    md5 = version.files.get(PACKAGE)
    if md5 is None:
        return {}
    content = datasets.path(md5).read_bytes()
    found = package_from(content, source=f"{PACKAGE} of the dataset version {version.version}")
    return {schema.name: schema for schema in found}


def _identities(schema: Schema) -> dict[str, Identity]:
    """The columns that name people or items."""
    people = dict.fromkeys(schema.personal, Identity.PERSON)
    items = {c.name: Identity.REFERENCE for c in schema.columns if c.references is not None}
    return people | {name: what for name, what in items.items() if name not in people}


def _files(datasets: Datasets, before: Counter[str], after: Counter[str]) -> FileSets:
    """A table's files, verified as far as they must be read; equal hash, equal file."""
    removed, added = before - after, after - before
    common = before & after if removed or added else Counter[str]()
    sets = [list(md5s.elements()) for md5s in (removed, added, common)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        paths = pool.map(datasets.path, [md5 for md5s in sets for md5 in md5s])
        found = [[next(paths) for _ in md5s] for md5s in sets]
    return FileSets(removed=found[0], added=found[1], common=found[2])


def _profiled(
    records: Records,
    datasets: Datasets,
    table: str,
    before: DatasetVersion,
    after: DatasetVersion,
) -> tuple[Profiled, int]:
    """The profiles of a table's batches, and how many of them are lost."""
    batches = {
        batch.batch_id: batch
        for batch in records.find(DataBatch, model=after.model)
        if batch.table == table
    }
    known: dict[str, Profile] = {}
    wanted = [b for b in dict.fromkeys((*before.batches, *after.batches)) if b in batches]
    for batch_id in wanted:
        with suppress(NotFound, ArtifactCorrupt):
            content = datasets.path(batches[batch_id].sketches).read_bytes()
            known[batch_id] = Profile.from_json(content)
    old, new = (
        {batch_id: known[batch_id] for batch_id in version.batches if batch_id in known}
        for version in (before, after)
    )
    return Profiled(before=old, after=new), len(wanted) - len(known)
