"""The group ``flyball data``: what is in a model's dataset, and what it may hold."""

from __future__ import annotations

import typer

from flyball.cli.command import Cli, shown, with_common_options


def register(app: typer.Typer) -> None:
    """Add the group and its commands."""
    from flyball.cli import data_privacy, data_profile, data_quarantine, data_schema, data_versions

    group = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    group.callback(
        help=_data.__doc__,
        epilog=shown("flyball data log games\nflyball data profile games"),
    )(with_common_options(_data))
    for commands in (data_versions, data_profile, data_quarantine, data_schema, data_privacy):
        commands.register(group)
    app.add_typer(group, name="data")


def _data(cli: Cli) -> None:
    """Look at a model's data, repair it, move it."""
    del cli  # each subcommand has its own
