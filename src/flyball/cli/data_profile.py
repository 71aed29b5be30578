"""What the data looks like: ``flyball data profile``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flyball.cli.command import Cli, command
from flyball.cli.loop import Model
from flyball.errors import StorageUnavailable


def register(group: typer.Typer) -> None:
    """Add these commands."""
    command(
        group, profile,
        example=(
            "flyball data profile games --html profile.html\n"
            "flyball data profile games 2026-03-01\n"
            "flyball data profile games --table catalogue --json"
        ),
    )  # fmt: skip


def profile(
    cli: Cli,
    model: Model,
    which: Annotated[
        str | None,
        typer.Argument(
            metavar="[BATCH_OR_VERSION]",
            help="Batch id or dataset version. Default: the newest version.",
            show_default=False,
        ),
    ] = None,
    table: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Table of the version. Default: the first.", show_default=False
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE", help="Also write a page with pictures.", show_default=False
        ),
    ] = None,
) -> None:
    """Show counts, quantiles, common values and anomalies of a batch or a dataset version."""
    from flyball.cli.views import profiles as views

    found = cli.flyball.data.profile(model, which, table=table)
    if html is not None:
        _write(html, cli.flyball.data.page(found))
    cli.answer(found.in_short(), lambda: views.profile(found, html))


def _write(path: Path, page: str) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise StorageUnavailable(
            f"the page cannot be written to {path}: {error.strerror}; name another file"
        ) from error
