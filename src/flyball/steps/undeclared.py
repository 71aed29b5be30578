"""Reading a source that no schema was written for yet, to infer one."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import islice

from flyball.domain.schema import Schema
from flyball.errors import DataQualityError
from flyball.ports import Sources
from flyball.steps.column_facts import ColumnFacts
from flyball.steps.infer import Inference, Inferred, Names, has_header

_DELIMITERS = (",", ";", "\t", "|")
_LOOKED_AT = 4
"""Blocks of rows that tell whether the first row is a header."""


def infer(locations: Sequence[str], *, table: str, sources: Sources) -> Inferred:
    """Infer one schema for these sources, which have the same columns.

    Args:
        locations: as ``Sources.open`` takes them; each is opened several times.
        table: the name of the table.

    Raises:
        DataQualityError: a source cannot be read, has no rows or other columns than the first.
        NotFound, EnvironmentFailed: as ``Sources.open`` does.
    """
    names = names_of(locations[0], table=table, sources=sources)
    inference = Inference(table, names)
    for location in locations:
        with sources.open(location, [names.as_text(table)]) as reading:
            if reading.ignored:
                raise DataQualityError(
                    f"{location} has columns that {locations[0]} has not "
                    f"({', '.join(reading.ignored[:5])}); infer a schema for each kind of file"
                )
            for chunk in reading:
                inference.add(chunk.frame)
    return inference.finished()


def names_of(location: str, *, table: str, sources: Sources) -> Names:
    """The names of a source's columns; positions where it has no header."""
    first = _first_row(location, table=table, sources=sources)
    positions = Names.positions(len(first))
    if len(set(first)) < len(first) or not all(name.strip() for name in first):
        return positions
    names = Names(first)
    facts = {name: ColumnFacts() for name in names.canonical().values()}
    with sources.open(location, [names.as_text(table)]) as reading:
        for chunk in islice(reading, _LOOKED_AT):
            for name, of in facts.items():
                of.add(chunk.frame[name])
    below = {given: facts[name] for given, name in names.canonical().items()}
    if has_header(first, below) or not _fits(location, positions.as_text(table), sources):
        return names
    return positions


def _fits(location: str, schema: Schema, sources: Sources) -> bool:
    """Whether the source can be read so: names that JSON and Parquet give are no row of data."""
    try:
        with sources.open(location, [schema]):
            return True
    except DataQualityError:
        return False


def _first_row(location: str, *, table: str, sources: Sources) -> tuple[str, ...]:
    """What the source calls its columns, or its first row where it calls them nothing."""
    anything = Schema(columns=(), name=table)
    with sources.open(location, [anything]) as reading:
        found = reading.ignored
    # With nothing to look for, a comma divides a row: look whether another mark does it better.
    line = ",".join(found)
    rows = [next(csv.reader([line], delimiter=mark), []) for mark in _DELIMITERS[1:]]
    return max(found, *(tuple(row) for row in rows), key=len)
