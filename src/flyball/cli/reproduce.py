"""``flyball reproduce``: trains a version again and says whether it comes out the same."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Annotated

import typer

from flyball.cli.command import Cli, command
from flyball.cli.loop import NO, Model, Version
from flyball.cli.progress import follow


def register(app: typer.Typer) -> None:
    """Add this command."""
    command(
        app, reproduce, around=tidily,
        example="flyball reproduce games 1.2.0\nflyball reproduce games 1.2.0 --search --json",
    )  # fmt: skip


@contextlib.contextmanager
def tidily(cli: Cli) -> Iterator[None]:
    """While inside, SIGTERM ends the command as Ctrl-C does: what it began is removed."""
    del cli

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def reproduce(
    cli: Cli,
    model: Model,
    version: Version,
    search: Annotated[
        bool, typer.Option("--search", help="Do the search again, too. Default: fit its winner.")
    ] = False,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Threads for the fit. Default: as many as are recorded."),
    ] = None,
) -> int:
    """Train a version again from its record, and say how alike the two are.

    Bitwise equal, equal in metrics, or different and why. Stores and registers nothing. Exits
    with 1 if they are different.
    """
    from flyball.cli.views import reproduction as view
    from flyball.steps.reproduction import Outcome

    with follow("reproduce") as progress:
        found = cli.flyball.reproduce(
            model, version, search=search, threads=threads, progress=progress
        )
    cli.answer(found, lambda: view.reproduced(found))
    return NO if found.outcome is Outcome.DIFFERENT else 0
