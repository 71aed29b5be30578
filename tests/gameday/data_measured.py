"""One command, fed and measured."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gameday_processes import Ended, clean

PATIENCE_S = 300.0
# Linux counts to a process what its parent held when it started it. A test process may hold a
# gigabyte by then, so a small one starts the command and says what it took.
MEASURER = """
import json, resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "w") as file:
    json.dump([code, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime], file)
"""


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
    bounded = ["timeout", "--signal=KILL", str(PATIENCE_S), *argv]
    with (
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        tempfile.NamedTemporaryFile() as found,
    ):
        subprocess.run(
            [sys.executable, "-S", "-c", MEASURER, found.name, *bounded],
            stdin=stdin,
            stdout=out,
            stderr=err,
            env=clean() | {"NO_COLOR": "1", "COLUMNS": "1000"},
            check=True,
        )
        for file in (out, err):
            file.seek(0)
        said = [file.read().decode(errors="replace") for file in (out, err)]
        code, peak_mib, cpu_s = json.loads(found.read())
    return Measured(Ended(code, *said), peak_mib, cpu_s)
