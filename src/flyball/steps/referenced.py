"""Whether the values of a batch are found where its schema says they should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from flyball.domain.data import Finding
from flyball.domain.schema import Schema
from flyball.domain.text import many
from flyball.ports import Datasets, Records
from flyball.steps.newest import ends
from flyball.steps.profile import Profiler
from flyball.steps.references import unresolved


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A column's rows whose value is not in the table it refers to."""

    rows: int
    finding: Finding


def checked(
    model: str, schema: Schema, profiler: Profiler, records: Records, datasets: Datasets
) -> dict[str, Unresolved]:
    """The unresolved references of a batch by column; only tables that have rows are asked.

    Args:
        profiler: has seen all of the batch's rows.
    """
    found = {}
    for column in schema.columns:
        if column.references is None or column.name not in profiler.columns:
            continue
        files = _files(records, model, column.references.table)
        table = _values(datasets, files, column.references.column)
        if table is None:
            continue
        rows, values, examples = unresolved(profiler.counts(column.name), column.references, table)
        where = f"{column.references.table}.{column.references.column}"
        words = f"{many(values, 'value')} that {where} does not have"
        if examples:
            words += f", for example {', '.join(repr(e[:40]) for e in examples[:3])}"
        found[column.name] = Unresolved(
            rows, Finding(rule=f"reference:{column.name}", count=rows, dropped=False, detail=words)
        )
    return found


def _files(records: Records, model: str, table: str) -> list[str]:
    _, newest = ends(records, model)
    return newest.tables().get(table, []) if newest else []


def _values(datasets: Datasets, files: Sequence[str], column: str) -> pl.Series | None:
    """The distinct values of a column in a table; None where it has no rows yet."""
    scans = [pl.scan_parquet(datasets.path(md5)) for md5 in files]
    known = [scan.select(column) for scan in scans if column in scan.collect_schema()]
    return pl.concat(known).unique().collect().to_series() if known else None
