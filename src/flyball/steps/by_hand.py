"""Rows of a quarantine that come back in a file: those that need no repair stay where they are.

An exported file says in its column ``reasons`` which rules each row broke. Rows that repeated
others, or are of a forgotten person, would be data again if they were simply read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import polars as pl

from flyball.domain.schema import Column, ColumnType, Schema
from flyball.ports import Chunk, Reading, Sources
from flyball.steps.origin import Origin
from flyball.steps.quarantine import ABOUT, LEFT_ALONE

_REASONS = Column(
    name="reasons", type=ColumnType.STRINGS, required=False, nullable=True, lenient=True
)
_BETWEEN = r"""(?:^|$|[\s"\[\],;])"""
"""Around a rule: in CSV they stand one after the other, in JSON as a list."""


@contextmanager
def opened(sources: Sources, origin: Origin, schemas: Sequence[Schema]) -> Iterator[Reading]:
    """Open what an ingest reads; of rows that come back, only those to be repaired."""
    if not origin.repaired_from:
        with sources.open(origin.location, schemas) as reading:
            yield reading
        return
    told = [_with_reasons(schema) for schema in schemas]
    with sources.open(origin.location, told) as reading:
        yield TakenBack(reading, schemas[told.index(reading.schema)])


def passed_over(reading: Reading) -> Mapping[str, int]:
    """How many rows a reading, now at its end, left out, by rule."""
    return reading.passed_over if isinstance(reading, TakenBack) else {}


class TakenBack:
    """The port ``Reading`` on rows that come back, without those that need no repair.

    Args:
        reading: has the rows' reasons beside the table's columns, if the file tells them.
        schema: the table's, without these.

    Attributes:
        passed_over: how many rows were passed over so far, by rule.
    """

    def __init__(self, reading: Reading, schema: Schema) -> None:
        self.source, self.schema = reading.source, schema
        extra = set(reading.columns) - {column.name for column in schema.columns}
        self.columns = tuple(name for name in reading.columns if name not in extra)
        self.ignored = tuple(name for name in reading.ignored if name not in ABOUT)
        self.pseudonymous = reading.pseudonymous
        self.passed_over: Counter[str] = Counter()
        self._reading = reading
        self._tells = bool(extra)

    def __iter__(self) -> Iterator[Chunk]:
        """See ``Reading``."""
        if not self._tells:
            yield from self._reading
            return
        for chunk in self._reading:
            unread: Mapping[str, int] = {
                name: count for name, count in chunk.unread_cells.items() if name != _REASONS.name
            }
            yield replace(
                chunk,
                frame=self._bad(chunk.frame),
                rejected=self._bad(chunk.rejected),
                unread_cells=unread,
            )

    def _bad(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows that need repair, without their reasons."""
        reasons = pl.col(_REASONS.name)
        if rows.schema[_REASONS.name] == pl.List(pl.String):
            reasons = reasons.list.join(" ")
        for rule in sorted(LEFT_ALONE):
            here = rows.select(reasons.str.contains(f"{_BETWEEN}{rule}{_BETWEEN}"))
            found = here.to_series().fill_null(False)
            self.passed_over[rule] += int(found.sum())
            rows = rows.filter(~found)
        return rows.drop(_REASONS.name)


def _with_reasons(schema: Schema) -> Schema:
    if schema.column(_REASONS.name) is not None:
        return schema  # a table of its own with such a column: nothing can be told from it
    return replace(schema, columns=(*schema.columns, _REASONS))
