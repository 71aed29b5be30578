"""The commands with which an operator decides: hold, resume, approve, promote, abort, archive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flyball.cli.command import Cli, command
from flyball.cli.loop import Model, Version

if TYPE_CHECKING:
    from flyball.answers import Decided

Reason = Annotated[str, typer.Option(metavar="TEXT", help="The reason, for the ledger.")]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(app, hold, example='flyball hold games 1.2.0 --reason "sale starts at noon"')
    command(app, resume, example="flyball resume games 1.2.0")
    command(app, approve, example='flyball approve games 1.2.0 --reason "lists look right"')
    command(app, promote, example='flyball promote games 1.2.0 --reason "fixes the outage"')
    command(app, abort, example='flyball abort games 1.2.0 --reason "odd covers"')
    command(app, archive, example='flyball archive games 1.0.0 --reason "holds erased data"')


def hold(cli: Cli, model: Model, version: Version, reason: Reason = "") -> None:
    """Keep a rollout at its share of the traffic.

    It stays there until `flyball resume`. If it is shown to do harm, it is withdrawn all the same.
    """
    _tell(cli, cli.flyball.hold(model, version, reason=reason))


def resume(cli: Cli, model: Model, version: Version, reason: Reason = "") -> None:
    """Let a rollout that is held go on.

    What was seen so far still counts; its step has its whole time again.
    """
    _tell(cli, cli.flyball.resume(model, version, reason=reason))


def approve(cli: Cli, model: Model, version: Version, reason: Reason = "") -> None:
    """Approve that a rollout takes full traffic.

    Needed where `rollout.approval` is `manual`. The evidence must suffice as well.
    """
    _tell(cli, cli.flyball.approve(model, version, reason=reason))


def promote(cli: Cli, model: Model, version: Version, reason: Reason = "") -> None:
    """Give a rollout all traffic now.

    Whatever was shown so far. The version before stays loaded, and the bake watches the new one.
    """
    _tell(cli, cli.flyball.promote(model, version, reason=reason))


def abort(cli: Cli, model: Model, version: Version, reason: Reason = "") -> None:
    """End a rollout: the champion answers everybody again, at once."""
    _tell(cli, cli.flyball.abort(model, version, reason=reason))


def archive(cli: Cli, model: Model, version: Version, reason: Reason = "") -> None:
    """Take a version out of use for good.

    Not one that serves. If it stands by, a rollback can no longer bring it back.
    """
    _tell(cli, cli.flyball.archive(model, version, reason=reason))


def _tell(cli: Cli, done: Decided) -> None:
    from flyball.cli.views import rollouts

    cli.answer(done, lambda: rollouts.decided(done))
