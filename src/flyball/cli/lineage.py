"""``flyball lineage``: from a prediction, version, run or batch, everything up- and downstream."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flyball.cli.command import Cli, command
from flyball.cli.look import now
from flyball.errors import EnvironmentFailed, InvalidRequest


def register(app: typer.Typer) -> None:
    """Add this command."""
    command(
        app, lineage,
        example="flyball lineage games/1.2.0\n"
        "flyball lineage 5e5e5e5e5e5e --down\n"
        "flyball lineage games/3 --svg lineage.svg",
    )  # fmt: skip


def lineage(
    cli: Cli,
    id: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="A batch, dataset version, run, version, report, deployment or recommendation_id.",
            show_default=False,
        ),
    ],
    *,
    up: Annotated[bool, typer.Option("--up", help="Only what it was made from.")] = False,
    down: Annotated[bool, typer.Option("--down", help="Only what was made from it.")] = False,
    both: Annotated[bool, typer.Option("--both", help="Both. This is the default.")] = False,
    svg: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also draw it into this file.", show_default=False),
    ] = None,
) -> None:
    """Show what a record came from and what it led to.

    A hash may be cut to its beginning, a version to its number. Where an ID names several
    things, write the kind before it, for example batch:games/monday.
    """
    from flyball.cli.views import lineage as view

    if up + down + both > 1:
        raise InvalidRequest("--up, --down and --both exclude each other; give one of them")
    found = cli.flyball.data.lineage(id, direction="up" if up else "down" if down else "both")
    if svg is not None:
        _write(svg, cli.flyball.data.lineage_picture(found))
    cli.answer(found, lambda: view.tree(found, now(), drawn=svg))


def _write(file: Path, picture: str) -> None:
    try:
        file.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise EnvironmentFailed(
            f"{file} cannot be written: {error.strerror or error}; choose another file with --svg"
        ) from error
