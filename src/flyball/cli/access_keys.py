"""API keys: ``flyball access key``."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from flyball.cli.command import Cli, command
from flyball.cli.look import now
from flyball.domain.access import Scope
from flyball.errors import InvalidRequest

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the key.", show_default=False)]
Expires = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", show_default=False,
        help="How long it works, for example 90d. Default: until it is revoked.",
    ),
]  # fmt: skip
Scopes = Annotated[
    list[Scope] | None,
    typer.Option(
        "--scope", metavar="SCOPE", show_default=False,
        help="What it allows; may be repeated. read: ask; events: send what users did; admin: all. "
        "Default: read.",
    ),
]  # fmt: skip


def register(group: typer.Typer) -> None:
    """Add these commands."""
    command(
        group, create,
        example="flyball access key create shop --scope read --scope events\n"
        "flyball access key create page\n"
        "flyball access key create nightly --scope read --expires 90d --rate 600",
    )  # fmt: skip
    command(group, list_, example="flyball access key list")
    command(
        group, rotate,
        example="flyball access key rotate 0123456789ab\n"
        "flyball access key rotate 0123456789ab --grace 24h",
    )  # fmt: skip
    command(group, revoke, example='flyball access key revoke 0123456789ab --reason "it leaked"')


def create(
    cli: Cli,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What it is for.", show_default=False)
    ],
    scope: Scopes = None,
    expires: Expires = None,
    rate: Annotated[
        int | None,
        typer.Option(min=1, help="Most requests a minute. Default: from the settings."),
    ] = None,
) -> None:
    """Make an API key. It is shown once."""
    from flyball.cli.views import access as view

    made = cli.flyball.access.create_key(
        name, allowed(scope), expires=_time(expires, "--expires"), rate=rate
    )
    cli.answer(made, lambda: view.new_key(made, now(), told=bool(scope)))


def list_(cli: Cli) -> None:
    """List all API keys. Nothing of their secrets is shown."""
    from flyball.cli.views import access as view

    found = cli.flyball.access.keys()
    cli.answer(found, lambda: view.keys(found, now()))


def rotate(
    cli: Cli,
    id: Id,
    grace: Annotated[
        str, typer.Option(metavar="TIME", help="How long the old one works on; 0 ends it at once.")
    ] = "1h",
    expires: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", show_default=False,
            help="How long the new one works. Default: as long as the old one was made for.",
        ),
    ] = None,
) -> None:  # fmt: skip
    """Make a new API key in place of another, which works on for a while.

    Name, scopes and rate stay. The new key is shown once.
    """
    from flyball.cli.views import access as view

    allowed = _time(grace, "--grace") or timedelta(0)
    made = cli.flyball.access.rotate_key(id, grace=allowed, expires=_time(expires, "--expires"))
    cli.answer(made, lambda: view.new_key(made, now()))


def revoke(
    cli: Cli,
    id: Id,
    reason: Annotated[str, typer.Option(help="The reason, for the ledger.")] = "",
) -> None:
    """End an API key now and for good. Doing it again is harmless."""
    from flyball.cli.views import access as view

    ended = cli.flyball.access.revoke_key(id, reason=reason)
    cli.answer(ended, lambda: view.keys([ended], now()))


def allowed(scope: list[Scope] | None) -> list[Scope]:
    """What was asked for, or else the least there is."""
    return scope or [Scope.READ]


def _time(text: str | None, option: str) -> timedelta | None:
    """A duration, as settings have it: 90s, 15m, 24h, 90d.

    Raises:
        InvalidRequest: it cannot be read.
    """
    if text is None:
        return None
    from pydantic import TypeAdapter, ValidationError

    from flyball.settings import Duration

    try:
        found: timedelta = TypeAdapter(Duration).validate_python(text)
    except ValidationError:
        raise InvalidRequest(
            f"{option} {text!r} is not a time; write for example 90s, 15m, 24h or 90d"
        ) from None
    return found
