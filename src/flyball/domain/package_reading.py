"""Reading a data package that a person may have written: each slip is named with its place."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from flyball.domain.nearest import did_you_mean
from flyball.domain.package_rules import check_tables
from flyball.domain.schema import Column, ColumnType, Privacy, Reference, Schema
from flyball.errors import ConfigurationError

_DESCRIPTIVE = ("title", "description", "example", "format", "rdfType")
"""Of the standard, and without meaning here."""

_PACKAGE = (
    "$schema", "profile", "name", "id", "title", "description", "homepage", "version", "created",
    "keywords", "image", "licenses", "sources", "contributors", "resources",
)  # fmt: skip
_RESOURCE = (
    "$schema", "profile", "name", "type", "title", "description", "path", "data", "format",
    "mediatype", "encoding", "dialect", "bytes", "hash", "sources", "licenses", "schema",
)  # fmt: skip
_SCHEMA = (
    "$schema", "fields", "fieldsMatch", "missingValues", "primaryKey", "foreignKeys",
    "flyball:one_of", "flyball:headerless", "flyball:review",
)  # fmt: skip
_FIELD = (
    "name", "type", "constraints", *_DESCRIPTIVE, "flyball:optional", "flyball:aliases",
    "flyball:unit", "flyball:privacy", "flyball:lenient", "flyball:spellings", "flyball:review",
)  # fmt: skip
_CONSTRAINTS = ("required", "minimum", "maximum", "enum")
_FOREIGN_KEY = ("fields", "reference", "flyball:by_slug")


class PackageReader:
    """Makes schemas of a package, or says where it is wrong.

    Args:
        types: what a column holds, by its name in Table Schema.
    """

    def __init__(self, types: Mapping[str, ColumnType]) -> None:
        self._types = types

    def schemas(self, package: Any) -> tuple[Schema, ...]:
        """The tables, in order. Raises ConfigurationError."""
        known = _object(package, "the package", _PACKAGE)
        resources = _list(known.get("resources"), "resources")
        if not resources:
            _refuse("the package", "has no resources; name at least one table")
        schemas = tuple(self._schema(each, number) for number, each in enumerate(resources, 1))
        check_tables(schemas)
        return schemas

    def _schema(self, resource: Any, number: int) -> Schema:
        name = _text(
            _object(resource, f"resource {number}", _RESOURCE).get("name"),
            f"name of resource {number}",
        )
        where = f"table {name!r}"
        table = _object(resource.get("schema"), f"schema of {where}", _SCHEMA)
        references = self._references(table.get("foreignKeys", []), where)
        fields = _list(table.get("fields"), f"fields of {where}")
        columns = [self._column(each, where, n, references) for n, each in enumerate(fields, 1)]
        names = [column.name for column in columns]
        for wanted in references:
            if wanted not in names:
                _refuse(where, f"foreignKeys: no field {wanted!r}{did_you_mean(wanted, names)}")
        key = table.get("primaryKey", [])
        return Schema(
            name=name,
            columns=tuple(columns),
            key=_texts([key] if isinstance(key, str) else key, f"primaryKey of {where}"),
            one_of=tuple(
                _texts(group, f"flyball:one_of of {where}")
                for group in _list(table.get("flyball:one_of", []), f"flyball:one_of of {where}")
            ),
            headerless=_texts(
                table.get("flyball:headerless", []), f"flyball:headerless of {where}"
            ),
        )

    def _references(self, keys: Any, table: str) -> dict[str, Reference]:
        found = {}
        for each in _list(keys, f"foreignKeys of {table}"):
            where = f"a foreign key of {table}"
            key = _object(each, where, _FOREIGN_KEY)
            to = _object(key.get("reference"), f"reference of {where}", ("resource", "fields"))
            found[_only(key.get("fields"), where)] = Reference(
                table=_text(to.get("resource"), f"resource of {where}"),
                column=_only(to.get("fields"), where),
                by_slug=_flag(key.get("flyball:by_slug", False), f"flyball:by_slug of {where}"),
            )
        return found

    def _column(
        self, field: Any, table: str, number: int, references: Mapping[str, Reference]
    ) -> Column:
        spec = _object(field, f"field {number} of {table}", _FIELD)
        name = _text(spec.get("name"), f"name of field {number} of {table}")
        where = f"field {name!r} of {table}"
        limits = _object(spec.get("constraints", {}), f"constraints of {where}", _CONSTRAINTS)
        type_ = _choice(spec.get("type"), self._types, f"type of {where}")
        privacy = spec.get("flyball:privacy", Privacy.PUBLIC.value)
        allowed = limits.get("enum")
        return Column(
            name=name,
            type=type_,
            required=not _flag(spec.get("flyball:optional", False), f"flyball:optional of {where}"),
            nullable=not _flag(limits.get("required", False), f"required of {where}"),
            aliases=_texts(spec.get("flyball:aliases", []), f"flyball:aliases of {where}"),
            minimum=_number(limits.get("minimum"), f"minimum of {where}"),
            maximum=_number(limits.get("maximum"), f"maximum of {where}"),
            allowed=None if allowed is None else _texts(allowed, f"enum of {where}"),
            unit=_text(spec.get("flyball:unit", ""), f"flyball:unit of {where}", empty=True),
            privacy=_choice(privacy, {p.value: p for p in Privacy}, f"flyball:privacy of {where}"),
            references=references.get(name),
            lenient=_flag(spec.get("flyball:lenient", False), f"flyball:lenient of {where}"),
            spellings=_spellings(spec.get("flyball:spellings", {}), where),
        )


def _refuse(where: str, why: str) -> NoReturn:
    raise ConfigurationError(f"{where}: {why}")


def _object(value: Any, where: str, known: Iterable[str]) -> Mapping[str, Any]:
    """A JSON object without names that nobody would read."""
    if not isinstance(value, Mapping):
        _refuse(where, f"must be an object, is {_kind(value)}")
    names = list(known)
    for name in value:
        if name not in names:
            _refuse(where, f"{name!r} is not known{did_you_mean(name, names)}")
    return value


def _list(value: Any, where: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        _refuse(where, f"must be a list, is {_kind(value)}")
    return value


def _text(value: Any, where: str, *, empty: bool = False) -> str:
    if not isinstance(value, str) or not (value or empty):
        _refuse(where, f"must be text, is {_kind(value)}")
    return value


def _texts(value: Any, where: str) -> tuple[str, ...]:
    return tuple(_text(each, where, empty=True) for each in _list(value, where))


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        _refuse(where, f"must be true or false, is {_kind(value)}")
    return value


def _number(value: Any, where: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        _refuse(where, f"must be a finite number, is {_kind(value)}")
    return float(value)


def _only(value: Any, where: str) -> str:
    """The one column of a key: references here go from one column to one."""
    names = [value] if isinstance(value, str) else _list(value, f"fields of {where}")
    if len(names) != 1:
        _refuse(where, f"names {len(names)} fields; a reference goes from one field to one")
    return _text(names[0], f"fields of {where}")


def _choice(value: Any, known: Mapping[str, Any], where: str) -> Any:
    name = _text(value, where)
    if name not in known:
        hint = did_you_mean(name, known) or f"; it may be {', '.join(known)}"
        _refuse(where, f"{name!r} is not known{hint}")
    return known[name]


def _spellings(value: Any, where: str) -> dict[str, str]:
    if not isinstance(value, Mapping):
        _refuse(f"flyball:spellings of {where}", f"must be an object, is {_kind(value)}")
    for spelling, meaning in value.items():
        _text(meaning, f"flyball:spellings of {where}", empty=True)
        if spelling != spelling.casefold():
            _refuse(f"flyball:spellings of {where}", f"write {spelling!r} in lower case")
    return dict(value)


def _kind(value: Any) -> str:
    """A wrong value as a message shows it: short."""
    if value is None:
        return "missing"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
