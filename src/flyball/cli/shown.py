"""``flyball shown``: what was shown, and what came of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from flyball.cli.command import Cli, command
from flyball.cli.loop import Model
from flyball.errors import InvalidRequest


def register(app: typer.Typer) -> None:
    """Add this command."""
    command(
        app, shown,
        example="flyball shown games\nflyball shown games --since 7d --out shown.parquet",
    )  # fmt: skip


def shown(
    cli: Cli,
    model: Model,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="How far back, for example 90m, 24h or 7d.")
    ] = "24h",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also write one row a shown item into this Parquet file.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Count what was shown, by version and variant: lists, items, clicks, purchases.

    An item counts as rendered where an impression says that it was on a screen.
    """
    from flyball.cli.views import shown as view

    found = cli.flyball.shown(model, since=period(since), out=out)
    cli.answer(found, lambda: view.shown(found))


def period(text: str) -> timedelta:
    """What ``--since`` names.

    Raises:
        InvalidRequest: it cannot be read.
    """
    from pydantic import TypeAdapter, ValidationError

    from flyball.settings import Duration

    try:
        return TypeAdapter(Duration).validate_python(text)
    except ValidationError:
        raise InvalidRequest(
            f"--since {text!r} is not a duration; write for example 90m, 24h or 7d"
        ) from None
