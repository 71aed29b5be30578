"""Calibrated anomalies of batches: false alarms over clean ones, and the faults that are caught.

    python -m benchmarks.anomalies [--data DIR] [--batches 500] [--trials 40] [--seed 1]

Real rows of ``steam-200k.csv`` and ``steam_reviews_2010_2015.csv`` (in ``--data``,
``FLYBALL_TEST_DATA`` or ``../shared/data``) are dealt to clean batches: all rows of random users
(rows of a user resemble each other), or random rows. Each batch is judged against ten others of
the same deal. Rows take the product's own way: pseudonyms, row rules, repetitions, references,
profile. Exits 1 where more clean batches raise an alarm than was promised (binomial test), a
clean batch is refused, or a fault is not caught at any size; 2 if the data is not there.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table
from scipy import stats

from benchmarks.faults import FAULTS, Fault
from flyball.domain.data import Measured, Severity
from flyball.domain.privacy import Pseudonyms
from flyball.domain.schema import Reference
from flyball.domain.text import slug
from flyball.domain.validation import Verdict
from flyball.games.tables import INTERACTIONS
from flyball.ports import LINE
from flyball.stats.profile import Profile
from flyball.steps.anomalies import judged
from flyball.steps.conform import conform
from flyball.steps.duplicates import row_hashes
from flyball.steps.profile import Profiler
from flyball.steps.pseudonymise import Pseudonymiser
from flyball.steps.references import unresolved

HISTORY = 10
PROMISED = 0.01
CAUGHT = 0.95
SIGNIFICANT = 0.01
NOW = datetime(2016, 1, 2, tzinfo=UTC)  # the reviews end with 2015

Rng = np.random.Generator


@dataclass(frozen=True)
class Population:
    """A real file, and how it is dealt to batches.

    Attributes:
        frame: canonical columns.
        known: values that the column ``reference`` may have.
        rows: about how many a batch has.
        by_user: a batch has all rows of some users; else it has random rows.
        hide: gives users their pseudonyms.
    """

    name: str
    frame: pl.DataFrame
    reference: str
    known: pl.Series
    rows: int
    by_user: bool
    hide: Pseudonymiser

    def dealt(self, rng: Rng) -> list[pl.DataFrame]:
        """Every row dealt to one batch."""
        batches = self.frame.height // self.rows
        if self.by_user:
            users = self.frame["user_id"].rank("dense").to_numpy() - 1
            to = rng.integers(0, batches, int(users.max()) + 1)[users]
        else:
            to = rng.permutation(np.arange(self.frame.height) % batches)
        return [self.frame.filter(pl.Series(to == batch)) for batch in range(batches)]

    def profile(self, frame: pl.DataFrame) -> Profile:
        """What an ingest would make of rows."""
        rows, broken = conform(self.hide.apply(frame.with_row_index(LINE, 1)), INTERACTIONS)
        rows = rows.drop(LINE)
        hashes = row_hashes(rows, [name for name in INTERACTIONS.key if name in rows.columns])
        first = hashes.is_first_distinct()
        profiler = Profiler(INTERACTIONS)
        profiler.add(rows.filter(first), hashes.filter(first))
        return profiler.finished(
            read=frame.height,
            rejected=broken.height,
            duplicates=rows.height - int(first.sum()),
            unresolved={self.reference: self._unresolved(profiler)},
        )

    def _unresolved(self, profiler: Profiler) -> int:
        counts = profiler.counts(self.reference)
        return unresolved(counts, Reference(table="catalogue", column="any"), self.known)[0]


class Make(Protocol):
    """Reads a file for batches of one kind."""

    def __call__(self, data: Path, *, by_user: bool) -> Population:
        """``data`` is the folder."""
        ...


def _pseudonyms() -> Pseudonymiser:
    return Pseudonymiser(Pseudonyms(b"key of the benchmark"), INTERACTIONS.personal)


def steam(data: Path, *, by_user: bool) -> Population:
    """Purchases and plays; known are the titles that the catalogue has."""
    frame = pl.read_csv(
        data / "steam-200k.csv",
        has_header=False,
        new_columns=["user_id", "title", "event", "value", "none"],
        schema_overrides={"user_id": pl.String, "value": pl.Float64},
    ).drop("none")
    known = _in_catalogue(frame["title"].unique().sort(), data / "steam_games.json.gz")
    name = f"steam, {'users' if by_user else 'rows'}"
    return Population(name, frame, "title", known, 5_000, by_user, _pseudonyms())


def _in_catalogue(titles: pl.Series, path: Path) -> pl.Series:
    """The titles that the metadata have; found once here, so that batches compare texts only."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    names = {name for record in records for name in (record["app_name"], record["title"])}
    slugs = {slug(name) for name in names if isinstance(name, str)}
    return titles.filter(pl.Series([slug(title) in slugs for title in titles.to_list()]))


