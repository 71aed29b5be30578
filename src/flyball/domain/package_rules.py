"""What must hold among the columns and tables of an application, whoever declared them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NoReturn

from flyball.domain.nearest import did_you_mean
from flyball.domain.schema import Column, ColumnType, Privacy, Schema
from flyball.errors import ConfigurationError, InvalidRequest

_TABLE_NAME = re.compile(r"[a-z0-9_]{1,40}")


def check_table_name(name: str) -> None:
    """Refuse a name that no table may have.

    Raises:
        InvalidRequest: says what it may be.
    """
    if not _TABLE_NAME.fullmatch(name):
        raise InvalidRequest(
            f"{name[:60]!r} cannot name a table: use lower-case letters, digits and '_', at most 40"
        )


def check_tables(schemas: Sequence[Schema]) -> None:
    """Refuse tables whose parts do not fit each other.

    Raises:
        ConfigurationError: names the table and the field, with the nearest valid name.
    """
    by_name = {schema.name: schema for schema in schemas}
    if len(by_name) < len(schemas):
        repeated = _repeated(schema.name for schema in schemas)
        _refuse(f"table {repeated!r}", "is there twice")
    for schema in schemas:
        check_table_name(schema.name)
        _check_columns(schema)
        for column in schema.columns:
            _check_reference(schema, column, by_name)


def _check_columns(schema: Schema) -> None:
    where = f"table {schema.name!r}"
    names = [column.name for column in schema.columns]
    if not names:
        _refuse(where, "has no fields")
    if len(set(names)) < len(names):
        _refuse(where, f"field {_repeated(names)!r} is there twice")
    for part, wanted in (
        ("primaryKey", schema.key),
        ("flyball:one_of", [name for group in schema.one_of for name in group]),
        ("flyball:headerless", [name for name in schema.headerless if name]),
    ):
        for name in wanted:
            if name not in names:
                _refuse(where, f"{part}: no field {name!r}{did_you_mean(name, names)}")
    laid_out = [name for name in schema.headerless if name]
    if len(set(laid_out)) < len(laid_out):
        _refuse(where, f"flyball:headerless: {_repeated(laid_out)!r} is there twice")
    for column in schema.columns:
        _check_column(column, f"field {column.name!r} of {where}")


def _check_column(column: Column, where: str) -> None:
    number, text = column.type is ColumnType.NUMBER, column.type is ColumnType.STRING
    bounds = (column.minimum, column.maximum)
    if not number and bounds != (None, None):
        _refuse(where, "only a number has a minimum and a maximum")
    low, high = bounds
    if low is not None and high is not None and low > high:
        _refuse(where, f"minimum {low:g} is above maximum {high:g}")
    if not text and column.allowed is not None:
        _refuse(where, "only text has an enum")
    if column.allowed is not None and not column.allowed:
        _refuse(where, "an empty enum allows nothing")
    if not text and column.privacy is Privacy.PERSONAL:
        _refuse(where, "personal values are stored as pseudonyms, which are text: make it a string")


def _check_reference(schema: Schema, column: Column, by_name: dict[str, Schema]) -> None:
    to = column.references
    if to is None:
        return
    where = f"field {column.name!r} of table {schema.name!r}"
    if to.table not in by_name:
        _refuse(where, f"refers to no table {to.table!r}{did_you_mean(to.table, by_name)}")
    names = [each.name for each in by_name[to.table].columns]
    if to.column not in names:
        _refuse(
            where,
            f"refers to no field {to.column!r} of {to.table!r}{did_you_mean(to.column, names)}",
        )


def _repeated(names: Iterable[str]) -> str:
    return Counter(names).most_common(1)[0][0]


def _refuse(where: str, why: str) -> NoReturn:
    raise ConfigurationError(f"{where}: {why}")
