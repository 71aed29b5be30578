"""People in the data: ``flyball data forget``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from flyball.cli.command import Cli, command
from flyball.cli.loop import Model

STDIN = "-"


def register(group: typer.Typer) -> None:
    """Add these commands."""
    command(
        group, forget,
        example=(
            'flyball data forget games player-17 --reason "asked by letter of 1 March"\n'
            "flyball data forget games -"
        ),
    )  # fmt: skip


def forget(
    cli: Cli,
    model: Model,
    user: Annotated[
        str,
        typer.Argument(
            metavar="USER",
            show_default=False,
            help="Id of the person, as your data has it; - reads it from standard input.",
        ),
    ],
    reason: Annotated[
        str, typer.Option(help="The reason, for the ledger; without the person's id.")
    ] = "",
) -> None:
    """Remove a person from the events and from the next dataset version.

    Later batches leave out their rows that are dated before, or not dated. Lists the versions that
    learned from them, and what remains. Doing it again is harmless.
    """  # fmt: skip
    from flyball.cli.views import privacy as views

    asked = sys.stdin.readline().rstrip("\r\n") if user == STDIN else user
    done = cli.flyball.data.forget(model, asked, reason=reason)
    cli.answer(done, lambda: views.forgotten(done))
