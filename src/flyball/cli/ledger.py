"""The ledger: ``flyball ledger`` lists it, ``flyball ledger verify`` checks its chain."""

from __future__ import annotations

from typing import Annotated

import typer

from flyball.cli.command import Cli, command, shown, with_common_options
from flyball.cli.look import now

LIMIT = 30


def register(app: typer.Typer) -> None:
    """Add these commands."""
    group = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    listing = with_common_options(_unless_verifying)
    group.callback(
        invoke_without_command=True, help=_unless_verifying.__doc__,
        epilog=shown("flyball ledger --model games --limit 10\nflyball ledger verify"),
    )(listing)  # fmt: skip
    command(group, verify, example="flyball ledger verify")
    app.add_typer(group, name="ledger")


def _unless_verifying(
    cli: Cli,
    ctx: typer.Context,
    model: Annotated[str | None, typer.Option(help="Only rows of this model.")] = None,
    limit: Annotated[
        int, typer.Option(min=0, help="Number of rows to show, the newest; 0 for all.")
    ] = LIMIT,
) -> None:
    """List what was done: who, when, what and why."""
    from flyball.cli.views import standing

    if ctx.invoked_subcommand is not None:
        return
    rows = cli.flyball.ledger(model, limit=limit or None)
    cli.answer(rows, lambda: standing.ledger(rows, now(), limit=limit))


def verify(cli: Cli) -> None:
    """Check that nobody changed the ledger.

    Exits with 1 if a row was changed, removed or reordered, and says which is the first.
    """
    rows = cli.flyball.verify_ledger()
    said = f"the ledger holds: {rows:,} rows, none changed, removed or reordered"
    cli.answer({"rows": rows, "verified": True}, lambda: [said])
