"""The rows that were left out of a batch: how many and why, and what to do about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from flyball.domain.data import DUPLICATE, FORGOTTEN
from flyball.domain.schema import Column, Privacy, Schema

ABOUT = ("file", "line", "reasons", "detail", "raw")
"""Columns of a quarantine that tell of the row; all others are its cells, as text."""

LEFT_ALONE = frozenset({DUPLICATE, FORGOTTEN})
"""Rules whose rows are not bad, and are never repaired."""

_LEFT_ALONE_ROWS = pl.any_horizontal(
    pl.col("reasons").list.contains(rule) for rule in sorted(LEFT_ALONE)
)
_FORMULA = r"^[=+\-@\t\r]"
"""How a cell begins that a spreadsheet may carry out (OWASP, "CSV Injection")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """One row that was left out.

    Attributes:
        file: which of the source's files it stood in; empty where there was one.
        line: its line there.
        reasons: the rules that it breaks.
        detail: in words; may be empty.
        raw: the line as it stood, where it could not be divided into cells.
        cells: its cells as text, by column; people are pseudonyms.
    """

    file: str
    line: int
    reasons: tuple[str, ...]
    detail: str
    raw: str | None
    cells: Mapping[str, str | None]


def counted(quarantine: Path) -> dict[str, int]:
    """How many rows break each rule, the most frequent first. A row may break several."""
    broken = pl.scan_parquet(quarantine).select(pl.col("reasons").explode())
    counts = broken.group_by("reasons").len().sort("len", "reasons", descending=[True, False])
    return {str(rule): int(count) for rule, count in counts.collect().iter_rows()}


def rows(quarantine: Path, *, rule: str | None = None, limit: int) -> list[SetAside]:
    """The first rows by file and line, or the first that break one rule."""
    found = pl.scan_parquet(quarantine)
    if rule is not None:
        found = found.filter(pl.col("reasons").list.contains(rule))
    first = found.sort("file", "line").head(limit).collect(engine="streaming")
    return [set_aside(row) for row in first.iter_rows(named=True)]


def set_aside(row: Mapping[str, object]) -> SetAside:
    """A row of a quarantine's Parquet."""
    told = dict(row)
    file, line, reasons, detail, raw = (told.pop(name) for name in ABOUT)
    return SetAside(
        file=str(file or ""),
        line=line if isinstance(line, int) else 0,
        reasons=tuple(reasons) if isinstance(reasons, list) else (),
        detail=str(detail or ""),
        raw=None if raw is None else str(raw),
        cells={name: None if cell is None else str(cell) for name, cell in told.items()},
    )


def export(quarantine: Path, file: Path) -> None:
    """Write the rows that may be repaired by hand, as CSV, or as Parquet by the file's name.

    They stand there by file and line.

    In CSV, a cell that a spreadsheet might carry out gets a ``'`` before it; numbers stay.
    """
    bad = pl.scan_parquet(quarantine).filter(~_LEFT_ALONE_ROWS).sort("file", "line")
    if file.suffix == ".parquet":
        bad.sink_parquet(file, maintain_order=True)
        return
    told = bad.with_columns(pl.col("reasons").list.join(" "))
    told.with_columns(_harmless(pl.selectors.string())).sink_csv(file)


def repairable(quarantine: Path) -> tuple[int, int]:
    """How many rows may be repaired, and how many need no repair."""
    found = pl.scan_parquet(quarantine)
    counts = found.select(left_alone=_LEFT_ALONE_ROWS.sum(), rows=pl.len()).collect()
    left_alone, rows = map(int, counts.row(0))
    return rows - left_alone, left_alone


def advice(rule: str, schema: Schema) -> str:
    """What a rule means, and what to do about the rows that break it."""
    kind, _, of = rule.partition(":")
    column = next((c for c in schema.columns if c.name == of), None)
    if rule in LEFT_ALONE:
        return _LEFT_ALONE[rule]
    if column is None and kind in UNDIVIDED and schema.personal:
        return f"{_UNDIVIDED[kind]}; {_FROM_THE_SOURCE}"
    if column is None:
        return _OTHERS.get(kind, _BY_HAND)
    fixes = ways(kind, column)
    if not fixes:
        return f"{_meaning(kind, column)}; {_BY_HAND}"
    return f"{_meaning(kind, column)}. Repair with {' or '.join(fixes)}"


def ways(kind: str, column: Column) -> Sequence[str]:
    """The fixes that may repair a cell, as ``--with`` takes them.

    None of them gives a value for a person: fixes are told in records and the ledger.
    """
    personal = column.privacy is Privacy.PERSONAL
    found = [] if personal else ["`=VALUE` (that value instead)"]
    if kind in ("minimum", "maximum"):
        found.insert(0, "`clip` (the bound instead)")
    if column.nullable and kind != "not_null":
        found.insert(0, "`null` (it counts as missing)")
    return found


_BY_HAND = "only by hand: `flyball data quarantine export`, correct the file, `repair --file`"
_LEFT_ALONE = {
    DUPLICATE: "repeats an earlier row of its batch; nothing needs to be done",
    FORGOTTEN: "of a person who asked to be forgotten; nothing may be done",
}
_FROM_THE_SOURCE = (
    "its cells are not kept, since it may name a person: look at the line in the source, and "
    "ingest it corrected, with the header, from a file of its own"
)
_UNDIVIDED = {
    "width": "the line has another number of cells than the header",
    "json": "the line is not a JSON object",
}
UNDIVIDED = frozenset(_UNDIVIDED)
"""Rules whose rows could not be divided into cells."""

_OTHERS = {
    **{rule: f"{words}; {_BY_HAND}" for rule, words in _UNDIVIDED.items()},
    "one_of": f"none of the columns of which one must be filled is; {_BY_HAND}",
}


def _meaning(kind: str, column: Column) -> str:
    unit = f" {column.unit}" if column.unit else ""
    return {
        "not_null": f"{column.name} is missing, and must not be",
        "minimum": f"{column.name} is below {column.minimum:g}{unit}" if column.minimum is not None
        else f"{column.name} is too small",
        "maximum": f"{column.name} is above {column.maximum:g}{unit}" if column.maximum is not None
        else f"{column.name} is too large",
        "allowed": f"{column.name} is none of {', '.join(column.allowed or ())}",
        "formula": f"{column.name} is a formula that a spreadsheet would carry out",
    }.get(kind, f"{column.name} cannot be read as a {column.type}")  # fmt: skip


def _harmless(cells: pl.Expr) -> pl.Expr:
    number = cells.cast(pl.Float64, strict=False).is_not_null()
    risky = cells.str.contains(_FORMULA) & ~number
    return pl.when(risky).then(pl.lit("'") + cells).otherwise(cells).name.keep()
