"""``flyball verify``: does the signed evidence of a version hold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flyball.cli.command import Cli, command
from flyball.cli.look import now
from flyball.errors import InvalidRequest


def register(app: typer.Typer) -> None:
    """Add this command."""
    command(
        app, verify,
        example="flyball verify games 1.2.0\n"
        "flyball verify games 1.2.0 --out evidence.json\n"
        "flyball verify --bundle evidence.json --key public.pem",
    )  # fmt: skip


def verify(
    cli: Cli,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]",
            help="Name of the model, or a recommendation_id that the version answered.",
            show_default=False,
        ),
    ] = None,
    version: Annotated[
        str | None,
        typer.Argument(
            metavar="[VERSION]",
            help="Full name of the version, or just its number. Default: the one that serves.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write the bundles there.", show_default=False),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Check what --out wrote, and no installation.", show_default=False
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Trust only this public key (PEM). Default: those in <home>/evidence.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Check the signed evidence of every move of a version.

    Needs no running process and no network. Exits with 1 if anything does not hold, and names the
    first thing: a signature, a bundle, a row of the ledger, a record, a file.
    """
    from flyball.cli.views import evidence as view

    if bundle is not None:
        if model is not None or version is not None or out is not None:
            raise InvalidRequest("--bundle is checked by itself: leave out MODEL, VERSION, --out")
        if key is None:
            raise InvalidRequest("--bundle needs --key: the public key that you trust")
        held = cli.flyball.verify_file(bundle, key=key)
    elif model is None:
        raise InvalidRequest("name a MODEL and a VERSION, or a file with --bundle")
    else:
        held = cli.flyball.verify(model, version, key=key, out=out)
    cli.answer(held, lambda: view.holds(held, now(), out=out))
