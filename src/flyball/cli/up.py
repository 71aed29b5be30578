"""``flyball up``: control process, workers and, with ``--sample``, players; until Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from flyball.cli.command import INTERRUPTED, Cli, command

if TYPE_CHECKING:
    from flyball.cli.household import Household
    from flyball.executors.supervisor import Supervisor
    from flyball.settings import Server


GRACE_S = 13.0
"""Seconds processes have to end; longer than a worker drains (``serving.server``)."""


def register(app: typer.Typer) -> None:
    """Add this command."""
    command(app, up, example="flyball up --sample\nflyball up --port 9000 --workers 4")


def up(
    cli: Cli,
    *,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port of the API. Default: 8000; 0 picks a free one."),
    ] = None,
    console_port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port of the console. Default: 8080; 0 picks a free one."
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=256, help="Number of serving processes. Default: one per core."),
    ] = None,
    sample: Annotated[
        bool, typer.Option("--sample", help="Try it on a built-in world of games and players.")
    ] = False,
    simulate: Annotated[
        bool,
        typer.Option(
            "--simulate/--no-simulate", help="With --sample: simulated players use the live API."
        ),
    ] = True,
) -> None:
    """Run the loop, the API and the console, until Ctrl-C.

    A process that crashes is restarted. Ctrl-C or SIGTERM answers requests in flight, then stops
    everything; a second one kills at once.
    """
    from flyball.cli import household
    from flyball.console.guard import own_host
    from flyball.executors.cores import usable_cores
    from flyball.serving.server import listening, url_of
    from flyball.telemetry import logs

    logs.configure(level="info" if cli.debug else "warning")
    server = cli.flyball.settings.server
    household.check(cli.flyball, sample=sample, players=sample and simulate)
    cli.out = _own_output(cli.out)
    with listening(server.host, _or(port, server.port)) as sock:
        console = own_host(server.host)
        page = _free_port(console, _or(console_port, server.console_port))
        house = household.Household(
            home=cli.flyball.platform.home,
            api=url_of(sock, tls=bool(server.tls_certificate)),
            console=f"http://[{console}]:{page}" if ":" in console else f"http://{console}:{page}",
            console_port=page,
            socket_fd=sock.fileno(),
            workers=workers or server.workers or usable_cores(),
            sample=sample and household.needs_sample(cli.flyball),
            sampled=sample,
            players=sample and simulate,
            locked=household.is_locked(cli.flyball),
            certificate=server.tls_certificate,
            log_level="info" if cli.debug else "warning",
        )
        household.prepare(cli.flyball)
        _introduce(cli, house, server)
        _keep(house, cli)
    cli.say("stopped")


def _free_port(host: str, port: int) -> int:
    """The console's port: ``port`` if it is free, or a free one for 0."""
    from flyball.serving.server import listening

    with listening(host, port, option="--console-port") as sock:
        found: int = sock.getsockname()[1]
    return found


def _or(given: int | None, default: int) -> int:
    return default if given is None else given


def _own_output(out: TextIO) -> TextIO:
    """Standard output for ourselves alone: children inherit one that leads nowhere.

    They log to standard error; what they print is for a parent that does not know their ports.
    """
    out.flush()
    ours = os.fdopen(os.dup(1), "w", buffering=1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return ours


def _introduce(cli: Cli, house: Household, server: Server) -> None:
    """The URLs, first of all."""
    about = {
        "home": str(house.home),
        "api": house.api,
        "docs": f"{house.api}/docs",
        "console": house.console,
        "workers": house.workers,
    }
    cli.answer(about, lambda: _lines(about))
    cli.out.flush()
    if server.host not in ("127.0.0.1", "::1", "localhost"):
        typer.echo(
            f"other machines can reach the API at {server.host}, with credentials; the console "
            "asks for none and is for this machine only",
            err=True,
        )


def _lines(about: dict[str, object]) -> list[str]:
    return [
        f"Flyball on {about['home']}",
        f"  API      {about['api']}   (try it: {about['docs']})",
        f"  Console  {about['console']}",
        f"  Workers  {about['workers']}; Ctrl-C stops everything",
    ]


def _keep(house: Household, cli: Cli) -> None:
    """Supervise until a signal asks to stop."""
    from flyball.cli.narrator import Narrator
    from flyball.executors.supervisor import Supervisor

    stop = threading.Event()
    supervisor = Supervisor(house.children(), grace_s=GRACE_S)

    def asked(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            _kill(supervisor)
        os.write(2, b"\nstopping: answering requests in flight first; Ctrl-C again kills\n")
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, asked)
    narrator = Narrator(house, stop, cli.say)
    narrator.start()
    try:
        supervisor.run(stop)
    finally:
        stop.set()
        narrator.join()


def _kill(supervisor: Supervisor) -> None:
    """End at once: every child's group, then this process."""
    for pid in supervisor.pids().values():
        if pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
    os._exit(INTERRUPTED)
