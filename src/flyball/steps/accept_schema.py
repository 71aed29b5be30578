"""A declared schema that breaks with the recorded one, taken on purpose.

The next dataset version has the same rows and the new schema. Refused where rows that are stored
already cannot be told by it: as another type, with names of people that are no pseudonyms, or in a
table that there is no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flyball.domain.data import PACKAGE, DatasetVersion
from flyball.domain.ledger import Entry
from flyball.domain.schema import Schema
from flyball.domain.schema_change import Change
from flyball.domain.table_schema import package_bytes, to_package
from flyball.errors import NotFound, SchemaChanged, StaleWrite
from flyball.ports import Clock, Datasets, Records
from flyball.steps.shelf import Shelf
from flyball.steps.workplace import workplace

_ATTEMPTS = 20


def accept_schema(
    model: str,
    old: Sequence[Schema],
    new: Sequence[Schema],
    changes: Sequence[Change],
    *,
    datasets: Datasets,
    records: Records,
    clock: Clock,
    actor: str,
    scratch: Path,
) -> DatasetVersion:
    """Record ``new`` with the dataset, whatever it changes; returns the newest version.

    Repeated, it changes nothing more.

    Raises:
        NotFound: there is no dataset yet.
        SchemaChanged: stored rows cannot be told by the new schema; says which columns or tables.
        StaleWrite: others changed the dataset again and again in the meantime.
        StorageUnavailable: the disk refused it; the dataset is as it was.
    """
    shelf = Shelf(model=model, datasets=datasets, records=records, actor=actor)
    failed = f"the schema of {model} could not be recorded"
    with workplace(scratch, prefix="schema-", failed=failed) as folder:
        content = folder / PACKAGE
        content.write_bytes(package_bytes(to_package(new)))
        package = datasets.keep(content)
    for _ in range(_ATTEMPTS):
        start, newest = shelf.ends()
        if newest is None:
            raise NotFound(f"{model} has no data yet, so any schema may be declared")
        if newest.files.get(PACKAGE) == package:
            return shelf.shown()
        _check_stored(model, old, new, newest)
        files = {**newest.files, PACKAGE: package}
        version = DatasetVersion(
            model=model,
            version=datasets.lay_out(model, files),
            batches=newest.batches,
            files=files,
            rows=newest.rows,
            created_at=clock.now(),
        )
        try:
            shelf.record(version, start, [], _entry(newest, version, changes, actor))
        except StaleWrite:
            continue  # somebody else was first: look again
        return shelf.shown()
    raise StaleWrite(
        f"the schema of {model} was not recorded: others changed the dataset {_ATTEMPTS} times in "
        "the meantime; run the same command again"
    )


def _check_stored(
    model: str, old: Sequence[Schema], new: Sequence[Schema], stored: DatasetVersion
) -> None:
    """Refuse what no record can make true: rows on disk are as they are."""
    declared = {schema.name: schema for schema in new}
    reasons = []
    for before in old:
        if before.name not in stored.tables():
            continue
        after = declared.get(before.name)
        if after is None:
            reasons.append(f"the table {before.name} has stored rows, and is not declared any more")
            continue
        now = {column.name: column for column in after.columns}
        for column in before.columns:
            other = now.get(column.name)
            if other is None:
                continue
            where = f"{before.name}.{column.name}"
            if other.type is not column.type:
                reasons.append(f"{where} is stored as {column.type}, not {other.type}")
            if other.privacy is not column.privacy:
                kept = "as pseudonyms" if column.privacy == "personal" else "as it came"
                reasons.append(f"{where} is stored {kept}, and would be {other.privacy}")
    if reasons:
        raise SchemaChanged(
            f"the rows of {model} cannot be told by the declared schema: {'; '.join(reasons)}. "
            "Leave the table in the schema and give a changed column another name, or begin a new "
            "model and ingest anew"
        )


def _entry(
    before: DatasetVersion, after: DatasetVersion, changes: Sequence[Change], actor: str
) -> Entry:
    count = len(changes)
    breaking = sum(change.breaking for change in changes)
    return Entry(
        at=after.created_at,
        actor=actor,
        action="schema",
        subject=after.id,
        model=after.model,
        before=before.version,
        after=after.version,
        reason=f"the declared schema was taken: {count} change{'s' * (count != 1)}, "
        f"{breaking} breaking",
    )
