"""Repair: rows of a quarantine, made to keep the rules that they broke. Decides and writes a file.

A row is repaired once every rule that it breaks has a fix. Whether it keeps all rules then, the
ingest of the file judges, as of any other source.
"""

from __future__ import annotations

import hashlib
import math
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import polars as pl

from flyball.domain.data import DataBatch
from flyball.domain.schema import Column, ColumnType, Privacy, Schema
from flyball.errors import InvalidRequest
from flyball.steps.quarantine import ABOUT, LEFT_ALONE, SetAside, advice, set_aside

BY_HAND = "by hand"
"""What is said of rows that came back in a file."""

EXAMPLES = 3
_SHOWN = re.compile(r"quarantine of [^:]+, repaired: (?P<fixes>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """What to do with the cell for which rows break a rule.

    Attributes:
        rule: for example ``"minimum:value"``.
        how: the cell becomes missing, the bound that it breaks, or a given value.
        column: the cell's.
        value: what it becomes; None for missing.
    """

    rule: str
    how: Literal["null", "clip", "set"]
    column: str
    value: str | None

    def __str__(self) -> str:
        """As ``--rule`` and ``--with`` say it; in a value ``;`` and ``/`` are written as %XX."""
        how = f"={quote(self.value or '', safe=' =')}" if self.how == "set" else self.how
        return f"{self.rule}={how}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What fixes would do.

    Attributes:
        rows: how many rows they repair.
        by_rule: of these, how many break each rule.
        already: how many more they would, but earlier repairs have.
        examples: up to three rows, before and after.
    """

    rows: int
    by_rule: Mapping[str, int]
    already: int
    examples: tuple[tuple[SetAside, SetAside], ...]


def fixes_of(asked: Mapping[str, str], schema: Schema) -> tuple[Fix, ...]:
    """The fixes for rules, as a user names them.

    Args:
        asked: by rule ``null``, ``clip`` or ``=VALUE``.

    Raises:
        InvalidRequest: no such rule, or a fix that cannot help; says what can.
    """
    if not asked:
        raise InvalidRequest("say what to do: --rule RULE --with FIX, as often as you like")
    return tuple(_fix(rule, how, schema) for rule, how in asked.items())


def said(fixes: Sequence[Fix]) -> str:
    """The fixes in one line, for the batch's source."""
    return "; ".join(sorted(map(str, fixes)))


def repaired_before(batch_id: str, batches: Sequence[DataBatch]) -> list[frozenset[str]]:
    """The rules that earlier repairs of a batch's quarantine were about, for each of them."""
    found = []
    for batch in batches:
        shown = _SHOWN.fullmatch(batch.source) if batch.repaired_from == batch_id else None
        if shown is not None and not shown["fixes"].startswith(BY_HAND):
            found.append(frozenset(fix.partition("=")[0] for fix in shown["fixes"].split("; ")))
    return found


class Repair:
    """Fixes, applied to one quarantine.

    Args:
        quarantine: its Parquet.
        fixes: at least one.
        before: rules of earlier repairs: their rows are in a batch already.
    """

    def __init__(
        self, quarantine: Path, fixes: Sequence[Fix], before: Sequence[frozenset[str]] = ()
    ) -> None:
        self._rows = pl.scan_parquet(quarantine)
        self._fixes = tuple(fixes)
        reasons = pl.col("reasons")
        done = [_all_in(reasons, rules) for rules in before]
        self._had = pl.any_horizontal(done) if done else pl.lit(False)
        self._wanted = _all_in(reasons, {fix.rule for fix in fixes})

    def planned(self) -> Planned:
        """What would be done."""
        taken = self._wanted & ~self._had
        counts = self._rows.select(
            rows=taken.sum(),
            already=(self._wanted & self._had).sum(),
            **{
                f"rule {n}": (taken & pl.col("reasons").list.contains(fix.rule)).sum()
                for n, fix in enumerate(self._fixes)
            },
        ).collect()
        rows, already, *by_rule = map(int, counts.row(0))
        first = self._rows.filter(taken).head(EXAMPLES).collect()
        return Planned(
            rows=rows,
            already=already,
            by_rule={f.rule: n for f, n in zip(self._fixes, by_rule, strict=True)},
            examples=tuple(zip(_told(first), _told(self._fixed(first.lazy())), strict=True)),
        )

    def write(self, folder: Path, batch: DataBatch, *, by: Path | None = None) -> Path:
        """Write the repaired rows' cells; returns the file.

        It is whole or not there, and one repair always goes to one file.

        Args:
            by: a folder on the same disk that is swept when this process was killed, by which it
                arrives; ``folder`` where None.
        """
        rows = self._fixed(self._rows.filter(self._wanted & ~self._had)).drop(ABOUT)
        name = hashlib.sha256(f"{batch.id}: {said(self._fixes)}".encode()).hexdigest()[:12]
        with tempfile.TemporaryDirectory(prefix="repair-", dir=by or folder) as arriving:
            content = Path(arriving) / "rows.parquet"
            rows.sink_parquet(content, maintain_order=True)
            return content.replace(folder / f"repair-{name}.parquet")

    def _fixed(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        for fix in self._fixes:
            broken = pl.col("reasons").list.contains(fix.rule)
            cell = pl.when(broken).then(pl.lit(fix.value, dtype=pl.String)).otherwise(fix.column)
            rows = rows.with_columns(cell.alias(fix.column))
        return rows


def _all_in(reasons: pl.Expr, rules: frozenset[str] | set[str]) -> pl.Expr:
    return reasons.list.set_difference(pl.lit(sorted(rules))).list.len() == 0


def _told(rows: pl.DataFrame | pl.LazyFrame) -> list[SetAside]:
    return [set_aside(row) for row in rows.lazy().collect().iter_rows(named=True)]


def _fix(rule: str, how: str, schema: Schema) -> Fix:
    kind, _, of = rule.partition(":")
    column = next((c for c in schema.columns if c.name == of), None)
    if rule in LEFT_ALONE or column is None:
        raise InvalidRequest(f"rows of the rule {rule} are not repaired: {advice(rule, schema)}")
    if how == "null" and column.nullable and kind != "not_null":
        return Fix(rule=rule, how="null", column=of, value=None)
    if how == "clip" and kind in ("minimum", "maximum"):
        bound = column.minimum if kind == "minimum" else column.maximum
        return Fix(rule=rule, how="clip", column=of, value=f"{bound!r}")
    if how.startswith("=") and how != "=" and column.privacy is not Privacy.PERSONAL:
        return Fix(rule=rule, how="set", column=of, value=_checked(how[1:], column))
    shown = "a value" if column.privacy is Privacy.PERSONAL else repr(how)
    raise InvalidRequest(f"{shown} does not repair {rule}: {advice(rule, schema)}")


def _checked(value: str, column: Column) -> str:
    """A value, if the column may hold it. What else it must keep, the ingest judges."""
    wrong = ""
    if column.type is ColumnType.NUMBER:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        low, high = column.minimum, column.maximum
        if not math.isfinite(number):
            wrong = "is not a number"
        elif (low is not None and number < low) or (high is not None and number > high):
            wrong = "is out of bounds itself"
    if column.allowed is not None and value not in column.allowed:
        wrong = f"is none of {', '.join(column.allowed)}"
    if wrong:
        raise InvalidRequest(f"{value!r} for {column.name} {wrong}; give another value")
    return value
