"""Signed evidence that holds, and the story of a version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from flyball.cli.views.words import ago, below, coloured, facts, short, table
from flyball.domain.text import many

if TYPE_CHECKING:
    from flyball.steps.story import Chapter
    from flyball.steps.verifying import Holds, Proven


def holds(found: Holds, now: datetime, *, out: Path | None = None) -> Iterator[RenderableType]:
    """The moves of a version, what was compared, and what to know."""
    said = Text.assemble("the evidence of ", (f"{found.model}/{found.version}", "bold"), " ")
    said.append("holds", style="bold green").append(f": {many(len(found.moves), 'move')}")
    yield said
    made = table("No.", "Row", "When", "Move", "Who, and why", "Bundle", keep=("No.", "When"))
    for one in found.moves:
        made.add_row(
            str(one.bundle.number),
            "" if one.row is None else str(one.row),
            ago(one.bundle.move.at, now),
            Text.assemble(coloured(one.bundle.move.source or "new"), " -> ", _target(one)),
            _who(one),
            one.digest[:8],
        )
    yield below(made)
    keys = {one.key[:12] for one in found.moves}
    rows: list[tuple[str, RenderableType]] = [
        ("checked", ", ".join(found.checked)),
        (f"key{'s' if len(keys) > 1 else ''}", ", ".join(sorted(keys))),
        *(("note", note) for note in found.notes),
        ("written", str(out) if out else ""),
    ]
    yield below(facts(rows))


def _target(one: Proven) -> Text:
    return coloured(one.bundle.move.target)


def _who(one: Proven) -> Text:
    move = one.bundle.move
    said = Text(move.actor)
    if move.approver and move.approver != move.actor:
        said.append(f", approved by {move.approver}")
    return said.append(f"\n{short(move.reason)}", style="dim")


def history(told: Sequence[Chapter], now: datetime) -> Iterator[RenderableType]:
    """The chapters, one below the other."""
    if not told:
        yield "nothing has happened yet"
        return
    made = table("Row", "When", "Who", "What, and why", "Evidence", keep=("Row", "When"))
    for one in told:
        what = Text(short(one.what))
        if one.about not in one.what:
            what.append(f"  {short(one.about)}", style="cyan")
        if one.why:
            what.append(f"\n{short(one.why)}", style="dim")
        made.add_row(
            "" if one.row is None else str(one.row), ago(one.at, now), one.who, what, _rests(one)
        )
    yield made


def _rests(one: Chapter) -> str:
    """The signed bundle, or what else it rested on."""
    if one.bundle:
        return f"bundle {one.bundle[:8]}"
    return short(one.evidence)
