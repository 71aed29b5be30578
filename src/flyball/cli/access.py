"""The group ``flyball access``: who may do what on the API."""

from __future__ import annotations

import typer

from flyball.cli import access_keys, access_principals
from flyball.cli.command import Cli, command, shown, with_common_options
from flyball.cli.look import now


def register(app: typer.Typer) -> None:
    """Add the group and its commands."""
    group = _group(
        _access, "flyball access key create shop --scope read --scope events\nflyball access list"
    )
    keys = _group(_key, "flyball access key create shop --scope read --scope events")
    clients = _group(_client, "flyball access client create shop-backend --scope read")
    accounts = _group(_account, "flyball access account create ada --scope admin")
    access_keys.register(keys)
    access_principals.register(clients, accounts)
    group.add_typer(keys, name="key")
    group.add_typer(clients, name="client")
    group.add_typer(accounts, name="account")
    command(group, list_, example="flyball access list")
    command(
        group, rotate_signing_key, name="rotate-signing-key",
        example="flyball access rotate-signing-key\nflyball access rotate-signing-key --at-once",
    )  # fmt: skip
    app.add_typer(group, name="access")


def _group(about: object, example: str) -> typer.Typer:
    group = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    group.callback(help=about.__doc__, epilog=shown(example))(with_common_options(about))  # type: ignore[arg-type]
    return group


def _access(cli: Cli) -> None:
    """Say who may do what: API keys, OAuth2 clients, accounts. Workers follow within a second."""
    del cli  # each subcommand has its own


def _key(cli: Cli) -> None:
    """API keys, for programs: sent with each request as a bearer token or as X-API-Key."""
    del cli


def _client(cli: Cli) -> None:
    """OAuth2 clients, for programs that exchange a secret for short-lived tokens."""
    del cli


def _account(cli: Cli) -> None:
    """Accounts, for people who sign in with a password."""
    del cli


def list_(cli: Cli) -> None:
    """List all keys, clients, accounts and signing keys. Nothing of their secrets is shown."""
    from flyball.cli.views import access as view

    found = cli.flyball.access.list()
    cli.answer(found, lambda: view.everything(found, now()))


def rotate_signing_key(
    cli: Cli,
    at_once: bool = typer.Option(
        False, "--at-once", help="Void all tokens now, as after a leak: everybody signs in again."
    ),
) -> None:
    """Let another key sign access tokens.

    Nobody is signed out: tokens of the key before are good until they expire, within an hour.
    """
    from flyball.cli.views import access as view

    made = cli.flyball.access.rotate_signing_key(at_once=at_once)
    cli.answer(made, lambda: view.signing_key(made, at_once=at_once))
