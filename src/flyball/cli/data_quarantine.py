"""The quarantine: ``flyball data quarantine`` lists it, explains it, and brings rows back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from flyball.cli.command import Cli, command, shown, with_common_options
from flyball.cli.interrupts import durable
from flyball.cli.look import now
from flyball.cli.loop import NO, Model
from flyball.errors import InvalidRequest

LIST = "list"
LIMIT = 20

Batch = Annotated[str, typer.Argument(metavar="BATCH", help="Id of the batch.", show_default=False)]


class _ListsByDefault(TyperGroup):
    """``quarantine MODEL`` is ``quarantine list MODEL``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = any(word in self.commands for word in args)
        if args and not named and "--help" not in args:
            args = [LIST, *args]
        return super().parse_args(ctx, args)


def register(group: typer.Typer) -> None:
    """Add these commands."""
    quarantine = typer.Typer(
        cls=_ListsByDefault, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    quarantine.callback(
        help=_quarantine.__doc__,
        epilog=shown(
            "flyball data quarantine games\nflyball data quarantine explain games 5e5e5e5e5e5e"
        ),
    )(with_common_options(_quarantine))
    command(quarantine, list_, name=LIST, example="flyball data quarantine games")
    command(
        quarantine, explain,
        example="flyball data quarantine explain games 5e5e5e5e5e5e --rule minimum:value",
    )  # fmt: skip
    command(
        quarantine, export,
        example="flyball data quarantine export games 5e5e5e5e5e5e bad-rows.csv",
    )  # fmt: skip
    command(
        quarantine, repair, around=durable,
        example=(
            "flyball data quarantine repair games 5e5e5e5e5e5e --rule minimum:value --with clip "
            "--dry-run\n"
            "flyball data quarantine repair games 5e5e5e5e5e5e --rule allowed:event "
            "--with =purchase"
        ),
    )  # fmt: skip
    group.add_typer(quarantine, name="quarantine")


def _quarantine(cli: Cli) -> None:
    """Look at rows that were left out of batches, and bring them back.

    With a model's name alone, list its batches that have such rows.
    """
    del cli  # each subcommand has its own


def list_(cli: Cli, model: Model) -> None:
    """List batches with rows in quarantine: how many, why, and what repaired them."""
    from flyball.cli.views import quarantine as views

    found = cli.flyball.data.quarantines(model)
    cli.answer(found, lambda: views.listed(model, found, now()))


def explain(
    cli: Cli,
    model: Model,
    batch: Batch,
    rule: Annotated[
        str | None, typer.Option(help="Only rows that break this rule. Default: all.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Number of rows to show.")] = LIMIT,
) -> None:
    """Show rows of a batch's quarantine: where they stood, what is wrong, what to do."""
    from flyball.cli.views import quarantine as views

    found = cli.flyball.data.explain_quarantine(model, batch, rule=rule, limit=limit)
    cli.answer(found, lambda: views.explained(model, found))


def export(
    cli: Cli,
    model: Model,
    batch: Batch,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="New file: .csv or .parquet.", show_default=False),
    ],
) -> None:
    """Write a batch's quarantine to a file, to correct it by hand.

    Rows that repeat others are left out: they need no repair.

    Bring the corrected rows back with `flyball data quarantine repair --file`: people stand in it
    by their pseudonyms, which `flyball ingest` would take for ids.
    """
    from flyball.cli.views import quarantine as views

    done = cli.flyball.data.export_quarantine(model, batch, file)
    cli.answer(done, lambda: views.exported(model, done))


def repair(
    cli: Cli,
    model: Model,
    batch: Batch,
    *,
    rule: Annotated[
        list[str] | None,
        typer.Option(help="Rule whose rows to repair; may be repeated.", show_default=False),
    ] = None,
    fix: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            show_default=False,
            help="Fix for that rule: null (the cell becomes missing), clip (the bound that it "
            "breaks) or =VALUE.",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="Rows corrected by hand, instead of rules.", show_default=False),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be repaired.")
    ] = False,
) -> int:
    """Repair rows in quarantine and ingest them as a new batch.

    A row is repaired once each of its rules has a fix. Doing it again adds nothing. Exits with 1
    if no row could be repaired.
    """  # fmt: skip
    from flyball.cli.views import quarantine as views

    rules, fixes = rule or [], fix or []
    done: Any
    if file is not None:
        if rules or fixes or dry_run:
            raise InvalidRequest("--file brings back corrected rows as they are; give it alone")
        done = cli.flyball.data.repair_by_hand(model, batch, file)
    else:
        if len(rules) != len(fixes):
            raise InvalidRequest(
                f"{len(rules)} --rule and {len(fixes)} --with: each rule needs its fix"
            )
        if len(set(rules)) != len(rules):
            raise InvalidRequest("one rule has two fixes; give each --rule once")
        asked = dict(zip(rules, fixes, strict=True))
        done = cli.flyball.data.repair(model, batch, asked, dry_run=dry_run)
    cli.answer(done, lambda: views.repaired(model, done))
    return NO if done.planned is not None and not done.planned.rows + done.planned.already else 0
