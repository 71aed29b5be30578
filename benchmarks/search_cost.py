"""What training costs on ``steam-200k.csv``: one fit of the chosen model, and a whole search.

    python -m benchmarks.search_cost [--data DIR] [--trials 50] [--rounds 3] [--only fit]

The rows go the way of ``flyball train``: ``GamesApplication.prepare``, then its families. Each
measurement has a process of its own, that reads the rows first; the search, with a fixed seed, may
use two cores. Seconds of the processor stand beside those of the clock: on a busy machine only
they can be compared. Exits 1 where a number falls short, 2 if the data is not there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from benchmarks.growth import peak_mib
from benchmarks.steam_data import default_data
from benchmarks.table import Line, judged
from flyball import plugins
from flyball.domain.training import SearchBudget, Trial
from flyball.games.application import GamesApplication
from flyball.games.tables import INTERACTIONS
from flyball.ports import Prepared
from flyball.steps.search import search
from flyball.storage.sources import FileSources

CHOSEN = "feature_ease"
SEED = 7
CORES = 2
"""What BLAS may use. Its threads wait by spinning: where other work has the cores, two cost several
times the processor's time of one."""


def prepared(data: Path) -> tuple[GamesApplication, Prepared]:
    """The rows, divided as for training."""
    with FileSources().open(str(data / "steam-200k.csv"), [INTERACTIONS]) as reading:
        rows = pl.concat([chunk.frame for chunk in reading])
    application = GamesApplication()
    return application, application.prepare({"interactions": rows}, seed=SEED)


def fit_cost(data: Path) -> dict[str, float]:
    """Seconds of one fit and the peak of this process, which read and divided the rows too."""
    _, parts = prepared(data)
    kind: Any = plugins.model(CHOSEN)
    kind.fit(parts.search[0].train, kind.Config())  # imports and first calls are not the fit
    wall, cpu = time.perf_counter(), time.process_time()
    kind.fit(parts.final.train, kind.Config())
    return {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "mib": peak_mib(),
    }


def search_cost(data: Path, trials: int) -> dict[str, Any]:
    """Seconds of a search, and of each of its trials."""
    application, parts = prepared(data)
    models = {name: plugins.model(name) for name in application.families}
    rows: list[dict[str, Any]] = []
    wall = time.perf_counter()
    cpu = clock = time.process_time()

    def told(trial: Trial) -> None:
        nonlocal clock
        spent, clock = time.process_time() - clock, time.process_time()
        rows.append(
            {
                "family": trial.family,
                "state": trial.state,
                "wall": trial.seconds,
                "cpu": spent,
                "value": trial.value,
                "origin": trial.origin.value,
                "given": dict(trial.hyperparameters),
            }
        )

    with tempfile.TemporaryDirectory(prefix="flyball-search-") as folder:
        found = search(
            application,
            models,
            parts,
            seed=SEED,
            budget=SearchBudget(trials=trials, timeout_s=3600.0),
            study_url=f"sqlite:///{folder}/study.db",
            study_name="benchmark",
            progress=told,
        )
    return {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "mib": peak_mib(),
        "why": found.why,
        "skipped": dict(found.skipped),
        "trials": rows,
    }


def in_own_process(what: str, asked: argparse.Namespace) -> dict[str, Any]:
    """One measurement in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.search_cost", "--measure", what]
    for name in ("data", "trials", "threads"):
        command += [f"--{name}", str(getattr(asked, name))]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def by_family(found: Mapping[str, Any]) -> Table:
    """Where the time of a search goes."""
    table = Table(title=found["why"])
    table.add_column("family")
    for title in ("trials", "complete", "pruned", "failed", "best", "s", "s of the processor"):
        table.add_column(title, justify="right")
    trials: list[dict[str, Any]] = found["trials"]
    for family in dict.fromkeys(trial["family"] for trial in trials):
        mine = [trial for trial in trials if trial["family"] == family]
        states = [trial["state"] for trial in mine]
        best = max((t["value"] for t in mine if t["value"] is not None), default=None)
        table.add_row(
            family,
            str(len(mine)),
            *(str(states.count(state)) for state in ("complete", "pruned", "failed")),
            "" if best is None else f"{best:.4f}",
            *(f"{sum(trial[clock] for trial in mine):.1f}" for clock in ("wall", "cpu")),
        )
    table.caption = "\n".join(f"{name}: {why}" for name, why in found["skipped"].items())
    return table


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3, help="of the fit")
    parser.add_argument("--only", choices=("fit", "search"))
    parser.add_argument("--threads", type=int, default=CORES, help="of BLAS")
    parser.add_argument("--measure", choices=("fit", "search"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if not (asked.data / "steam-200k.csv").exists():
        print(f"no steam-200k.csv in {asked.data}; pass --data DIR", file=sys.stderr)
        return 2
    if asked.measure:
        with threadpool_limits(limits=asked.threads):
            found = (
                fit_cost(asked.data)
                if asked.measure == "fit"
                else search_cost(asked.data, asked.trials)
            )
        print(json.dumps(found))
        return 0
    lines = []
    if asked.only != "search":
        fits = [in_own_process("fit", asked) for _ in range(asked.rounds)]
        mb = [fit["mib"] * 2**20 / 1e6 for fit in fits]
        lines += [
            Line(what=f"fit of {CHOSEN}", values=[fit["wall"] for fit in fits], limit=5, unit="s"),
            Line(what="... of the processor", values=[fit["cpu"] for fit in fits], unit="s"),
            Line(what="peak RSS, rows and division too", values=mb, limit=700, unit="MB"),
        ]
    if asked.only != "fit":
        found = in_own_process("search", asked)
        Console(width=None if sys.stdout.isatty() else 140).print(by_family(found))
        lines += [
            Line(
                what=f"search of {asked.trials} trials", values=[found["wall"]], limit=120, unit="s"
            ),
            Line(what="... of the processor", values=[found["cpu"]], unit="s"),
            Line(what="... peak RSS", values=[found["mib"] * 2**20 / 1e6], unit="MB"),
        ]
    return judged("Training on steam-200k.csv", lines)


if __name__ == "__main__":
    sys.exit(main())
