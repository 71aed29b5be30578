"""Ctrl-C during durable work: this process ends at once, and the work goes on another time."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

from flyball.cli.command import Cli

LINE = "stopped; the same command goes on from here"
_SHOW_CURSOR = "\x1b[?25h"


@contextlib.contextmanager
def durable(cli: Cli) -> Iterator[None]:
    """While inside, SIGINT and SIGTERM end the process at once, and logs go to standard error.

    At once, because a thread may be in the middle of a long step that nothing can interrupt. What
    was done is recorded step by step; children end with this process.
    """
    from flyball.telemetry import logs

    logs.configure(level="info" if cli.debug else "warning")
    with leaving(cli, LINE):
        yield


@contextlib.contextmanager
def leaving(cli: Cli, line: str) -> Iterator[None]:
    """While inside, SIGINT and SIGTERM say ``line`` and end the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _frame: FrameType | None) -> None:
        if sys.stderr.isatty():
            os.write(2, f"\r\n{_SHOW_CURSOR}".encode())
        os.write(2, f"{line}\n".encode())
        cli.out.flush()
        os._exit(128 + number)

    before = {n: signal.signal(n, stop) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
