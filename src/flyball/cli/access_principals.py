"""Those who get tokens: ``flyball access client`` and ``flyball access account``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from flyball.cli.access_keys import Scopes, allowed
from flyball.cli.command import Cli, command
from flyball.errors import ConfigurationError

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", show_default=False, help="Lower-case letters, digits and . _ @ + -."
    ),
]
Reason = Annotated[str, typer.Option(help="The reason, for the ledger.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input, one line.")
]


def register(clients: typer.Typer, accounts: typer.Typer) -> None:
    """Add these commands."""
    command(
        clients, create_client, name="create",
        example="flyball access client create shop-backend --scope read --scope events",
    )  # fmt: skip
    command(
        clients, rotate_client, name="rotate", example="flyball access client rotate shop-backend"
    )
    command(
        accounts, create_account, name="create",
        example="flyball access account create ada --scope admin\n"
        "flyball access account create ada --scope admin --password-stdin < password.txt",
    )  # fmt: skip
    command(accounts, password, example="flyball access account password ada")
    for group, kind, name in ((clients, "client", "shop-backend"), (accounts, "account", "ada")):
        for verb in (disable, enable):
            command(
                group, verb(kind), name=verb.__name__,
                example=f"flyball access {kind} {verb.__name__} {name}",
            )  # fmt: skip


def create_client(cli: Cli, name: Name, scope: Scopes = None) -> None:
    """Make an OAuth2 client. Its secret is shown once."""
    from flyball.cli.views import access as view

    made = cli.flyball.access.create_client(name, allowed(scope))
    cli.answer(made, lambda: view.new_client(made, told=bool(scope)))


def rotate_client(cli: Cli, name: Name) -> None:
    """Give a client a new secret, shown once. The old one and its tokens are void at once."""
    from flyball.cli.views import access as view

    made = cli.flyball.access.rotate_client(name)
    cli.answer(made, lambda: view.new_client(made))


def create_account(
    cli: Cli, name: Name, scope: Scopes = None, password_stdin: FromStdin = False
) -> None:
    """Make an account. Asks for its password: 12 characters or more, never an argument."""
    from flyball.cli.views import access as view

    made = cli.flyball.access.create_account(name, _password(password_stdin), allowed(scope))
    cli.answer(made, lambda: view.new_account(made, told=bool(scope)))


def password(cli: Cli, name: Name, password_stdin: FromStdin = False) -> None:
    """Give an account another password. It is signed out everywhere."""
    from flyball.cli.views import access as view

    changed = cli.flyball.access.set_password(name, _password(password_stdin))
    cli.answer(changed, lambda: view.principals([changed]))


def disable(kind: str) -> Callable[..., None]:
    """The command that disables a client or an account."""

    def disabled(cli: Cli, name: Name, reason: Reason = "") -> None:
        from flyball.cli.views import access as view

        changed = cli.flyball.access.disable(kind, name, reason=reason)
        cli.answer(changed, lambda: view.principals([changed]))

    disabled.__doc__ = f"Let nobody in by this {kind}; its tokens are void. Again is harmless."
    return disabled


def enable(kind: str) -> Callable[..., None]:
    """The command that lets a disabled client or account in again."""

    def enabled(cli: Cli, name: Name, reason: Reason = "") -> None:
        from flyball.cli.views import access as view

        changed = cli.flyball.access.enable(kind, name, reason=reason)
        cli.answer(changed, lambda: view.principals([changed]))

    enabled.__doc__ = f"Let a disabled {kind} in again. Its old tokens stay void."
    return enabled


def _password(from_stdin: bool) -> str:
    """The password, from a line of standard input or from who sits before the terminal.

    Raises:
        ConfigurationError: there is no terminal to ask at, or no line.
    """
    if not from_stdin:
        if not sys.stdin.isatty():
            raise ConfigurationError(
                "there is no terminal to ask for the password at; give it on standard input "
                "with --password-stdin"
            )
        typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return typed
    line = sys.stdin.readline()
    if not line.strip("\r\n"):
        raise ConfigurationError("standard input holds no password; its first line must be it")
    return line.rstrip("\r\n")
