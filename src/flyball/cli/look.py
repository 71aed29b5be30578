"""The commands that only look: status, versions, show, served."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from flyball.cli.command import Cli, command
from flyball.cli.loop import Model, Version
from flyball.errors import InvalidRequest


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(app, status, example="flyball status\nflyball status games --json")
    command(app, versions, example="flyball versions games")
    command(app, show, example="flyball show games 1.2.0")
    command(app, served, example="flyball served games --at 2026-03-01T18:00")


def status(
    cli: Cli,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]", help="Only this model, in detail. Default: all.", show_default=False
        ),
    ] = None,
) -> None:
    """Show what is running and what each model serves."""
    from flyball.cli.views import standing

    found = cli.flyball.status(model)
    cli.answer(found, lambda: standing.status(found, now(), detailed=model is not None))


def versions(cli: Cli, model: Model) -> None:
    """List all versions of a model, oldest first."""
    from flyball.cli.views import standing

    found = cli.flyball.versions(model)
    cli.answer(found, lambda: standing.versions(model, found, now()))


def show(cli: Cli, model: Model, version: Version) -> None:
    """Show everything recorded about a version."""
    from flyball.cli.views import details

    found = cli.flyball.show(model, version)
    cli.answer(found, lambda: details.version(found, now(), cli.flyball.page))


def served(
    cli: Cli,
    model: Model,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Time in ISO 8601, UTC unless it names a zone. Default: now.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show which version served at a given time, since when, and why."""
    from flyball.cli.views import standing

    when = moment(at) if at is not None else None
    found = cli.flyball.served(model, when)
    cli.answer(found, lambda: standing.served(found, now()))


def moment(text: str) -> datetime:
    """A time as ISO 8601 says it; in UTC where it names no zone.

    Raises:
        InvalidRequest: it cannot be read.
    """
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidRequest(
            f"--at {text!r} is not a time; write ISO 8601, for example 2026-03-01T18:00 (UTC) "
            "or 2026-03-01T18:00+01:00"
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def now() -> datetime:
    """The time that "3 min ago" counts from."""
    return datetime.now(UTC)
