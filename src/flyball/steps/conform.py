"""Rows against the rules of a schema: which stay, and which go to the quarantine. No effects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from flyball.domain.schema import Column, ColumnType, Privacy, Schema
from flyball.ports import DETAIL, LINE, RAW, REASON

REASONS = "__reasons"
_FEW = 8

FORMULA = r"^\s*(=[\w(\"'+\-@]|[+\-@]\S*[(|])"
"""What a spreadsheet would carry out: ``=1+1``, ``@SUM(A1)``, ``+cmd|' /C calc'!A0``; but neither
``-KLAUS-`` nor ``=)``. See OWASP, "CSV Injection"."""


def conform(frame: pl.DataFrame, schema: Schema) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Apply a schema's rules to rows that were read with it.

    Args:
        frame: shape (n, columns), typed, with ``LINE``.

    Returns:
        the rows that keep every rule, in their order; and the others as ``quarantined`` lays them
        out, with every rule that each breaks, in the schema's order.
    """
    rules = list(_rules(schema, frame.columns))
    if not rules:
        return frame, quarantined(frame.clear(), [], "")
    broken = frame.select(expression.alias(name) for name, expression in rules)
    bad = broken.select(pl.any_horizontal(pl.all())).to_series()
    if not bad.any():
        return frame, quarantined(frame.clear(), [], "")
    names = [pl.when(pl.col(name)).then(pl.lit(name)) for name, _ in rules]
    reasons = broken.filter(bad).select(pl.concat_list(names).list.drop_nulls()).to_series()
    return frame.filter(~bad), quarantined(frame.filter(bad), reasons, "")


def quarantined(
    rows: pl.DataFrame, reasons: pl.Series | Sequence[list[str]], detail: str
) -> pl.DataFrame:
    """Typed rows in the layout of the quarantine.

    Args:
        rows: shape (n, columns), with ``LINE``.
        reasons: shape (n,), the rules that each row breaks.
        detail: said of each.

    Returns:
        ``LINE``, ``REASONS`` (list of text), ``DETAIL``, ``RAW``, then the columns as text.
    """
    cells = [_as_text(rows[name]) for name in rows.columns if name != LINE]
    return rows.select(
        pl.col(LINE),
        pl.Series(REASONS, reasons, dtype=pl.List(pl.String)),
        pl.lit(detail).alias(DETAIL),
        pl.lit(None, dtype=pl.String).alias(RAW),
        *cells,
    )


def unread(rejected: pl.DataFrame) -> pl.DataFrame:
    """Rows that a reader rejected (``ports.Chunk.rejected``) in the layout of the quarantine."""
    return rejected.select(
        pl.col(LINE),
        pl.concat_list(REASON).alias(REASONS),
        pl.col(DETAIL),
        pl.col(RAW),
        pl.exclude(LINE, REASON, DETAIL, RAW),
    )


def examples(rows: pl.DataFrame, limit: int) -> list[str]:
    """The first rows of a quarantine in words: where, and what stood there."""
    words = []
    for row in rows.head(limit).iter_rows(named=True):
        cells = ", ".join(
            f"{name} {'missing' if row[name] is None else repr(row[name][:40])}"
            for name in rows.columns
            if name not in (LINE, REASONS, DETAIL, RAW)
        )
        words.append(f"line {row[LINE]}: {row[DETAIL] or cells}")
    return words


def _as_text(series: pl.Series) -> pl.Series:
    if series.dtype == pl.List(pl.String):
        return series.list.join("; ")
    if series.dtype.is_temporal():
        return series.dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")
    return series.cast(pl.String)


def _rules(schema: Schema, present: Sequence[str]) -> Iterator[tuple[str, pl.Expr]]:
    """Each rule's name, and where a row breaks it (never null)."""
    for column in schema.columns:
        if column.name in present:
            yield from _rules_of(column)
    for group in schema.one_of:
        there = [name for name in group if name in present]
        if there:
            yield f"one_of:{','.join(group)}", pl.all_horizontal(pl.col(there).is_null())


def _rules_of(column: Column) -> Iterator[tuple[str, pl.Expr]]:
    cell = pl.col(column.name)
    if not column.nullable:
        yield f"not_null:{column.name}", cell.is_null()
    if column.minimum is not None:
        yield f"minimum:{column.name}", (cell < column.minimum).fill_null(False)
    if column.maximum is not None:
        yield f"maximum:{column.name}", (cell > column.maximum).fill_null(False)
    if column.allowed is not None:
        yield f"allowed:{column.name}", ~_one_of(cell, column.allowed).fill_null(True)
    elif column.type is ColumnType.STRING and column.privacy is not Privacy.PERSONAL:
        # a comparison is far quicker than a search, and few cells begin below a letter
        odd = pl.when(cell < "A").then(cell)
        yield f"formula:{column.name}", odd.str.contains(FORMULA).fill_null(False)


def _one_of(cell: pl.Expr, allowed: Sequence[str]) -> pl.Expr:
    """Where a cell has one of the values; a few are compared quicker than looked up."""
    if len(allowed) > _FEW:
        return cell.is_in(list(allowed))
    return pl.any_horizontal(cell == value for value in allowed)
