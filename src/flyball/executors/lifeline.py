"""A child ends with its parent, however the parent ends.

On Linux the kernel sees to it (``prctl(2)``, PR_SET_PDEATHSIG); elsewhere the child watches its
standard input, whose other end only the parent holds. As a script, ``lifeline.py PARENT ARGV...``
ties itself to ``PARENT`` and becomes ``ARGV`` (the setting survives ``execve``): so that any
command can be tied, and nothing runs between fork and exec in a process with threads.

Standard library only: it starts in a few milliseconds under ``python -S``.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """End this process with SIGKILL when ``parent`` (a process id) has ended, or if it has already.

    The kernel counts the *thread* that started this process as the parent: that thread must live
    as long as the child is wanted.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)  # it ended before the kernel was asked
        return
    threading.Thread(target=_end_at_eof, name="lifeline", daemon=True).start()


def tied(argv: Sequence[str]) -> list[str]:
    """The command that becomes ``argv`` and ends with this process (see ``die_with_parent``).

    Give it a standard input of which only this process holds the other end.
    """
    # -I -S: no site-packages for the few milliseconds before it becomes the program.
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *argv]


def _end_at_eof() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    if sys.platform == "linux":
        die_with_parent(int(sys.argv[1]))
    try:
        os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - no shell is meant
    except OSError as error:
        sys.stderr.write(f"{sys.argv[2]} cannot be started: {error.strerror}\n")
        sys.exit(127)
