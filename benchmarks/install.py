"""A cold install of the default set into an empty environment: time and size."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from benchmarks.table import Line, judged

ROOT = Path(__file__).resolve().parents[1]


def installed(folder: Path) -> tuple[float, float]:
    """Seconds and MB of one install as ``make up`` does it."""
    began = time.perf_counter()
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    limits = ["--constraint", str(ROOT / "constraints.txt")]
    subprocess.run([*pip, "install", "--quiet", *limits, "--editable", str(ROOT)], check=True)
    seconds = time.perf_counter() - began
    # blocks as `du` counts them: what the disk gives up, hard links counted once
    seen = {(s.st_dev, s.st_ino): s.st_blocks for s in map(Path.lstat, folder.rglob("*"))}
    return seconds, sum(seen.values()) * 512 / 1e6


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    rounds = []
    for _ in range(parser.parse_args().rounds):
        with tempfile.TemporaryDirectory(prefix="flyball-install-") as folder:
            rounds.append(installed(Path(folder) / "venv"))
    return judged(
        "Cold install of the default set",
        [
            Line(what="time", values=[s for s, _ in rounds], limit=120, unit="s"),
            Line(what="size", values=[mb for _, mb in rounds], limit=900, unit="MB"),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
