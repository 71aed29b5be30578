"""``flyball plan``: what a rollout would find, and how soon, before any traffic moves."""

from __future__ import annotations

from typing import Annotated

import typer

from flyball.cli.command import Cli, command
from flyball.cli.loop import Model
from flyball.cli.shown import period


def register(app: typer.Typer) -> None:
    """Add this command."""
    command(app, plan, example="flyball plan games\nflyball plan games --requests-per-second 40")


def plan(
    cli: Cli,
    model: Model,
    requests_per_second: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            help="Plan for this much traffic instead of what was recorded.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="How far back, for example 90m, 24h or 7d.")
    ] = "24h",
) -> None:
    """Tell what each step of a rollout would find at today's traffic, and how soon.

    Simulates the judge of rollouts on traffic like the recorded one. Nothing is changed.
    """
    from flyball.cli.views import plans as view

    found = cli.flyball.plan(model, requests_per_second=requests_per_second, since=period(since))
    cli.answer(found, lambda: view.plan(found))
