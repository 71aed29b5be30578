"""All commands in one place, and what happens around every one of them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from flyball import __version__
from flyball.cli import (
    ab,
    access,
    data,
    decisions,
    drill,
    history,
    lab,
    ledger,
    lineage,
    look,
    loop,
    plan,
    reproduce,
    rules,
    setup,
    shown,
    up,
    verify,
)
from flyball.cli.problems import document, usage

app = typer.Typer(
    name="flyball",
    help="Keeps machine-learning models in production healthy.",
    epilog="\b\nStart here:\n  flyball up --sample\nHelp on a command:\n  flyball run --help",
    rich_markup_mode=None,  # plain help: rich would cost more time than all else together
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"flyball {__version__}")
        raise typer.Exit


@app.callback()
def flyball(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Keeps machine-learning models in production healthy."""
    del version


for _commands in (
    setup, up, loop, decisions, drill, ab, look, plan, reproduce, shown, rules, data, lab,
    access, lineage, ledger, verify, history,
):  # fmt: skip
    _commands.register(app)


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit code."""
    try:
        code = app(args=arguments or ["--help"], prog_name="flyball", standalone_mode=False)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "flyball"
        typer.echo(f"{command}: {error.format_message()} (try `{command} --help`)", err=True)
        if "--json" in arguments:
            typer.echo(document(usage(command, error.format_message())))
        return error.exit_code
    except typer.Abort:
        return 130
    sys.stdout.flush()
    return code if isinstance(code, int) else 0
