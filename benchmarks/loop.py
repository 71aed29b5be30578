"""One turn of the loop from an empty home, and how quickly the command line answers.

``flyball run games steam-200k.csv`` to a version in production; wall time and the peak resident
memory of any one process of it. Then ``flyball --help`` and ``flyball status`` on that home.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.table import Line, judged

FLYBALL = str(Path(sys.executable).with_name("flyball"))


def timed(command: list[str], home: Path) -> tuple[float, float]:
    """Wall seconds, and the peak MiB of the largest process, of one command that must succeed."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, env={**os.environ, "FLYBALL_HOME": str(home)}
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = Path(__file__).resolve().parents[1]
    default = os.environ.get("FLYBALL_TEST_DATA") or root.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    source = asked.data / "steam-200k.csv"
    if not source.exists():
        print(f"no {source}; pass --data DIR", file=sys.stderr)
        return 2
    turns = []
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder:
        for number in range(asked.rounds):
            home = Path(folder) / str(number)
            turns.append(timed([FLYBALL, "run", "games", str(source)], home))
        helps = [timed([FLYBALL, "--help"], home)[0] for _ in range(9)]
        statuses = [timed([FLYBALL, "status"], home)[0] for _ in range(9)]
    return judged(
        "One turn of the loop on steam-200k.csv, from an empty home",
        [
            Line(what="flyball run, wall", values=[t for t, _ in turns], limit=60, unit="s"),
            Line(
                what="largest process, peak RSS",
                values=[peak for _, peak in turns],
                limit=1536,
                unit="MiB",
            ),
            Line(what="flyball --help", values=helps, limit=0.3, unit="s"),
            Line(what="flyball status", values=statuses, limit=1.0, unit="s"),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
