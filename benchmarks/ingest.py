"""Ten million interactions from CSV into a dataset, with every check; beside two peers' row rules.

``flyball ingest`` as a whole command from an empty home: wall time, and the peak resident memory of
any one process of it, at one and at ten million rows; then ``steam-200k.csv``. The peers and
Flyball's own row rules take turns on the same rows in memory.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.loop import FLYBALL, timed
from benchmarks.peers import PEERS
from benchmarks.rows import write_csv
from benchmarks.table import Line, judged

MILLION = 1_000_000
FASTER = 5


def peer(name: str, rows: int) -> float:
    """Seconds that one checker takes for the rows, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.peers", name, str(rows)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told = json.loads(done.stdout.splitlines()[-1])
    print(f"  {name}: {told['seconds']:.2f} s, {told['failed']:,} failures", flush=True)
    return float(told["seconds"])


def ingested(source: Path, homes: Path, number: int) -> tuple[float, float]:
    """Wall seconds and peak MiB of one ``flyball ingest`` into an empty home."""
    home = homes / f"{source.stem}-{number}"
    took, peak = timed([FLYBALL, "ingest", "games", str(source)], home)
    print(f"  {source.name}: {took:.2f} s, {peak:.0f} MiB", flush=True)
    return took, peak


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = Path(__file__).resolve().parents[1]
    default = os.environ.get("FLYBALL_TEST_DATA") or root.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=10 * MILLION)
    asked = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder:
        homes = Path(folder)
        large = write_csv(homes / "large.csv", asked.rows)
        small = write_csv(homes / "small.csv", asked.rows // 10)
        pairs = [
            (ingested(small, homes, number), ingested(large, homes, number))
            for number in range(asked.rounds)
        ]
        steam = asked.data / "steam-200k.csv"
        if steam.exists():
            took = [ingested(steam, homes, number)[0] for number in range(2 * asked.rounds - 1)]
            lines.append(Line(what="steam-200k.csv, wall", values=took, limit=2, unit="s"))
    lines += [
        Line(
            what=f"{asked.rows:,} rows, wall",
            values=[large[0] for _, large in pairs],
            limit=asked.rows / MILLION,
            unit="s",
        ),
        Line(
            what=f"{asked.rows:,} rows, peak RSS",
            values=[large[1] for _, large in pairs],
            limit=1536,
            unit="MiB",
        ),
        Line(
            what=f"peak RSS against {asked.rows // 10:,} rows",
            values=[large[1] / small[1] for small, large in pairs],
            limit=1.2,
            unit="x",
        ),
        *compared(asked.rows, asked.rounds),
    ]
    return judged(f"Ingest of {asked.rows:,} rows with all checks", lines)


def compared(rows: int, rounds: int) -> list[Line]:
    """Flyball's row rules against each peer's, in turns."""
    there = [name for name in PEERS if importlib.util.find_spec(name) is not None]
    seconds: dict[str, list[float]] = {name: [] for name in there}
    for _ in range(rounds):
        for name in there:
            seconds[name].append(peer(name, rows))
    ours = statistics.median(seconds["flyball"])
    return [
        Line(
            what=f"row rules, share of {name}'s time",
            values=[ours / theirs for theirs in seconds[name]],
            limit=1 / FASTER,
            unit="x",
        )
        for name in there
        if name != "flyball"
    ]


if __name__ == "__main__":
    sys.exit(main())
