"""Schemas as a Frictionless data package: what other tools read, and people review.

A table is a resource with a Table Schema (https://datapackage.org/standard/table-schema/). What
that standard has no word for stands under names that begin with ``flyball:``. Written and read
again, schemas are what they were; the same schemas give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flyball.domain.package_reading import PackageReader
from flyball.domain.schema import Column, ColumnType, Privacy, Schema
from flyball.errors import ConfigurationError

PROFILE = "https://datapackage.org/profiles/2.0/datapackage.json"

TYPES: Mapping[ColumnType, str] = {
    ColumnType.STRING: "string",
    ColumnType.NUMBER: "number",
    ColumnType.BOOLEAN: "boolean",
    ColumnType.TIMESTAMP: "datetime",
    ColumnType.STRINGS: "array",
}
"""How Table Schema calls what a column holds."""

Review = Mapping[str, Mapping[str, Sequence[str]]]
"""Notes for people, by table and column; column "" is the table itself."""


def to_package(
    schemas: Sequence[Schema],
    *,
    review: Review | None = None,
    files: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """The data package of these tables, JSON types.

    Args:
        review: notes to add as ``flyball:review``; reading passes them over.
        files: the files of each table, in order of arrival.
    """
    notes, paths = review or {}, files or {}
    return {
        "$schema": PROFILE,
        "resources": [
            {
                "name": schema.name,
                **_unless_empty(path=list(paths.get(schema.name, ()))),
                "schema": _table(schema, notes.get(schema.name, {})),
            }
            for schema in schemas
        ],
    }


def from_package(package: Mapping[str, Any]) -> tuple[Schema, ...]:
    """The tables that a data package describes.

    Raises:
        ConfigurationError: names the table, the field and what is wrong with it, with the nearest
            valid name.
    """
    return PackageReader({name: type for type, name in TYPES.items()}).schemas(package)


def package_bytes(package: Mapping[str, Any]) -> bytes:
    """A package as a file: indented JSON in UTF-8, ends with a newline."""
    text = json.dumps(package, indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def package_from(content: bytes, *, source: str) -> tuple[Schema, ...]:
    """The tables that a file describes.

    Args:
        source: what to call the file in messages.

    Raises:
        ConfigurationError: it is not JSON, or not a package; says where.
    """
    try:
        package = json.loads(content)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError too
        raise ConfigurationError(
            f"{source} is not JSON ({error}); write it anew with `flyball data infer`"
        ) from None
    try:
        return from_package(package)
    except ConfigurationError as error:
        raise ConfigurationError(f"{source}: {error}") from None


def _table(schema: Schema, notes: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    references = [
        {
            "fields": [column.name],
            "reference": {"resource": to.table, "fields": [to.column]},
            **_unless_empty(**{"flyball:by_slug": to.by_slug}),
        }
        for column in schema.columns
        if (to := column.references) is not None
    ]
    return {
        "fields": [_field(column, notes.get(column.name, ())) for column in schema.columns],
        "missingValues": [""],
        **_unless_empty(primaryKey=list(schema.key), foreignKeys=references),
        **_unless_empty(
            **{
                "flyball:one_of": [list(group) for group in schema.one_of],
                "flyball:headerless": list(schema.headerless),
                "flyball:review": list(notes.get("", ())),
            }
        ),
    }


def _field(column: Column, notes: Sequence[str]) -> dict[str, Any]:
    constraints = {
        "required": not column.nullable,  # of a cell, as the standard has it
        "minimum": None if column.minimum is None else float(column.minimum),
        "maximum": None if column.maximum is None else float(column.maximum),
        "enum": None if column.allowed is None else list(column.allowed),
    }
    return {
        "name": column.name,
        "type": TYPES[column.type],
        "constraints": {name: value for name, value in constraints.items() if value is not None},
        **_unless_empty(
            **{
                "flyball:optional": not column.required,  # of the column in a file
                "flyball:aliases": list(column.aliases),
                "flyball:unit": column.unit,
                "flyball:privacy": "" if column.privacy is Privacy.PUBLIC else str(column.privacy),
                "flyball:lenient": column.lenient,
                "flyball:spellings": dict(sorted(column.spellings.items())),
                "flyball:review": list(notes),
            }
        ),
    }


def _unless_empty(**values: Any) -> dict[str, Any]:
    """Those that say something: a default is not written."""
    return {name: value for name, value in values.items() if value}
