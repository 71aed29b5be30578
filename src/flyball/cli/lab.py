"""The group ``flyball lab``: experiments on the data there is."""

from __future__ import annotations

from typing import Annotated

import typer

from flyball.cli.command import Cli, command, shown, with_common_options
from flyball.cli.loop import Model
from flyball.cli.progress import follow

LAUNCH = "launch"


def register(app: typer.Typer) -> None:
    """Add the group and its commands."""
    group = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    group.callback(help=_lab.__doc__, epilog=shown("flyball lab launch games"))(
        with_common_options(_lab)
    )
    command(
        group, launch,
        example="flyball lab launch games\nflyball lab launch games 1.2.0 --share 0.05\n"
        "flyball lab launch games --family content",
    )  # fmt: skip
    app.add_typer(group, name="lab")


def _lab(cli: Cli) -> None:
    """Try a model out on the data there is. Nothing is recorded."""
    del cli  # each subcommand has its own


def launch(
    cli: Cli,
    model: Model,
    version: Annotated[
        str | None,
        typer.Argument(
            metavar="[VERSION]",
            help="Version whose family and settings to try, by name or number. "
            "Default: the one that serves, else the newest.",
            show_default=False,
        ),
    ] = None,
    share: Annotated[
        float, typer.Option(help="Share of the games to hide: the last to be released.")
    ] = 0.1,
    family: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Try this family with its default settings instead."),
    ] = None,
) -> None:
    """Hide known games by release date, and see whether their players are shown them.

    On day 0 nobody has a hidden game; on day 7, where rows are dated, the first week of each is
    known.
    """
    from flyball.cli.views import lab as view

    with follow(LAUNCH):
        found = cli.flyball.lab(LAUNCH, model, version=version, family=family, share=share)
    cli.answer(found, lambda: view.launched(found))
