"""What changed between two schemas, and whether data under the old one still fits.

A change is breaking where stored rows, or files that used to fit, no longer would, or where a value
would come to mean something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from flyball.domain.schema import Column, Schema

Sign = Literal["+", "-", "~"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference.

    Attributes:
        column: of which column; empty where it concerns the whole table.
        what: in words.
        breaking: data under the old schema no longer fits.
        table: where.
        sign: whether something came (+), went (-) or is otherwise (~).
    """

    column: str
    what: str
    breaking: bool
    table: str = ""
    sign: Sign = "~"


def compared(old: Schema, new: Schema) -> tuple[Change, ...]:
    """What is different in ``new``, column by column in its order, then of the whole table."""
    before = {column.name: column for column in old.columns}
    after = {column.name: column for column in new.columns}
    found = []
    for name, column in after.items():
        if name in before:
            found += [
                Change(table=new.name, column=name, what=what, breaking=breaking)
                for what, breaking in _column_changes(before[name], column)
            ]
        else:
            kind = "required" if column.required else "optional"
            found.append(
                Change(table=new.name, column=name, sign="+", breaking=column.required,
                             what=f"new {kind} {column.type} column")
            )  # fmt: skip
    found += [
        Change(table=new.name, column=name, sign="-", breaking=True,
                     what=f"{column.type} column removed")
        for name, column in before.items()
        if name not in after
    ]  # fmt: skip
    found += [
        Change(table=new.name, column="", what=what, breaking=breaking)
        for what, breaking in _table_changes(old, new)
    ]
    return tuple(found)


def compared_all(old: Sequence[Schema], new: Sequence[Schema]) -> tuple[Change, ...]:
    """What is different between the tables of an application, table by table."""
    before = {schema.name: schema for schema in old}
    after = {schema.name: schema for schema in new}
    found: list[Change] = []
    for name, schema in after.items():
        if name in before:
            found += compared(before[name], schema)
        else:
            found.append(_of_table(name, "+", "new table", breaking=False))
    found += [
        _of_table(name, "-", "table removed", breaking=True) for name in before if name not in after
    ]
    if old and new and old[0].name != new[0].name and new[0].name in before:
        found.append(_of_table(new[0].name, "~", "models learn from this table now", breaking=True))
    return tuple(found)


def difference(changes: Sequence[Change]) -> str:
    """The changes as lines of a diff: ``~ interactions.value: unit "h" instead of "min"``."""
    return "\n".join(
        f"{change.sign} {'.'.join(filter(None, (change.table, change.column)))}: {change.what}"
        f"{' (breaking)' if change.breaking else ''}"
        for change in changes
    )


def _of_table(name: str, sign: Sign, what: str, *, breaking: bool) -> Change:
    return Change(table=name, column="", sign=sign, what=what, breaking=breaking)


Difference = tuple[str, bool]
"""What changed, in words, and whether it is breaking."""


def _column_changes(old: Column, new: Column) -> Iterator[Difference]:
    for what, before, after in (
        ("type", old.type, new.type),
        ("unit", old.unit, new.unit),
        ("privacy", old.privacy, new.privacy),
    ):
        if before != after:
            yield f"{what} {_quoted(after)} instead of {_quoted(before)}", True
    yield from _loosened(old.required, new.required, "required in a file")
    yield from _loosened(not old.nullable, not new.nullable, "required in each row")
    if old.lenient != new.lenient:
        now = "count as missing" if new.lenient else "put their row into quarantine"
        yield f"cells that cannot be read {now}", not new.lenient
    yield from _bound("minimum", old.minimum, new.minimum, lambda was, now: now > was)
    yield from _bound("maximum", old.maximum, new.maximum, lambda was, now: now < was)
    yield from _allowed(old.allowed, new.allowed)
    yield from _names("alias", set(old.aliases), set(new.aliases))
    yield from _spellings(old.spellings, new.spellings)
    if old.references != new.references:
        to = new.references
        yield (f"refers to {to.table}.{to.column}" if to else "refers to no table any more"), False


def _loosened(before: bool, after: bool, what: str) -> Iterator[Difference]:
    if before != after:
        yield (f"{what} now" if after else f"no longer {what}"), after


def _bound(
    what: str,
    before: float | None,
    after: float | None,
    narrower: Callable[[float, float], bool],
) -> Iterator[Difference]:
    if before == after:
        return
    if after is None:
        yield f"no {what} any more (was {before:g})", False
    elif before is None:
        yield f"{what} {after:g}, where there was none", True
    else:
        yield f"{what} {after:g} instead of {before:g}", narrower(before, after)


def _allowed(before: Sequence[str] | None, after: Sequence[str] | None) -> Iterator[Difference]:
    if after is None:
        if before is not None:
            yield "any value is allowed", False
    elif before is None:
        yield f"only {_listed(after)} allowed, where any value was", True
    else:
        yield from _names("allowed value", set(before), set(after))


def _names(what: str, before: set[str], after: set[str]) -> Iterator[Difference]:
    """Some more are compatible, any fewer are breaking."""
    if more := sorted(after - before):
        yield f"{what} added: {_listed(more)}", False
    if fewer := sorted(before - after):
        yield f"{what} removed: {_listed(fewer)}", True


def _spellings(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Difference]:
    yield from _names("spelling", set(before), set(after))
    other = [text for text in sorted(before) if text in after and after[text] != before[text]]
    if other:
        told = ", ".join(f"{text!r} means {after[text]!r}, not {before[text]!r}" for text in other)
        yield f"spelling {told}", True


def _table_changes(old: Schema, new: Schema) -> Iterator[Difference]:
    if old.key != new.key:
        yield f"key {_listed(new.key)} instead of {_listed(old.key)}", True
    if old.one_of != new.one_of:
        needs = " and ".join(" or ".join(group) for group in new.one_of) or "no such choice"
        yield f"needs {needs} in each row", not _implied(old, new)
    if old.headerless != new.headerless:
        layout = ", ".join(name or "(dropped)" for name in new.headerless)
        said = f"files without a header have {layout}" if layout else "files need a header"
        yield said, bool(old.headerless)
    shared = {c.name for c in old.columns} & {c.name for c in new.columns}
    orders = [[c.name for c in schema.columns if c.name in shared] for schema in (old, new)]
    if orders[0] != orders[1]:
        yield "columns stand in another order", False


def _implied(old: Schema, new: Schema) -> bool:
    """Whether each row under the old schema has a value in each group of the new one."""
    always = [(c.name,) for c in old.columns if c.required and not c.nullable]
    return all(
        any(set(group) <= set(wider) for group in (*old.one_of, *always)) for wider in new.one_of
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names)) or "none"


def _quoted(value: Any) -> str:
    return repr(str(value))
