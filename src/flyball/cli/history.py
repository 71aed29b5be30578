"""``flyball history``: the story of a model or a version."""

from __future__ import annotations

from typing import Annotated

import typer

from flyball.cli.command import Cli, command
from flyball.cli.look import now


def register(app: typer.Typer) -> None:
    """Add this command."""
    command(app, history, example="flyball history games\nflyball history games 1.2.0")


def history(
    cli: Cli,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="Name of the model, or a recommendation_id: then the version that answered.",
            show_default=False,
        ),
    ],
    version: Annotated[
        str | None,
        typer.Argument(
            metavar="[VERSION]",
            help="Full name of the version, or just its number. Default: the whole model.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Tell what happened, in order: who did what, when, why, and with which evidence."""
    from flyball.cli.views import evidence as view

    told = cli.flyball.history(model, version)
    cli.answer(told, lambda: view.history(told, now()))
