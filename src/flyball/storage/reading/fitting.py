"""Which of several tables a file's columns fit, or what each of them lacks."""

from __future__ import annotations

from collections.abc import Sequence

from flyball.domain.schema import Column, Schema
from flyball.errors import DataQualityError
from flyball.storage.reading.block import Fit, shown


def named(names: Sequence[str], schema: Schema) -> dict[str, str]:
    """By canonical name, the file's column that holds it.

    Where several of the file's columns could be one of the schema's, its canonical name wins, then
    the alias that the schema lists first.
    """
    found: dict[str, tuple[int, str]] = {}
    for name in names:
        column = schema.column(name)
        if column is None:
            continue
        spellings = [column.name, *(alias.casefold() for alias in column.aliases)]
        rank = spellings.index(name.strip().casefold())
        if column.name not in found or rank < found[column.name][0]:
            found[column.name] = (rank, name)
    return {canonical: name for canonical, (_, name) in found.items()}


def fit_of(names: Sequence[str], schemas: Sequence[Schema]) -> Fit | None:
    """The first table that the names fit, or None."""
    for schema in schemas:
        columns = named(names, schema)
        if not schema.missing(columns):
            taken = set(columns.values())
            unknown = tuple(n for n in dict.fromkeys(names) if n not in taken)
            return Fit(schema=schema, columns=columns, ignored=unknown)
    return None


def misfit(names: Sequence[str], schemas: Sequence[Schema], location: str) -> DataQualityError:
    """The error for a file whose columns do not fit: what it has, what is needed, what to do."""
    lacks = []
    for schema in schemas:
        table = f" for the table {schema.name}" if len(schemas) > 1 else ""
        lacks.append(f"lacks{table} {_wanted(names, schema)}")
    bare = "".join(
        f", or {len(schema.headerless)} columns without a header"
        for schema in schemas
        if schema.headerless
    )
    return DataQualityError(
        f"{location} does not fit: it has the columns {shown(names)}, and "
        f"{', and '.join(lacks)}. Rename its columns accordingly{bare}"
    )


def _wanted(names: Sequence[str], schema: Schema) -> str:
    """What a table lacks, with every name it could have."""
    wanted = []
    for missing in schema.missing(named(names, schema)):
        column = schema.column(missing)
        wanted.append(_with_aliases(column) if column else _group(missing, schema))
    return "; ".join(wanted)


def _group(missing: str, schema: Schema) -> str:
    columns = [schema.column(name) for name in missing.split(" or ")]
    return " or else ".join(_with_aliases(column) for column in columns if column)


def _with_aliases(column: Column) -> str:
    also = f" (or {', '.join(column.aliases)})" if column.aliases else ""
    return f"{column.name}{also}"