def reviews(data: Path, *, by_user: bool) -> Population:
    """Dated reviews of games; all games are known."""
    frame = pl.read_csv(
        data / "steam_reviews_2010_2015.csv",
        schema_overrides={"user": pl.String, "item_id": pl.String, "recommend": pl.String},
    ).select(
        pl.col("user").alias("user_id"),
        "item_id",
        (pl.col("recommend") == "True").alias("recommend"),
        pl.col("date")
        .str.to_datetime("%Y-%m-%d", time_unit="us", time_zone="UTC")
        .alias("timestamp"),
    )
    name = f"reviews, {'users' if by_user else 'rows'}"
    return Population(
        name, frame, "item_id", frame["item_id"].unique(), 4_000, by_user, _pseudonyms()
    )


@dataclass(frozen=True)
class Deal:
    """Batches that have no row in common, and their profiles."""

    frames: list[pl.DataFrame]
    profiles: list[Profile]

    def history(self, batch: int, rng: Rng) -> list[int]:
        """Ten others."""
        others = [i for i in range(len(self.profiles)) if i != batch]
        return [int(i) for i in rng.choice(others, HISTORY, replace=False)]


def deals(population: Population, batches: int, rng: Rng) -> Iterator[Deal]:
    """As many deals as it takes to have so many batches."""
    while batches > 0:
        frames = population.dealt(rng)
        yield Deal(frames, [population.profile(frame) for frame in frames])
        batches -= len(frames)


def verdict(profile: Profile, history: list[Profile]) -> tuple[Measured, ...]:
    """The alarms of a batch."""
    measured = judged(profile, history, schema=INTERACTIONS, false_alarms=PROMISED, now=NOW)
    return tuple(m for m in measured if m.verdict is Verdict.FAIL)


@dataclass(frozen=True)
class Clean:
    """What was found in clean batches."""

    population: str
    batches: int
    alarms: int
    refused: int
    measures: Counter[str]
    seconds: float

    @property
    def p_value(self) -> float:
        """How likely so many alarms are, if the promise holds."""
        return float(stats.binomtest(self.alarms, self.batches, PROMISED, "greater").pvalue)


def clean(population: Population, batches: int, rng: Rng) -> tuple[Clean, Deal]:
    """Judge clean batches; gives the last deal for further use."""
    started = time.perf_counter()
    judged_, alarms, refused, measures = 0, 0, 0, Counter[str]()
    for deal in deals(population, batches, rng):
        for place, profile in enumerate(deal.profiles[: batches - judged_]):
            found = verdict(profile, [deal.profiles[i] for i in deal.history(place, rng)])
            alarms += bool(found)
            refused += any(m.severity is Severity.SEVERE for m in found)
            measures.update(m.measure for m in found)
        judged_ += min(len(deal.profiles), batches - judged_)
    seconds = time.perf_counter() - started
    return Clean(population.name, judged_, alarms, refused, measures, seconds), deal


@dataclass(frozen=True)
class Smallest:
    """The smallest size at which a fault was caught."""

    fault: Fault
    population: str
    size: float | None
    caught: float
    refused: float
    first: str


def smallest(
    population: Population, deal: Deal, fault: Fault, *, trials: int, seed: int
) -> Smallest:
    """Halve the ladder of sizes until the smallest one caught in 95% of the trials is found."""
    low, high, best = 0, len(fault.sizes), (0.0, 0.0, "")
    while low < high:
        middle = (low + high) // 2
        found = attempt(population, deal, fault, fault.sizes[middle], trials=trials, seed=seed)
        if found[0] >= CAUGHT:
            high, best = middle, found
        else:
            low = middle + 1
    size = fault.sizes[low] if low < len(fault.sizes) else None
    return Smallest(fault, population.name, size, *best)


