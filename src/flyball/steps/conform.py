"""Rows against the rules of a schema: which stay, and what was found. No effects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from flyball.domain.data import Finding
from flyball.domain.schema import Column, Schema
from flyball.ports import Table

DUPLICATE = "duplicate"
_EXAMPLES = 3


def conform(
    table: Table, schema: Schema, key: Sequence[str]
) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """Apply a schema's rules to a table that was read with it.

    Args:
        key: the columns whose repetition is a duplicate row, as far as the table has them.

    Returns:
        the rows that keep every rule, in their order, a repeated one once; and one finding for
        each reason that rows were left out for. A row that breaks several rules counts for the
        first one, so that the counts add up to the rows left out.
    """
    findings = [
        Finding(rule=rule, count=count, dropped=True, detail=_words(count, examples))
        for rule, (count, examples) in table.unreadable.items()
    ]
    frame = table.frame
    for rule, broken in _rules(schema, frame.columns):
        bad = frame.filter(broken)
        if bad.height:
            findings.append(_finding(rule, bad))
            frame = frame.filter(~broken)
    repeated = [name for name in key if name in frame.columns]
    if repeated and frame.height:
        first = frame.select(pl.struct(repeated).is_first_distinct()).to_series()
        if not first.all():
            findings.append(_finding(DUPLICATE, frame.filter(~first)))
            frame = frame.filter(first)
    return frame, tuple(findings)


def left_out(findings: Sequence[Finding]) -> int:
    """How many rows were left out as bad. A repeated row is not bad."""
    return sum(f.count for f in findings if f.dropped and f.rule != DUPLICATE)


def _rules(schema: Schema, present: Sequence[str]) -> Iterator[tuple[str, pl.Expr]]:
    """Each rule's name, and where a row breaks it (never null)."""
    for column in schema.columns:
        if column.name in present:
            yield from _rules_of(column)


def _rules_of(column: Column) -> Iterator[tuple[str, pl.Expr]]:
    cell = pl.col(column.name)
    if not column.nullable:
        yield f"not_null:{column.name}", cell.is_null()
    if column.minimum is not None:
        yield f"minimum:{column.name}", (cell < column.minimum).fill_null(False)
    if column.maximum is not None:
        yield f"maximum:{column.name}", (cell > column.maximum).fill_null(False)
    if column.allowed is not None:
        yield f"allowed:{column.name}", ~cell.is_in(list(column.allowed)).fill_null(True)


def _finding(rule: str, rows: pl.DataFrame) -> Finding:
    examples = [
        ", ".join(f"{name} {_cell(value)}" for name, value in row.items())
        for row in rows.head(_EXAMPLES).iter_rows(named=True)
    ]
    return Finding(rule=rule, count=rows.height, dropped=True, detail=_words(rows.height, examples))


def _cell(value: object) -> str:
    return "missing" if value is None else repr(str(value)[:40])


def _words(count: int, examples: Sequence[str]) -> str:
    return f"{count} row{'s' * (count != 1)}, for example: {'; '.join(examples)}"
