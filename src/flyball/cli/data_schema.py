"""``flyball data infer`` and ``flyball data schema``: what a dataset's rows may be."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from flyball.cli.command import Cli, command
from flyball.cli.loop import NO, Model, Query


def register(group: typer.Typer) -> None:
    """Add these commands."""
    command(
        group, infer,
        example="flyball data infer shop.csv --name orders --out orders.json\n"
        "flyball data infer sqlite:///shop.db --query 'SELECT * FROM sales'",
    )  # fmt: skip
    command(group, schema, example="flyball data schema games\nflyball data schema games --accept")


def infer(
    cli: Cli,
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...", help="What to look at, as for `flyball ingest`; of one kind.",
            show_default=False,
        ),
    ],
    name: Annotated[str, typer.Option(metavar="TABLE", help="What to call the table.")] = "rows",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write it there as a data package, with notes to review.",
            show_default=False,
        ),
    ] = None,
    query: Query = None,
) -> None:  # fmt: skip
    """Propose a schema for data that is new, with a reason for each guess.

    Reads all of it. Review the file, then name it as `schema_file` of the model.
    """
    from flyball.cli.views import schemas as view
    from flyball.domain.table_schema import to_package

    found = cli.flyball.data.infer(
        sources, table=name, query=query, out=out, stdin=getattr(sys.stdin, "buffer", None)
    )
    package = to_package([found.schema], review={name: found.notes})
    answer = {"rows": found.rows, "written": str(out) if out else None, "package": package}
    cli.answer(answer, lambda: view.inferred(found, out))


def schema(
    cli: Cli,
    model: Model,
    accept: Annotated[
        bool,
        typer.Option("--accept", help="Take the declared schema, also where it breaks."),
    ] = False,
) -> int:
    """Show the declared schema of a model's data, and how it differs from the recorded one.

    Exits with 1 if it breaks with that: the next ingest would be refused.
    """
    from flyball.cli.views import schemas as view

    data = cli.flyball.data
    found = data.accept_schema(model) if accept else data.schema(model)
    cli.answer(found, lambda: view.schema(found, accepted=accept))
    return NO if found.breaking else 0