def attempt(
    population: Population, deal: Deal, fault: Fault, size: float, *, trials: int, seed: int
) -> tuple[float, float, str]:
    """Share of trials that caught the fault, share refused, and the measure most often on top."""
    rng, caught, refused, first = np.random.default_rng(seed), 0, 0, Counter[str]()
    allowed = trials - math.ceil(CAUGHT * trials)
    for trial in range(trials):
        if trial - caught > allowed:
            break
        place = trial % len(deal.frames)
        history = deal.history(place, rng)
        broken = fault.inject(deal.frames[place], deal.frames[history[-1]], size, rng)
        found = verdict(population.profile(broken), [deal.profiles[i] for i in history])
        caught += bool(found)
        refused += any(m.severity is Severity.SEVERE for m in found)
        first.update(m.measure for m in found[:1])
    top = first.most_common(1)[0][0] if first else ""
    return caught / trials, refused / trials, top


def measured(make: Make, by_user: bool, chosen: argparse.Namespace) -> tuple[Clean, list[Smallest]]:
    """Everything about one kind of batches."""
    population, rng = make(chosen.data, by_user=by_user), np.random.default_rng(chosen.seed)
    result, deal = clean(population, chosen.batches, rng)
    faults = [fault for fault in FAULTS if fault.of == population.name.partition(",")[0]]
    return result, [
        smallest(population, deal, fault, trials=chosen.trials, seed=chosen.seed)
        for fault in faults
    ]


def report_clean(found: list[Clean]) -> Table:
    """Of the clean batches."""
    table = Table(title=f"Clean batches against {HISTORY} others, promised {PROMISED:.0%} alarms")
    for name in (
        "batches of",
        "judged",
        "alarms",
        "binomial p",
        "refused",
        "ms a batch",
        "raised by",
    ):
        table.add_column(name, justify="left" if name in ("batches of", "raised by") else "right")
    for each in found:
        raised = ", ".join(f"{name} {n}" for name, n in each.measures.most_common(3))
        table.add_row(
            each.population, str(each.batches), f"{each.alarms} ({each.alarms / each.batches:.2%})",
            f"{each.p_value:.2g}", str(each.refused),
            f"{1000 * each.seconds / each.batches:.0f}", raised,
        )  # fmt: skip
    return table


def report_faults(found: list[Smallest]) -> Table:
    """Of the faults."""
    table = Table(title=f"Smallest size of a fault that is caught in {CAUGHT:.0%} of the trials")
    for name in ("fault", "size", "batches of", "smallest", "caught", "refused", "first measure"):
        table.add_column(name)
    for each in found:
        size = "NOT CAUGHT" if each.size is None else f"{each.size:.1%}"
        table.add_row(
            each.fault.name, each.fault.unit, each.population, size,
            f"{each.caught:.0%}", f"{each.refused:.0%}", each.first,
        )  # fmt: skip
    return table


def main() -> int:
    """Judge clean batches, inject faults, print both tables; returns the exit code."""
    parser = argparse.ArgumentParser(description="False alarms and caught faults")
    default = os.environ.get("FLYBALL_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--batches", type=int, default=500, help="clean batches of each kind")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    if not (chosen.data / "steam-200k.csv").exists():
        print(f"no steam-200k.csv in {chosen.data}; pass --data DIR", file=sys.stderr)
        return 2
    kinds = [(make, by_user) for make in (steam, reviews) for by_user in (True, False)]
    # A fresh process for each kind of batches: forked ones would share polars' locks.
    with ProcessPoolExecutor(mp_context=get_context("spawn"), max_workers=os.cpu_count()) as pool:
        found = list(pool.map(partial(measured, chosen=chosen), *zip(*kinds, strict=True)))
    cleans = [kind[0] for kind in found]
    caught = [fault for kind in found for fault in kind[1]]
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(report_clean(cleans))
    console.print(report_faults(sorted(caught, key=lambda each: FAULTS.index(each.fault))))
    holds = all(each.p_value > SIGNIFICANT and not each.refused for each in cleans)
    return 0 if holds and all(each.size is not None for each in caught) else 1


if __name__ == "__main__":
    sys.exit(main())
