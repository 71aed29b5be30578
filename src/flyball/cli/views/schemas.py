"""Schemas as tables, and what changed in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from flyball.cli.views.words import below, facts, table
from flyball.domain.schema import Column, Privacy, Schema
from flyball.domain.schema_change import difference
from flyball.domain.text import many

if TYPE_CHECKING:
    from flyball.data.schema import SchemaStatus
    from flyball.steps.infer import Inferred


def inferred(found: Inferred, out: Path | None) -> Iterator[RenderableType]:
    """A proposal: its columns, and under each what to look at."""
    made = table("Column", "Type", "Values", "To review", keep=("Column", "Type"))
    for column in found.schema.columns:
        notes = "\n".join(found.notes.get(column.name, ()))
        made.add_row(column.name, _type(column), _values(column), Text(notes, style="dim"))
    yield f"{found.schema.name}: {many(found.rows, 'row')}"
    yield below(made)
    yield from found.notes.get("", ())[1:]
    if out is None:
        yield below(Text("--out FILE writes it down for review", style="dim"))
    else:
        yield below(
            Text(
                f"written to {out}. Review it, then set in flyball.toml, section [models.NAME]: "
                f'schema_file = "{out}"'
            )
        )


def schema(found: SchemaStatus, *, accepted: bool) -> Iterator[RenderableType]:
    """The declared tables, and how they differ from the recorded ones."""
    for each in found.declared:
        yield below(Text(each.name, style="bold"))
        yield _columns(each)
        yield facts(
            [
                ("key", ", ".join(each.key)),
                ("one of", "; ".join(" or ".join(group) for group in each.one_of)),
                ("without a header", ", ".join(name or "(dropped)" for name in each.headerless)),
            ]
        )
    yield below(_standing(found, accepted=accepted))


def _standing(found: SchemaStatus, *, accepted: bool) -> RenderableType:
    if found.dataset is None:
        return Text(f"{found.model} has no data yet", style="dim")
    version = f"dataset version {found.dataset.version[:12]}"
    if found.recorded is None:
        return Text(f"{version} was stored without a schema", style="yellow")
    if not found.changes:
        said = "now recorded with" if accepted else "the same as recorded with"
        return Text(f"{said} {version}", style="green")
    told = Text(f"against the schema recorded with {version}:\n{difference(found.changes)}\n")
    if found.breaking:
        told.append(
            "it breaks with the data: put the old one back, or take it with "
            f"`flyball data schema {found.model} --accept`",
            style="bold red",
        )
    else:
        told.append("compatible: the next ingest records it", style="green")
    return told


def _columns(schema: Schema) -> RenderableType:
    made = table("Column", "Type", "Values", "Also called", keep=("Column", "Type"))
    for column in schema.columns:
        made.add_row(column.name, _type(column), _values(column), ", ".join(column.aliases))
    return made


def _type(column: Column) -> str:
    return f"{column.type}{f' in {column.unit}' if column.unit else ''}"


def _values(column: Column) -> str:
    """What a column's values may be, in words."""
    low, high = column.minimum, column.maximum
    said = [
        "" if column.required else "optional column",
        "may be missing" if column.nullable else "",
        "" if low is None else f"at least {low:g}",
        "" if high is None else f"at most {high:g}",
        "" if column.allowed is None else f"one of {', '.join(column.allowed)}",
        "personal" if column.privacy is Privacy.PERSONAL else "",
        "unreadable ones count as missing" if column.lenient else "",
    ]
    if (to := column.references) is not None:
        said.append(f"found in {to.table}.{to.column}")
    return "; ".join(filter(None, said))
