"""A worker's heartbeat: its event loop writes to a pipe, and its supervisor listens."""

from __future__ import annotations

import contextlib
import faulthandler
import os


class Heartbeat:
    """Beats each time it is called.

    Of a process that is ended with SIGABRT because it did not, the log shows where each of its
    threads was.

    Args:
        fd: the pipe's end to write to.
    """

    def __init__(self, fd: int) -> None:
        os.set_inheritable(fd, False)
        os.set_blocking(fd, False)
        faulthandler.enable()
        self._fd = fd

    def __call__(self) -> None:
        """Beat."""
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self._fd, b".")
