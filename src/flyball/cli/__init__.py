"""The command line: thin over ``flyball.Flyball``. ``main`` is the console script ``flyball``.

Nothing heavy is imported before a command needs it: ``flyball --help`` answers at once.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code.

    Args:
        argv: the arguments after ``flyball``; default this process's.
    """
    gc.set_threshold(50_000, 20, 50)  # most of a short command is imports, which make no garbage
    from flyball.cli.app import run

    return run(list(sys.argv[1:] if argv is None else argv))
