"""The commands that turn the loop: run, ingest, train, validate, deploy, rollback."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from flyball.cli.command import Cli, command
from flyball.cli.interrupts import durable
from flyball.cli.progress import follow
from flyball.domain.deployment import Phase
from flyball.domain.validation import Decision
from flyball.errors import InvalidRequest

NO = 1
"""The exit code where the answer is no."""

_BADLY = frozenset({Phase.FAILED, Phase.ROLLED_BACK})

Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="Name of the model.", show_default=False)
]
Version = Annotated[
    str,
    typer.Argument(
        metavar="VERSION",
        help="Full name of the version, or just its number.",
        show_default=False,
    ),
]


Query = Annotated[
    str | None,
    typer.Option(metavar="SELECT", help="What to read, where SOURCE is a database's URL."),
]
FromEvents = Annotated[
    bool, typer.Option("--from-events", help="Also ingest the API's events that no batch has yet.")
]
AcceptAnomalies = Annotated[
    bool,
    typer.Option("--accept-anomalies", help="Take batches that are severely abnormal, too."),
]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(app, run, example="flyball run games purchases.csv", around=durable)
    command(
        app, ingest, around=durable,
        example="flyball ingest games monday.csv tuesday.csv.gz\n"
        "flyball ingest games sqlite:///shop.db --query 'SELECT user_id, title FROM sales'\n"
        "flyball ingest games --from-events",
    )  # fmt: skip
    command(app, train, example="flyball train games --trials 20 --timeout 300", around=durable)
    command(app, validate, example="flyball validate games 1.2.0", around=durable)
    command(
        app, deploy, around=durable,
        example="flyball deploy games 1.2.0\nflyball deploy games 1.2.0 --strategy blue-green",
    )  # fmt: skip
    command(
        app, rollback, example='flyball rollback games --reason "complaints about prices"',
        around=durable,
    )  # fmt: skip


def run(
    cli: Cli,
    model: Model,
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SOURCE]...",
            help="What to ingest first, as for `flyball ingest`. "
            "Default: train on the data already there.",
            show_default=False,
        ),
    ] = None,
    query: Query = None,
    from_events: FromEvents = False,
    accept_anomalies: AcceptAnomalies = False,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait/--no-wait", help="Follow it to the end, or leave it to a running `flyball up`."
        ),
    ] = True,
) -> int:
    """Turn the loop once: ingest, train, validate, deploy.

    Steps already done are not repeated. Exits with 1 if the candidate is not promoted or its
    deployment fails.
    """
    from flyball.cli.views import turns

    how = _how(query, from_events, accept_anomalies)
    if not wait:
        workflow = cli.flyball.run(model, sources or (), wait=False, **how)
        cli.answer({"workflow": workflow}, lambda: turns.handed_over(model, str(workflow)))
        return 0
    with follow("ingest" if sources or from_events else "train") as progress:
        turn = cli.flyball.run(model, sources or (), progress=progress, **how)
    assert not isinstance(turn, str)
    cli.answer(turn, lambda: turns.turn(turn, cli.flyball.page(turn.report)))
    served = turn.deployed is not None and turn.deployed.deployment.phase not in _BADLY
    return 0 if turn.report.decision is Decision.PROMOTE and served else NO


def ingest(
    cli: Cli,
    model: Model,
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SOURCE]...",
            help="Files (CSV, JSONL, Parquet, Arrow; also gz, zst, zip), globs, directories, "
            "http(s):// or s3:// URLs, a database's URL, or - for standard input. "
            "Each becomes one batch.",
            show_default=False,
        ),
    ] = None,
    query: Query = None,
    from_events: FromEvents = False,
    accept_anomalies: AcceptAnomalies = False,
    batch_id: Annotated[
        str | None, typer.Option(help="A name for the batch. Default: made from its content.")
    ] = None,
) -> None:  # fmt: skip
    """Store one or more batches of data.

    Rows that are already stored are recognised: nothing is stored twice.
    """
    from flyball.cli.views import turns

    if not sources and not from_events:
        raise typer.BadParameter(
            "give a file or another source, or --from-events", param_hint="SOURCE"
        )
    if batch_id is not None and len(sources or ()) > 1:
        raise InvalidRequest("--batch-id names one batch: give one SOURCE with it")
    how = _how(query, from_events, accept_anomalies)
    with follow("ingest") as progress:
        done = cli.flyball.ingest(model, sources or (), batch_id=batch_id, progress=progress, **how)
    cli.answer(done, lambda: turns.ingested(done))


def train(
    cli: Cli,
    model: Model,
    trials: Annotated[
        int | None,
        typer.Option(min=1, help="Most configurations to try. Default: from the settings."),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            min=0.001, help="Start no trial after this many seconds. Default: from the settings."
        ),
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Dataset version to train on. Default: the newest.")
    ] = None,
) -> None:
    """Train a candidate: search, fit, track and register it."""
    from flyball.cli.views import turns

    with follow("train") as progress:
        done = cli.flyball.train(
            model, trials=trials, timeout_s=timeout, data=data, progress=progress
        )
    cli.answer(done, lambda: turns.trained(done))


def validate(cli: Cli, model: Model, version: Version) -> int:
    """Check a candidate and decide whether to promote it.

    Exits with 1 if the decision is not to promote.
    """
    from flyball.cli.views import turns

    with follow("validate") as progress:
        report = cli.flyball.validate(model, version, progress=progress)
    cli.answer(report, lambda: turns.report(report, cli.flyball.page(report)))
    return 0 if report.decision is Decision.PROMOTE else NO


def deploy(
    cli: Cli,
    model: Model,
    version: Version,
    strategy: Annotated[
        Literal["canary", "blue-green"] | None,
        typer.Option(
            help="How traffic moves to the version: in steps that are judged, or all at once. "
            "Default: canary, where another version serves and `rollout.steps` has more than one.",
            show_default=False,
        ),
    ] = None,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait/--no-wait", help="Follow it live, or leave it to a running `flyball up`."
        ),
    ] = True,
) -> int:
    """Put a validated version into service.

    Follows the rollout step by step until the version has all traffic. Exits with 1 if it fails or
    is withdrawn; the previous version then goes on serving. Ctrl-C stops following, not the
    rollout.
    """
    from flyball.cli.following import followed
    from flyball.cli.views import turns

    if not wait:
        workflow = cli.flyball.hand_over(model, version, strategy=strategy)
        cli.answer({"workflow": workflow}, lambda: turns.handed_over(model, workflow))
        return 0
    with follow("deploy") as progress:
        begun = cli.flyball.deploy(model, version, strategy=strategy, progress=progress)
    done = followed(cli, begun)
    cli.answer(done, lambda: turns.deployed(done))
    return NO if done.deployment.phase in _BADLY else 0


def rollback(
    cli: Cli,
    model: Model,
    reason: Annotated[str, typer.Option(help="The reason, for the ledger.")] = "",
) -> None:
    """Let the good version answer everybody again, at once.

    That is the champion while a rollout is under way, and else the version before it.
    """
    from flyball.cli.views import turns

    done = cli.flyball.rollback(model, reason=reason)
    cli.answer(done, lambda: turns.rolled_back(done))


def _how(query: str | None, from_events: bool, accept_anomalies: bool) -> dict[str, Any]:
    """What ``run`` and ``ingest`` share, as their verbs take it."""
    return {
        "query": query,
        "from_events": from_events,
        "accept_anomalies": accept_anomalies,
    }
