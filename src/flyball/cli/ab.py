"""The group ``flyball ab``: two versions compared on live users, as registered beforehand."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from flyball.cli.command import Cli, command, shown, with_common_options
from flyball.cli.loop import Model, Version
from flyball.cli.shown import period
from flyball.domain.ab_test import Metric, Per, Spending
from flyball.domain.quantities import duration
from flyball.errors import InvalidRequest

Number = Annotated[
    int | None,
    typer.Argument(
        metavar="[NUMBER]", help="Which of its tests. Default: the newest.", show_default=False
    ),
]


def register(app: typer.Typer) -> None:
    """Add the group and its commands."""
    group = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    group.callback(help=_ab.__doc__, epilog=shown("flyball ab status games"))(
        with_common_options(_ab)
    )
    command(
        group, start,
        example="flyball ab start games\n"
        "flyball ab start games --metric purchases --effect 0.1 --horizon 3d --looks 0.5,1",
    )  # fmt: skip
    command(group, status, example="flyball ab status games")
    command(group, stop, example='flyball ab stop games --reason "the sale began"')
    command(group, list_, example="flyball ab list games")
    command(
        group, evidence,
        example="flyball ab evidence games 1.2.0\n"
        "flyball ab evidence games 1.2.0 --metric purchases --since 14d",
    )  # fmt: skip
    app.add_typer(group, name="ab")


def _ab(cli: Cli) -> None:
    """Compare the two versions of a rollout on live users, as registered beforehand."""
    del cli  # each subcommand has its own


def start(
    cli: Cli,
    model: Model,
    metric: Annotated[Metric, typer.Option(help="What is compared.")] = Metric.CLICKS,
    per: Annotated[Per, typer.Option(help="What it is divided by.")] = Per.ITEM,
    effect: Annotated[
        float,
        typer.Option(help="The least difference that matters, as a part of the champion's metric."),
    ] = 0.05,
    absolute: Annotated[
        bool, typer.Option("--absolute", help="The effect is in the metric's own unit instead.")
    ] = False,
    horizon: Annotated[
        str, typer.Option(metavar="TIME", help="How long it takes, for example 36h or 7d.")
    ] = "7d",
    looks: Annotated[
        str, typer.Option(metavar="LIST", help="Parts of the horizon after which it is judged.")
    ] = "0.25,0.5,0.75,1",
    alpha: Annotated[float, typer.Option(help="Error of the whole test, two-sided.")] = 0.05,
    spending: Annotated[
        Spending, typer.Option(help="How the error is divided over the looks.")
    ] = Spending.OBRIEN_FLEMING,
) -> None:
    """Register a test of a rollout's version (B) against the champion (A), and begin it.

    The rollout is held at its share until the test is over and somebody decides; if it is shown to
    do harm, it is withdrawn all the same. What is registered here can't be changed.
    """
    from flyball.cli.views import ab as view
    from flyball.steps.ab_test import Wanted

    wanted = Wanted(
        metric=metric,
        per=per,
        effect=effect,
        relative=not absolute,
        horizon=_period(horizon),
        looks=_fractions(looks),
        alpha=alpha,
        spending=spending,
    )
    found = cli.flyball.ab.start(model, wanted)
    cli.answer(found, lambda: view.started(found))


def status(cli: Cli, model: Model, number: Number = None) -> None:
    """Tell what a test says so far: at its registered looks, and no others.

    Looks that are due are taken and written to the ledger.
    """
    from flyball.cli.views import ab as view

    found = cli.flyball.ab.status(model, number)
    cli.answer(found, lambda: view.stands(found))


def stop(
    cli: Cli,
    model: Model,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="The reason, for the ledger.")] = "",
) -> None:
    """End the test that is under way. Its rollout stays held until somebody decides."""
    from flyball.cli.views import ab as view

    found = cli.flyball.ab.stop(model, reason=reason)
    cli.answer(found, lambda: view.stands(found))


def list_(cli: Cli, model: Model) -> None:
    """List the tests of a model, with their answers."""
    from flyball.cli.views import ab as view

    found = cli.flyball.ab.list(model)
    cli.answer(found, lambda: view.listed(model, found))


def evidence(
    cli: Cli,
    model: Model,
    version: Version,
    metric: Annotated[
        Metric, typer.Option(help="What is compared, per shown item.")
    ] = Metric.CLICKS,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="How far back, for example 90m, 24h or 7d.")
    ] = "7d",
) -> int:
    """Tell what logged lists say of a version that was never shown.

    From the champion's lists that had chance in them, since the version's training data ended.
    Exit code 1: they are not enough to say anything.
    """
    from flyball.cli.views import ab as view

    found = cli.flyball.ab.evidence(model, version, metric=metric, since=period(since))
    cli.answer(found, lambda: view.evidence(found))
    return 1 if found.insufficient else 0


def _period(text: str) -> timedelta:
    try:
        return duration(text)
    except ValueError as error:
        raise InvalidRequest(f"--horizon {text!r} is {error}") from None


def _fractions(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InvalidRequest(
            f"--looks {text!r} are no parts of the horizon; write for example 0.5,1"
        ) from None
