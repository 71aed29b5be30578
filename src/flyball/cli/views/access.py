"""Keys, clients, accounts and signing keys, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from flyball.cli.views.words import ago, below, coloured, facts, table
from flyball.domain.access import Scope

if TYPE_CHECKING:
    from flyball.access.shown import (
        AccessShown,
        KeyShown,
        NewClient,
        NewKey,
        PrincipalShown,
        SigningKeyShown,
    )

_MAY = {
    Scope.READ: "ask for answers, health and metrics",
    Scope.EVENTS: "send what users did",
}
_ONCE = Text("Shown this once: keep it where only its program can read it.", "yellow")


def everything(found: AccessShown, now: datetime) -> Iterator[RenderableType]:
    """All that lets somebody in."""
    yield from keys(found.keys, now)
    for part in principals(found.principals):
        yield below(part) if not isinstance(part, str) else part
    if found.signing_keys:
        made = table("Signing key", "State", "Made", "Ends", keep=("State",))
        for key in found.signing_keys:
            made.add_row(
                key.id, coloured(key.state), ago(key.created_at, now), _end(key.retired_at)
            )
        yield below(made)


def keys(found: Sequence[KeyShown], now: datetime) -> Iterator[RenderableType]:
    """API keys, as a table."""
    if not found:
        yield "no API key; `flyball access key create NAME --scope read` makes one"
        return
    made = table("Key", "Name", "Scopes", "State", "Made", "Ends", "Rate", keep=("Key", "State"))
    for key in found:
        rate = "" if key.rate is None else f"{key.rate:,}/min"
        made.add_row(
            key.id,
            key.name,
            ", ".join(key.scopes),
            coloured(key.state),
            ago(key.created_at, now),
            _end(key.revoked_at or key.expires_at),
            rate,
        )
    yield made


def principals(found: Sequence[PrincipalShown]) -> Iterator[RenderableType]:
    """Clients and accounts, as a table."""
    if not found:
        yield "no client and no account"
        return
    made = table("Kind", "Name", "Scopes", "State", keep=("Kind", "State"))
    for one in found:
        made.add_row(one.kind, one.name, ", ".join(one.scopes), coloured(one.state))
    yield made


def new_key(made: NewKey, now: datetime, *, told: bool = True) -> Iterator[RenderableType]:
    """The key itself, and what it is.

    Args:
        told: whether it was said what the key may do.
    """
    yield made.text
    yield below(_ONCE)
    yield "Programs send it with each request: `X-API-Key: KEY`, or `Authorization: Bearer KEY`."
    yield _may(made.key.scopes, told=told)
    yield from keys([made.key] if made.replaces is None else [made.replaces, made.key], now)


def new_client(made: NewClient, *, told: bool = True) -> Iterator[RenderableType]:
    """The client's secret, and what it is. See ``new_key``."""
    yield facts([("client id", made.client.name), ("client secret", made.secret)])
    yield below(_ONCE)
    yield "It exchanges them at `/auth/token` for access tokens."
    yield _may(made.client.scopes, told=told)
    yield from principals([made.client])


def new_account(made: PrincipalShown, *, told: bool = True) -> Iterator[RenderableType]:
    """The account. See ``new_key``."""
    yield from principals([made])
    yield _may(made.scopes, told=told)


def signing_key(made: SigningKeyShown, *, at_once: bool) -> Iterator[RenderableType]:
    """Which key signs now."""
    yield f"{made.id} signs from now on"
    yield "all tokens are void" if at_once else "tokens of the key before are good until they end"


def _may(scopes: Sequence[Scope], *, told: bool) -> str:
    said = "do everything" if Scope.ADMIN in scopes else " and ".join(map(_MAY.__getitem__, scopes))
    if told:
        return f"It may {said}."
    return (
        f"It may {said}, nothing else: no --scope was given. "
        "For more make another, with --scope read --scope events, or --scope admin."
    )


def _end(when: datetime | None) -> str:
    return "never" if when is None else when.strftime("%Y-%m-%d %H:%M UTC")
