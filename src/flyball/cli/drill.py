"""The group ``flyball drill``: rehearsed faults on the live system, with measured outcomes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from flyball.cli.command import Cli, command, shown, with_common_options
from flyball.cli.loop import Model
from flyball.errors import InvalidRequest

NO = 1
"""The exit code where it fell short."""


def register(app: typer.Typer) -> None:
    """Add the group and its commands."""
    group = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    example = shown("flyball drill rollback games --yes\nflyball drill notify")
    group.callback(help=_drill.__doc__, epilog=example)(with_common_options(_drill))
    command(
        group, rollback,
        example="flyball drill rollback games\nflyball drill rollback games --yes --within 0.5",
    )  # fmt: skip
    command(group, notify, example="flyball drill notify")
    app.add_typer(group, name="drill")


def _drill(cli: Cli) -> None:
    """Rehearse a fault on the live system, and measure how it is met."""
    del cli  # each subcommand has its own


def rollback(
    cli: Cli,
    model: Model,
    within: Annotated[
        float,
        typer.Option(
            min=0.001,
            help="Seconds in which the last worker must have acknowledged a switch.",
        ),
    ] = 1.0,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
) -> int:
    """Rehearse a rollback: the version before serves for a moment, then the present one again.

    Real users are answered by the version before meanwhile. Measures both switches, asks every
    worker what it serves, and counts the requests that failed. Exits with 1 if that fell short.
    """
    from flyball.cli.views import drill as view

    if not yes and not _meant(model):
        cli.say("nothing was done")
        return NO
    found = cli.flyball.drills.rollback(model, within_s=within)
    cli.answer(found, lambda: view.rollback(found))
    return NO if found.shortfalls else 0


def _meant(model: str) -> bool:
    """Whether the person says so. Raises InvalidRequest where there is nobody to ask."""
    if not sys.stdin.isatty():
        raise InvalidRequest(
            f"this switches the live traffic of {model} to the version before for a moment; "
            "add --yes to say that you mean it"
        )
    question = f"Switch all traffic of {model} to the version before for a moment, and back?"
    return typer.confirm(question, err=True)


def notify(cli: Cli) -> int:
    """Send a test notice to everybody who is told of rollbacks.

    Exits with 1 if anybody could not be told.
    """
    from flyball.cli.views import drill as view

    found = cli.flyball.drills.notify()
    cli.answer(found, lambda: view.noticed(found))
    return NO if any(one.problem for one in found) else 0
