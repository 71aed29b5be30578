"""Rows that were left out of batches, as a person reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from flyball.cli.views.turns import ingested
from flyball.cli.views.words import ago, below, facts, table
from flyball.domain.text import many
from flyball.steps.quarantine import UNDIVIDED

if TYPE_CHECKING:
    from flyball.data.quarantine import Explained, Exported, Quarantined, Repaired
    from flyball.steps.quarantine import SetAside

_CELL = 40


def listed(model: str, found: Sequence[Quarantined], now: datetime) -> Iterator[RenderableType]:
    """The batches with rows in quarantine."""
    if not found:
        yield f"nothing is in quarantine: all rows of {model}'s batches were taken"
        return
    rules = "Rules (a row may break several)"
    made = table("Batch", "When", "Rows", rules, "Source", "Repaired by", keep=("Batch", "When"))
    for one in found:
        made.add_row(
            one.batch,
            ago(one.when, now),
            f"{one.rows:,}",
            Text("\n".join(_counts(one.rules))),
            Text(one.source),
            ", ".join(one.repaired_by),
        )
    yield made
    yield f"more: flyball data quarantine explain {model} {found[-1].batch}"


def explained(model: str, found: Explained) -> Iterator[RenderableType]:
    """Rows of one quarantine, and what to do."""
    yield facts(
        [(f"{rule}: {found.rules[rule]:,}", Text(advice)) for rule, advice in found.advice.items()]
    )
    made = table("Line", "Rules", "Cells", keep=("Line",))
    for row in found.rows:
        where = f"{row.file} {row.line}" if row.file else str(row.line)
        made.add_row(where, Text("\n".join(row.reasons)), Text(_words(row)))
    yield below(made)
    rules = [rule for rule, advice in found.advice.items() if "Repair with" in advice]
    if rules:
        yield (
            f"repair: flyball data quarantine repair {model} {found.batch} "
            f"--rule {rules[0]} --with FIX --dry-run"
        )


def exported(model: str, done: Exported) -> Iterator[RenderableType]:
    """What stands in the file, and what to do with it."""
    if done.left_out:
        yield f"{many(done.left_out, 'row')} left out: repeated rows need no repair"
    back = f"flyball data quarantine repair {model} {done.batch} --file {done.file}"
    yield f"{many(done.rows, 'row')} in {done.file}; when corrected: {back}"


def repaired(model: str, found: Repaired) -> Iterator[RenderableType]:
    """What was repaired, or would be."""
    plan, done = found.planned, found.ingested
    if plan is not None:
        if plan.already:
            yield f"{many(plan.already, 'row')} passed over: repaired before"
        if not plan.rows:
            yield (
                "no row is repaired by these fixes: each rule that a row breaks needs one"
                if (not plan.already)
                else "nothing is left to repair"
            )
            return
        verb = "would be repaired" if done is None else "repaired"
        yield f"{many(plan.rows, 'row')} {verb}: {', '.join(_counts(plan.by_rule))}"
        for before, after in plan.examples:
            yield Text(f"  line {before.line}: {_change(before, after)}", style="dim")
    if done is not None:
        yield from ingested([done])
        if done.batch.quarantined:
            yield f"what still fails: flyball data quarantine explain {model} {done.batch.batch_id}"


def _counts(rules: Mapping[str, int]) -> list[str]:
    return [f"{rule} {count:,}" for rule, count in rules.items()]


def _words(row: SetAside) -> str:
    """The cells, or the line as it stood; and what was wrong in words."""
    cells = ", ".join(f"{name} {_cell(cell)}" for name, cell in row.cells.items())
    if row.raw is None and UNDIVIDED.intersection(row.reasons):
        cells = f"look at line {row.line} of {row.file or 'the source'}"
    parts = (row.detail, row.raw[:200] if row.raw else cells)
    return "\n".join(part for part in parts if part)


def _change(before: SetAside, after: SetAside) -> str:
    changed = [
        f"{name} {_cell(cell)} -> {_cell(after.cells[name])}"
        for name, cell in before.cells.items()
        if after.cells[name] != cell
    ]
    return ", ".join(changed) or "as it was"


def _cell(cell: str | None) -> str:
    return "missing" if cell is None else repr(cell[:_CELL])
