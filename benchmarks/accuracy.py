"""Accuracy of the built-in recommenders on two fixed splits, beside published reference figures.

    python benchmarks/accuracy.py [--data DIR]

Reads ``split_steam_all.parquet`` and ``split_steam_plays.parquet`` (columns user, title, hours,
test) from ``--data``, ``FLYBALL_TEST_DATA`` or ``../shared/data``. Exits 1 if the NDCG@10 of a
model is not within one standard error of the reference, 2 if the data is not there.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from flyball.recommend import (
    Ease,
    EaseConfig,
    Fold,
    Popularity,
    PopularityConfig,
    coverage,
    ndcg,
    rank,
    recall,
    top_k,
)


@dataclass(frozen=True)
class Case:
    """One model on one split, and what the reference reached there."""

    split: str
    model: str
    parameters: dict[str, float]
    ndcg: float
    error: float
    recall: float
    coverage: float

    @property
    def key(self) -> str:
        """How a child process is told which case is its own."""
        return f"{self.split}/{self.model}"


CASES = (
    Case("all", "popularity", {}, 0.140, 0.003, 0.282, 0.007),
    Case("all", "ease", {"regularisation": 30, "dropout": 0.2}, 0.515, 0.006, 0.580, 0.230),
    Case("plays", "popularity", {}, 0.164, 0.005, 0.272, 0.009),
    Case("plays", "ease", {"regularisation": 100, "dropout": 0.5}, 0.299, 0.006, 0.426, 0.129),
)


@dataclass(frozen=True)
class Result:
    """What one model reached; times in seconds, memory in MiB."""

    users: int
    ndcg: float
    error: float
    recall: float
    coverage: float
    fit: float
    rank: float
    peak: float
    answers: tuple[float, float, float]


def fixed_fold(path: Path) -> Fold:
    """The fold a file's ``test`` column describes."""
    frame = pl.read_parquet(path)
    pairs = frame.select(pl.col("user").alias("user_id"), pl.col("title").alias("item_id"))
    return Fold.from_frame(pairs, frame["test"].to_numpy())


def fitted(case: Case, fold: Fold) -> Popularity | Ease:
    """The case's model, trained on the fold."""
    if case.model == "ease":
        return Ease.fit(fold.train, EaseConfig(**case.parameters))
    return Popularity.fit(fold.train, PopularityConfig())


def answer_times(model: Popularity | Ease, fold: Fold) -> tuple[float, float, float]:
    """Quartiles (25, 50, 75%) of the seconds for score and top 10 of one player, once loaded."""
    with tempfile.TemporaryDirectory() as directory:
        model.save(Path(directory))
        served = type(model).load(Path(directory))
        matrix = fold.train.matrix
        players = np.random.default_rng(0).permutation(fold.test_users)[:1000]
        histories = [matrix.indices[matrix.indptr[p] : matrix.indptr[p + 1]] for p in players]
        times = []
        for history in [*histories[:100], *histories]:
            started = time.perf_counter()
            scores = served.score(history)
            scores[history] = -np.inf
            top_k(scores, 10)
            times.append(time.perf_counter() - started)
        low, middle, high = np.quantile(times[100:], [0.25, 0.5, 0.75])
        return float(low), float(middle), float(high)


def measured(case: Case, data: Path) -> Result:
    """Fit and judge one model in this process; its peak memory is this process's."""
    fold = fixed_fold(data / f"split_steam_{case.split}.parquet")
    gc.collect()
    started = time.perf_counter()
    model = fitted(case, fold)
    fit = time.perf_counter() - started
    started = time.perf_counter()
    ranking = rank(model, fold, depth=20)
    ranked = time.perf_counter() - started
    values = ndcg(ranking, 10)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Result(
        users=len(values),
        ndcg=float(values.mean()),
        error=float(values.std(ddof=1) / np.sqrt(len(values))),
        recall=float(recall(ranking, 20).mean()),
        coverage=coverage(ranking, 10),
        fit=fit,
        rank=ranked,
        peak=peak,
        answers=answer_times(model, fold),
    )


def in_own_process(case: Case, data: Path) -> Result:
    """``measured`` in a fresh process, so that each model's peak memory is its own."""
    command = [sys.executable, __file__, "--data", str(data), "--case", case.key]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Result(**json.loads(done.stdout))


def within(case: Case, result: Result) -> bool:
    """Whether NDCG@10 is the reference's within one standard error (the reference's own)."""
    return abs(result.ndcg - case.ndcg) <= case.error


def report(results: list[tuple[Case, Result]]) -> Table:
    """The table: measured values, reference in brackets."""
    table = Table(title="Full ranking, training items masked (reference in brackets)")
    for title in ("split", "model", "users", "NDCG@10 ± se", "Recall@20", "coverage@10"):
        table.add_column(title)
    for title in ("fit s", "rank s", "peak MiB", "score + top 10, µs", "within 1 se"):
        table.add_column(title, justify="right")
    for case, result in results:
        low, middle, high = (round(1e6 * seconds) for seconds in result.answers)
        table.add_row(
            f"steam {case.split}",
            case.model,
            f"{result.users:,}",
            f"{result.ndcg:.3f} ± {result.error:.3f} ({case.ndcg:.3f})",
            f"{result.recall:.3f} ({case.recall:.3f})",
            f"{result.coverage:.3f} ({case.coverage:.3f})",
            f"{result.fit:.2f}",
            f"{result.rank:.2f}",
            f"{result.peak:.0f}",
            f"{middle} ({low}-{high})",
            "yes" if within(case, result) else "NO",
        )
    return table


def main() -> int:
    """Measure every case, or with ``--case`` one of them; returns the exit code."""
    parser = argparse.ArgumentParser(description="Accuracy beside the reference figures")
    root = Path(__file__).resolve().parents[1]
    default = os.environ.get("FLYBALL_TEST_DATA") or root.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--case", choices=[case.key for case in CASES], help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if not (chosen.data / "split_steam_all.parquet").exists():
        print(f"no split_steam_all.parquet in {chosen.data}; pass --data DIR", file=sys.stderr)
        return 2
    if chosen.case:
        case = next(case for case in CASES if case.key == chosen.case)
        print(json.dumps(asdict(measured(case, chosen.data))))
        return 0
    results = [(case, in_own_process(case, chosen.data)) for case in CASES]
    Console(width=None if sys.stdout.isatty() else 160).print(report(results))
    return 0 if all(within(case, result) for case, result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
