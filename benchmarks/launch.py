"""New games on their first day and after their first week: the experiment ``flyball lab launch``.

    python -m benchmarks.launch [--data DIR] [--share 0.1]

Purchases and plays of ``steam-200k.csv``, which are not dated, and the dated reviews, each with the
published catalogue: the newest tenth of the games is hidden, and their players get lists of hidden
games. What was tuned was tuned on older games. Exits 1 where recall@20 on day 0 is below 5 times
that of a random order or twice that of genre popularity; 2 if the data is not there.

The catalogue was collected later: its tags are those of games that had been out for some time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

from benchmarks.steam_data import default_data
from benchmarks.table import Line, judged
from flyball import plugins
from flyball.games.launch import GENRE, SHARE, launch
from flyball.games.tables import CATALOGUE, INTERACTIONS
from flyball.ports import LINE, Tables
from flyball.storage.sources import FileSources

SEED = 7


@dataclass(frozen=True)
class Case:
    """One data set, and what is asked of it.

    Attributes:
        name, file: of the players' rows.
        family: what learns, with its default hyperparameters.
        least: by rival, the least multiple of its recall@20.
    """

    name: str
    file: str
    family: str
    least: Mapping[str, float]


CASES = (
    Case("steam", "steam-200k.csv", "feature_ease", {"random": 5.0, GENRE: 2.0}),
    Case("reviews", "steam_reviews_2010_2015.csv", "feature_ease", {"random": 5.0, GENRE: 2.0}),
)


def rows(path: Path) -> pl.DataFrame:
    """The rows of a file, read as ``flyball ingest`` reads them."""
    with FileSources().open(str(path), (INTERACTIONS, CATALOGUE)) as reading:
        return pl.concat([chunk.frame.drop(LINE) for chunk in reading])


def measured(case: Case, data: Path, catalogue: pl.DataFrame, share: float) -> dict[str, Any]:
    """The experiment's answer."""
    tables: Tables = {"interactions": rows(data / case.file), "catalogue": catalogue}
    family = plugins.model(case.family)
    return launch(family, family.Config(), tables, seed=SEED, share=share)


def lines(case: Case, days: list[dict[str, Any]]) -> Iterator[Line]:
    """What was asked for beside what was measured."""
    for day in days:
        if "why" in day:
            continue
        start = f"{case.name}, day {day['day']}"
        for rival, times in day["times"].items():
            least = case.least.get(rival) if day["day"] == 0 else None
            what = f"{start}: recall@{day['recall_at']} as a multiple of {rival}"
            yield Line(what=what, values=[times or 0.0], unit="x", least=least)
        exposure = day["exposure"]
        for name in ("share_of_places", "share_of_interactions"):
            what = f"{start}: new games, {name.replace('_', ' ')}"
            yield Line(what=what, values=[100 * exposure[name]], unit="%")


def report(case: Case, found: Mapping[str, Any]) -> Iterator[Table | str]:
    """Who found how much, of each day."""
    for day in found["days"]:
        title = f"{case.name}, {case.family}, day {day['day']}"
        if "why" in day:
            yield f"{title}: {day['why']}"
            continue
        table = Table(title=f"{title}: {found['games']['hidden']} games, {day['players']} players")
        for column in ("list by", f"recall@{day['recall_at']}", "95%", f"NDCG@{day['ndcg_at']}"):
            table.add_column(column)
        for score in day["scores"]:
            recall, ndcg = score["recall"], score["ndcg"]
            table.add_row(
                score["name"],
                f"{recall['mean']:.3f}",
                f"{recall['low']:.3f} to {recall['high']:.3f}",
                f"{ndcg['mean']:.3f}",
            )
        yield table


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--share", type=float, default=SHARE, help="of the games to hide")
    chosen = parser.parse_args()
    if not (chosen.data / "steam_games.json.gz").exists():
        print(f"no steam_games.json.gz in {chosen.data}; pass --data DIR", file=sys.stderr)
        return 2
    console, judgement = Console(width=None if sys.stdout.isatty() else 120), []
    catalogue = rows(chosen.data / "steam_games.json.gz")
    for case in CASES:
        found = measured(case, chosen.data, catalogue, chosen.share)
        for part in report(case, found):
            console.print(part)
        judgement += lines(case, found["days"])
    return judged("New games on day 0 and day 7", judgement)


if __name__ == "__main__":
    sys.exit(main())
