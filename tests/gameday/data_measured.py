"""One command, fed and measured."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gameday_processes import Ended, clean

PATIENCE_S = 300.0


@dataclass(frozen=True)
class Measured:
    """How a command ended, and what it took."""

    ended: Ended
    peak_mib: float
    cpu_s: float


def measured(
    *arguments: str | Path, home: Path, stdin: IO[bytes] | int = subprocess.DEVNULL
) -> Measured:
    """One command, and what the operating system says it took."""
    argv = [sys.executable, "-m", "flyball.cli", *map(str, arguments), "--home", str(home)]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            ["timeout", "--signal=KILL", str(PATIENCE_S), *argv],
            stdin=stdin,
            stdout=out,
            stderr=err,
            env=clean() | {"NO_COLOR": "1", "COLUMNS": "1000"},
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        for file in (out, err):
            file.seek(0)
        said = [file.read().decode(errors="replace") for file in (out, err)]
    return Measured(
        Ended(process.returncode, *said),
        usage.ru_maxrss / 1024,
        usage.ru_utime + usage.ru_stime,
    )
