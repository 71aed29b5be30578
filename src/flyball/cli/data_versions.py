"""``flyball data log, diff, checkout, push, pull, gc``: the versions of a model's dataset."""

from __future__ import annotations

from typing import Annotated

import typer

from flyball.cli.command import Cli, command
from flyball.cli.look import now
from flyball.cli.loop import Model

Older = Annotated[
    str,
    typer.Argument(metavar="A", help="Hash of a version, or its beginning.", show_default=False),
]
Newer = Annotated[
    str | None,
    typer.Argument(metavar="[B]", help="Likewise. Default: the newest.", show_default=False),
]
DataVersion = Annotated[
    str | None,
    typer.Argument(
        metavar="[VERSION]",
        help="Hash of the dataset version, or its beginning. Default: the newest.",
        show_default=False,
    ),
]


def register(group: typer.Typer) -> None:
    """Add these commands."""
    command(group, log, example="flyball data log games")
    command(
        group, diff, example="flyball data diff games 3f2a9c 81d04e\nflyball data diff games 3f2a"
    )
    command(
        group, checkout,
        example="flyball data checkout games 3f2a9c\nflyball data checkout games",
    )  # fmt: skip
    command(group, push, example="flyball data push games")
    command(group, pull, example="flyball data pull games 3f2a9c")
    command(group, gc, example="flyball data gc --dry-run")


def log(cli: Cli, model: Model) -> None:
    """List the versions of a dataset, newest first: what changed, and who learned from it."""
    from flyball.cli.views import datasets as view

    found = cli.flyball.data.log(model)
    cli.answer(found, lambda: view.log(model, found, now()))


def diff(cli: Cli, model: Model, a: Older, b: Newer = None) -> None:
    """Show what is different in B: rows, people, items, and which distributions moved."""
    from flyball.cli.views import datasets as view

    found = cli.flyball.data.diff(model, a, b)
    cli.answer(found, lambda: view.difference(found))


def checkout(cli: Cli, model: Model, version: DataVersion = None) -> None:
    """Lay out a dataset version in the home's folder data/MODEL, for you and for dvc.

    Only that folder changes: the next batch is added to the newest version all the same.
    """
    from flyball.cli.views import datasets as view

    done = cli.flyball.data.checkout(model, version)
    cli.answer(done, lambda: view.checked_out(done))


def push(cli: Cli, model: Model, version: DataVersion = None) -> None:
    """Copy a dataset version to the remote (setting `datasets.remote`): a directory, or S3."""
    from flyball.cli.views import datasets as view

    done = cli.flyball.data.push(model, version)
    cli.answer(done, lambda: view.pushed(done))


def pull(cli: Cli, model: Model, version: DataVersion = None) -> None:
    """Bring a dataset version from the remote, as far as it is not here.

    One that is not recorded in this home needs its whole hash.
    """
    from flyball.cli.views import datasets as view

    done = cli.flyball.data.pull(model, version)
    cli.answer(done, lambda: view.pulled(done))


def gc(
    cli: Cli,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed.")
    ] = False,
) -> None:
    """Remove data files that nothing needs any more, of all models.

    What the newest dataset version of a model has stays, and what a model version or a training run
    names. So does what was stored less than an hour ago.
    """
    from flyball.cli.views import datasets as view

    done = cli.flyball.data.collect(dry_run=dry_run)
    cli.answer(done, lambda: view.collected(done))
