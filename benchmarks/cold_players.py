"""What three liked games are worth: NDCG@10 of strangers, beside that of all they have.

    python -m benchmarks.cold_players [--data DIR]

On each of the two fixed splits of ``steam-200k.csv`` a fifth of the test players with more than
three training games is kept from training altogether, another fifth in each round. The model is
asked about them with all their training games as the request's history (warm), then with the three
that they played longest, ties drawn (cold), and foretells the same held-out games. The training
games are masked both times: those that a cold player did not name are neither right nor wrong. What
is found without that mask is shown too. Accuracy is ``NDCG@10``; a share is of all players' means.

A game somebody played is one they chose; so what is asked for is asked on the plays. Of all rows
most are games that were bought, many in bundles, and not played: three games do not say what else
was in the bundle, to no model that was tried. Exits 1 where a cold player's NDCG@10 is below 80% of
a warm one's on the plays, 2 if the data is not there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from benchmarks.steam_data import NAMES, default_data, load
from benchmarks.table import Line, judged
from flyball import plugins
from flyball.recommend import Fold, Histories, Recommender, top_k
from flyball.recommend.metrics import discounts

GIVEN = 3
ROUNDS = 5
K = 10
CHUNK = 256


@dataclass(frozen=True)
class Case:
    """One model on one split.

    Attributes:
        split, family, config: what is fitted.
        least: what a cold player's NDCG@10 must be of a warm one's; None: it is only shown.
    """

    split: str
    family: str
    config: Mapping[str, Any]
    least: float | None = None

    @property
    def name(self) -> str:
        """As people read it."""
        return f"{NAMES[self.split]}, {self.family}"


PLAYS = {"regularisation": 100, "dropout": 0.5}
CASES = (
    Case("plays", "feature_ease", PLAYS, least=0.8),
    Case("plays", "ease", PLAYS),
    Case("plays", "popularity", {}),
    Case("all", "feature_ease", {}),
    Case("all", "popularity", {}),
)

Values = NDArray[np.float64]


def liked(histories: Histories, rng: np.random.Generator) -> Histories:
    """Of each history the ``GIVEN`` games played longest, unknown hours last; ties are drawn."""
    rows = np.repeat(np.arange(len(histories)), histories.lengths)
    hours = np.zeros(len(rows)) if histories.hours is None else np.nan_to_num(histories.hours)
    order = np.lexsort((rng.random(len(rows)), -hours, rows))
    places = np.arange(len(rows)) - (np.cumsum(histories.lengths) - histories.lengths)[rows]
    kept = np.zeros(len(rows), dtype=np.bool_)
    kept[order[places < GIVEN]] = True
    return histories.kept(kept)


def found(model: Recommender, told: Histories, masked: csr_matrix, wanted: csr_matrix) -> Values:
    """NDCG@10 of each player whose history is ``told``, with the games of ``masked`` left out."""
    gains, values = discounts(K), []
    for start in range(0, len(told), CHUNK):
        part = slice(start, start + CHUNK)
        scores = model.predict(told[part])
        hidden = masked[part]
        scores[np.repeat(np.arange(len(scores)), np.diff(hidden.indptr)), hidden.indices] = -np.inf
        right = wanted[part].toarray() > 0
        hits = np.take_along_axis(right, top_k(scores, K), axis=1)
        values.append(hits @ gains / np.cumsum(gains)[np.minimum(K, right.sum(axis=1)) - 1])
    return np.concatenate(values)


def measured(case: Case, fold: Fold, number: int) -> dict[str, Values]:
    """One round: NDCG@10 of each stranger by what the model was told."""
    lengths = np.diff(fold.train.matrix.indptr)
    judged_by = fold.test_users[lengths[fold.test_users] > GIVEN]
    strangers = np.sort(np.random.default_rng(0).permutation(judged_by)[number::ROUNDS])
    others = fold.train.narrowed(users=np.setdiff1d(np.arange(len(lengths)), strangers))
    warm, wanted = fold.train.histories(strangers), fold.test[strangers]
    cold = liked(warm, np.random.default_rng(number))
    kind: Any = plugins.model(case.family)
    model = kind.fit(others, kind.Config(**case.config))
    return {
        "warm": found(model, warm, warm.matrix, wanted),
        "cold": found(model, cold, warm.matrix, wanted),
        "cold, not masked": found(model, cold, cold.matrix, wanted),
    }


def lines(case: Case, rounds: list[dict[str, Values]]) -> list[Line]:
    """What was asked for beside what was measured."""
    told = [
        Line(
            what=f"{case.name}: {name}",
            values=[float(each[name].mean()) for each in rounds],
            unit="",
        )
        for name in rounds[0]
    ]
    cold, warm = (np.concatenate([each[name] for each in rounds]) for name in ("cold", "warm"))
    share = float(cold.mean() / warm.mean())
    what = f"{case.name}: cold as a share of warm"
    return [*told, Line(what=what, values=[share], unit="", least=case.least)]


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=default_data())
    chosen = parser.parse_args()
    if not (chosen.data / "split_steam_all.parquet").exists():
        print(f"no split_steam_all.parquet in {chosen.data}; pass --data DIR", file=sys.stderr)
        return 2
    found_lines: list[Line] = []
    for case in CASES:
        fold = load(case.split, chosen.data).fold
        found_lines += lines(case, [measured(case, fold, number) for number in range(ROUNDS)])
    return judged(f"Cold players: {GIVEN} liked games, never seen in training", found_lines)


if __name__ == "__main__":
    sys.exit(main())
