"""The versions of a dataset: their history, their differences, and where their bytes went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from flyball.cli.views.words import ago, below, coloured, facts, size, table
from flyball.data.versions import CheckedOut, Moved
from flyball.domain.schema_change import difference as schema_difference
from flyball.domain.text import many
from flyball.domain.validation import Verdict
from flyball.steps.collect import Collected, Why
from flyball.steps.difference import Difference, Identity, TableDifference
from flyball.steps.moved import Movement
from flyball.steps.version_log import Logged

DIGITS = 12
"""Of a dataset version's hash, where it is shown: nobody's datasets share so many."""

SHOWN = 40
"""Objects of a collection that are listed one by one."""

_WHY: Mapping[Why, str] = {
    Why.NEWEST: "the newest version of a model's dataset",
    Why.MODEL_VERSION: "a model version learned from it",
    Why.RUN: "a training run reads it",
    Why.PROFILE: "profile of a batch in use",
    Why.QUARANTINE: "quarantine of a batch in use",
    Why.YOUNG: "stored less than an hour ago",
}
_MOVED: Mapping[Verdict, str] = {
    Verdict.FAIL: "yes",
    Verdict.PASS: "no",
    Verdict.INCONCLUSIVE: "cannot tell",
}


def log(model: str, found: Sequence[Logged], now: datetime) -> Iterator[RenderableType]:
    """All versions of a dataset."""
    if not found:
        yield f"{model} has no data yet; begin with `flyball ingest {model} SOURCE`"
        return
    made = table(
        "Version", "When", "Batches", "Rows", "Changed", "By", "Learned by",
        keep=("Version", "When", "Batches", "Rows"),
    )  # fmt: skip
    for one in found:
        made.add_row(
            one.version[:DIGITS],
            ago(one.at, now),
            f"{one.batches:,}",
            f"{one.rows:,}",
            "\n".join(one.changed) + ("" if one.here else "\n(not here: collected, or not pulled)"),
            one.by,
            ", ".join(one.learned),
        )
    yield made


def checked_out(done: CheckedOut) -> Iterator[RenderableType]:
    """Where a version lies now, and how to get back."""
    which = "the newest version" if done.newest else "version"
    yield f"{which} {done.version[:DIGITS]} lies in {done.folder} ({many(done.files, 'file')})"
    if not done.newest:
        yield (
            "The next batch is added to the newest version all the same; "
            f"`flyball data checkout {done.model}` lays that out again."
        )


def pushed(done: Moved) -> Iterator[RenderableType]:
    """What went to the remote."""
    yield _moved(done, "is in")


def pulled(done: Moved) -> Iterator[RenderableType]:
    """What came from the remote."""
    yield _moved(done, "is here, from")
    if done.missing:
        yield (
            f"{many(done.missing, 'profile or quarantine')} is not in the remote; "
            "the data is complete without"
        )
    yield f"`flyball data checkout {done.model} {done.version[:DIGITS]}` lays it out."


def _moved(done: Moved, where: str) -> str:
    copied = (
        f"{many(done.objects, 'object')} copied, {size(done.size)}"
        if done.objects
        else "everything was there already"
    )
    return (
        f"dataset version {done.version[:DIGITS]} of {done.model} {where} {done.remote}: {copied}"
    )


def collected(done: Collected) -> Iterator[RenderableType]:
    """What went, or would go, and why the rest stays."""
    plan = done.decided
    if plan.garbage:
        made = table("Object", "Size", "Stored (UTC)", keep=("Object", "Size", "Stored (UTC)"))
        for oid, stored in list(plan.garbage.items())[:SHOWN]:
            made.add_row(oid, size(stored.size), f"{stored.kept_at:%Y-%m-%d %H:%M}")
        yield made
        if len(plan.garbage) > SHOWN:
            yield f"and {len(plan.garbage) - SHOWN:,} more (all with --json)"
    yield _sum_of(done)
    if plan.kept:
        made = table("Stays because", "Objects", "Size")
        for why, kept in plan.kept.items():
            made.add_row(_WHY[why], f"{kept.objects:,}", size(kept.size))
        yield below(made)
        yield Text("An object may stay for several reasons.", style="dim")


def _sum_of(done: Collected) -> str:
    plan = done.decided
    if not plan.garbage:
        return "nothing to remove: all that is stored is needed"
    if done.dry_run:
        return f"would remove {many(len(plan.garbage), 'object')}, {size(plan.size)}"
    spared = len(plan.garbage) - done.removed.objects
    since = f"; {many(spared, 'object')} came into use in the meantime" if spared else ""
    return f"removed {many(done.removed.objects, 'object')}, {size(done.removed.size)}{since}"


def difference(found: Difference) -> Iterator[RenderableType]:
    """Two versions, table by table."""
    change = found.rows_after - found.rows_before
    yield facts(
        [
            ("versions", f"{found.before[:DIGITS]} -> {found.after[:DIGITS]}"),
            ("rows", f"{found.rows_before:,} -> {found.rows_after:,} ({change:+,})"),
            ("batches added", ", ".join(found.batches_added)),
            ("batches removed", ", ".join(found.batches_removed)),
        ]
    )
    for one in found.tables:
        yield below(Text(one.table, style="bold"))
        yield from _of_table(one)
    if found.schema:
        yield below(Text("schema", style="bold"))
        yield schema_difference(found.schema)


def _of_table(one: TableDifference) -> Iterator[RenderableType]:
    if not one.files_compared:
        yield f"the same {many(one.files_common, 'file')} in both"
        return
    made = table("", "Added", "Removed")
    made.add_row("rows", f"{one.rows.added:,}", f"{one.rows.removed:,}")
    for value in one.values:
        what = "people" if value.identity is Identity.PERSON else "items"
        made.add_row(f"{what} ({value.column})", f"{value.added:,}", f"{value.removed:,}")
    yield made
    if one.moved:
        yield below(_movements(one.moved))
        for each in one.moved:
            if each.verdict is Verdict.FAIL:
                yield f"{each.column}: {each.detail}"
    if one.unprofiled:
        yield Text(f"{many(one.unprofiled, 'batch')} without a profile left out", style="yellow")


def _movements(moved: Sequence[Movement]) -> RenderableType:
    made = table("Column", "Distance", "Moved more than chance", keep=("Column", "Distance"))
    for each in moved:
        distance = "" if each.distance is None else f"{each.distance:.3f}"
        word = Text(_MOVED.get(each.verdict, each.verdict), coloured(each.verdict).style)
        made.add_row(each.column, distance, word)
    return made
