"""Every family of the games application, trained and then trained again from its record.

Each fit has a process of its own (``flyball reproduce`` starts one, too). Bitwise is asked of every
family but those that need torch; those must be equal in metrics.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.steam_data import default_data
from flyball import Flyball
from flyball.domain.canonical import plain
from flyball.errors import TrainingError
from flyball.games.application import GamesApplication
from flyball.games.world import World
from flyball.settings import Settings
from flyball.testing.families import a_version_of

SEED, STEAM = 7, "steam-200k"
TORCH: Mapping[str, Mapping[str, Any]] = MappingProxyType({"sasrec": {"epochs": 3}})
"""Families that need torch, and what makes them quick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One family on one data set."""

    data: str
    family: str
    found: Mapping[str, Any]

    @property
    def holds(self) -> bool:
        """Whether it came out as it must."""
        wanted = {"bitwise equal"} | ({"equal in metrics"} if self.family in TORCH else set())
        return self.found["outcome"] in wanted


def main() -> int:
    """Train, train again, print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--players", type=int, default=1000, help="of the simulated sample")
    parser.add_argument("--data", type=Path, default=default_data(), help="published data")
    parser.add_argument("--families", nargs="*", default=GamesApplication.families)
    parser.add_argument(
        "--sources", nargs="*", choices=("sample", STEAM), default=("sample", STEAM)
    )
    asked = parser.parse_args()
    lines: list[Line] = []
    with tempfile.TemporaryDirectory(prefix="flyball-reproduce-") as folder:
        sources = {"sample": Path(folder) / "sample.csv", STEAM: asked.data / f"{STEAM}.csv"}
        for name in asked.sources:
            source = sources[name]
            if name == "sample":
                World(SEED, players=asked.players).write(source)
            if source.exists():
                home = Path(folder) / name
                lines += reproduced(name, source, home, asked.families)
            else:
                print(f"no {source}: left out", file=sys.stderr)
    show(lines)
    return 0 if lines and all(line.holds for line in lines) else 1


def reproduced(name: str, source: Path, home: Path, families: list[str]) -> list[Line]:
    """Every family on one data set."""
    lines = []
    with Flyball(config=Settings(home=home), actor="benchmark") as verbs:
        verbs.ingest("games", [str(source)])
        for family in families:
            if family in TORCH and find_spec("torch") is None:
                print(f"{family}: torch is not installed", file=sys.stderr)
                continue
            settings = plain(TORCH.get(family, {}))
            try:
                version = a_version_of(verbs.platform, "games", family, hyperparameters=settings)
            except TrainingError as error:
                print(f"{name} {family}: not for this data: {error}", file=sys.stderr)
                continue
            lines.append(Line(data=name, family=family, found=again(home, version.name)))
            print(f"{name} {family}: {lines[-1].found['outcome']}", file=sys.stderr)
    return lines


def again(home: Path, version: str) -> Mapping[str, Any]:
    """What ``flyball reproduce`` answers, in a process of its own."""
    program = str(Path(sys.executable).with_name("flyball"))
    done = subprocess.run(
        [program, "reproduce", "games", version, "--json"],
        env={**os.environ, "FLYBALL_HOME": str(home)},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode not in (0, 1):
        raise SystemExit(f"flyball reproduce {version} ended with {done.returncode}: {done.stderr}")
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found


def show(lines: list[Line]) -> None:
    """One row a family."""
    table = Table(title="Trained again from the record, each in a fresh process")
    for column in ("data", "family", "outcome", "files", "threads", "seconds", "holds"):
        numeric = column in ("files", "threads", "seconds")
        table.add_column(column, justify="right" if numeric else "left")
    for line in lines:
        found = line.found
        numbers = (str(found["files"]), str(found["threads"]), f"{found['seconds']:.1f}")
        holds = "yes" if line.holds else "NO"
        table.add_row(line.data, line.family, found["outcome"], *numbers, holds)
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    for line in lines:
        if not line.holds:
            console.print(f"{line.data} {line.family}: {line.found['why']}")


if __name__ == "__main__":
    sys.exit(main())
