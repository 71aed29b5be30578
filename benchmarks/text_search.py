"""Free-text search: time to build, time to answer, and how often the right game is found.

    python -m benchmarks.text_search [--data DIR] [--queries 60] [--rounds 3] [--seed 1]

Two real catalogues: the titles of ``steam-200k.csv`` with the facts Flyball knows of them, and the
games of ``steam_games.json.gz`` with their genres, tags and developers (in ``--data``,
``FLYBALL_TEST_DATA`` or ``../shared/data``). Random titles are typed in six ways. Beside it
``rapidfuzz.process.extract`` with its defaults over all titles, spelled alike beforehand, takes
turns on the same queries. Times are of one thread's CPU, so that a busy machine does not add to
them; the memory of what is indexed is fresh each time, as when an artifact is opened.
Exits 1 where a number falls short; 2 if the data is not there.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import random
import sys
import tempfile
import time
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

import numpy as np
from rapidfuzz import process, utils
from rich.console import Console
from rich.table import Table

from benchmarks.table import Line, judged
from flyball.games.catalogue import Catalogue, Game, game_id
from flyball.games.search_index import SearchIndex
from flyball.games.store_words import words

LETTERS = "abcdefghijklmnopqrstuvwxyz"
FLYBALL, PEER = "Flyball", "rapidfuzz extract"
BUILD_MS = {"steam-200k": 60.0, "steam_games": 400.0}
ANSWER_MS = {"steam-200k": (2.0, 4.0), "steam_games": (5.0, 8.0)}
"""Of the median query and of the slowest in twenty."""
MISSED = {"exact": 1.0, "no accents": 2.0, "words swapped": 2.0, "one typo": 10.0}
"""Most queries, in percent, of which the right title may not be the first answer."""
FASTER = 3


def played(data: Path) -> tuple[Catalogue, Counter[str]]:
    """The games of ``steam-200k.csv``, and by id how many have each."""
    titles: dict[str, str] = {}
    owners: Counter[str] = Counter()
    with (data / "steam-200k.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            titles.setdefault(game_id(row[1]), row[1])
            owners[game_id(row[1])] += row[2] == "purchase"
    return Catalogue.of(titles), owners


def listed(data: Path) -> tuple[Catalogue, Counter[str]]:
    """The games of ``steam_games.json.gz``, and by id how many reviews each has."""
    games: dict[str, Game] = {}
    numbers: dict[str, str] = {}
    with gzip.open(data / "steam_games.json.gz", "rt", encoding="utf-8") as file:
        for row in (json.loads(line) for line in file if line.strip()):
            if not isinstance(row["app_name"], str):
                continue
            said = (row[name] if isinstance(row[name], list) else () for name in ("genres", "tags"))
            genres, tags = words(*said, ())
            title, maker = unescape(row["app_name"]), row["developer"]
            id = game_id(title)
            numbers[str(row["id"]).removesuffix(".0")] = id
            games[id] = Game(
                game_id=id, title=title, genres=genres, tags=tags,
                developer=unescape(maker) if isinstance(maker, str) else None,
            )  # fmt: skip
    reviews: Counter[str] = Counter()
    with (data / "steam_reviews_2010_2015.csv").open(encoding="utf-8", newline="") as file:
        reviews.update(numbers.get(row["item_id"], "") for row in csv.DictReader(file))
    return Catalogue(tuple(games[id] for id in sorted(games))), reviews


def typo(title: str, rng: random.Random) -> str:
    """One character left out, put in, replaced, or swapped with the next."""
    place, letter = rng.randrange(len(title)), rng.choice(LETTERS)
    before, after = title[:place], title[place:]
    swapped = before + after[1:2] + after[:1] + after[2:]
    return rng.choice(
        [before + after[1:] or title, before + letter + after, before + letter + after[1:], swapped]
    )


def shuffled(title: str, rng: random.Random) -> str:
    """The words in another order."""
    parts = title.split()
    rng.shuffle(parts)
    return " ".join(parts)


def plain(title: str, _: random.Random) -> str:
    """Lower case, without accents."""
    split = unicodedata.normalize("NFD", title.lower())
    return "".join(character for character in split if not unicodedata.combining(character))


TYPED: dict[str, Callable[[str, random.Random], str]] = {
    "exact": lambda title, _: title,
    "one typo": typo,
    "two typos": lambda title, rng: typo(typo(title, rng), rng),
    "first 60%": lambda title, _: title[: max(3, len(title) * 6 // 10)],
    "no accents": plain,
    "words swapped": shuffled,
}


@dataclass(slots=True)
class Measured:
    """What one searcher did with one way of typing."""

    ranks: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, searcher: Callable[[str], list[int]], query: str, right: int) -> None:
        """Ask once; remembers where the right column stood, 0 for first."""
        began = time.thread_time()
        columns = searcher(query)
        self.seconds.append(time.thread_time() - began)
        self.ranks.append(columns.index(right) if right in columns else len(columns) + 5)

    def found(self, k: int) -> float:
        """Percent of the queries with the right title among the first ``k``."""
        return 100 * float(np.mean(np.array(self.ranks) < k))

    def ms(self, quantile: float) -> float:
        """Milliseconds that this share of the queries took at most."""
        return 1000 * float(np.quantile(self.seconds, quantile))


def builds(catalogue: Catalogue, popularity: np.ndarray, rounds: int) -> Iterator[float]:
    """Milliseconds to build an index of a catalogue that was just read from disk."""
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder:
        path = Path(folder) / "catalogue"
        catalogue.save(path)
        for _ in range(rounds):
            fresh = Catalogue.load(path)
            began = time.thread_time()
            SearchIndex.of(fresh, popularity)
            yield 1000 * (time.thread_time() - began)


Results = dict[tuple[str, str], list[Measured]]
"""By way of typing and searcher, one by round."""


def asked(
    catalogue: Catalogue, index: SearchIndex, queries: int, rounds: int, seed: int
) -> Results:
    """Both searchers, in turns, on the same queries."""
    spelled = [utils.default_process(game.title) for game in catalogue.games]
    searchers: dict[str, Callable[[str], list[int]]] = {
        FLYBALL: lambda query: [match.column for match in index.search(query, 5)],
        PEER: lambda query: [
            place for _, _, place in process.extract(utils.default_process(query), spelled, limit=5)
        ],
    }
    results: Results = defaultdict(list)
    for number in range(rounds):
        rng = random.Random(seed + number)
        columns = rng.sample(range(len(catalogue)), queries)
        for way, change in TYPED.items():
            for name in searchers:
                results[way, name].append(Measured())
            for column in columns:
                query = change(catalogue.games[column].title, rng)
                for name, searcher in searchers.items():
                    results[way, name][-1].add(searcher, query, column)
    return results


def report(name: str, results: Results) -> Table:
    """How often the right title is found, and in which time."""
    table = Table(title=f"{name}: {len(TYPED)} ways to type a title, medians of the rounds")
    for column in ("typed", "by", "first", "among five", "p50", "p95"):
        table.add_column(column, justify="left" if column in {"typed", "by"} else "right")
    for (way, searcher), rounds in results.items():
        shares = [np.median([one.found(k) for one in rounds]) for k in (1, 5)]
        times = [np.median([one.ms(quantile) for one in rounds]) for quantile in (0.5, 0.95)]
        table.add_row(
            way, searcher, *(f"{share:.1f}%" for share in shares), *(f"{t:.2f} ms" for t in times)
        )
    return table


def lines(name: str, built: list[float], results: Results) -> list[Line]:
    """What was asked for beside what was measured, of one catalogue."""
    ways, found = (
        list(TYPED),
        [Line(what=f"{name}, build", values=built, limit=BUILD_MS[name], unit="ms")],
    )

    def times(searcher: str, quantile: float) -> list[float]:
        of_ways = [[one.ms(quantile) for one in results[way, searcher]] for way in ways]
        return [float(np.max(each)) for each in zip(*of_ways, strict=True)]

    for quantile, limit in zip((0.5, 0.95), ANSWER_MS[name], strict=True):
        what = f"{name}, answer, p{100 * quantile:.0f} of the slowest way"
        found.append(Line(what=what, values=times(FLYBALL, quantile), limit=limit, unit="ms"))
    shares = [
        ours / theirs for ours, theirs in zip(times(FLYBALL, 0.5), times(PEER, 0.5), strict=True)
    ]
    found.append(
        Line(what=f"{name}, share of the peer's time", values=shares, limit=1 / FASTER, unit="x")
    )
    for way, limit in MISSED.items():
        missed = [100 - one.found(1) for one in results[way, FLYBALL]]
        found.append(Line(what=f"{name}, not first, {way}", values=missed, limit=limit, unit="%"))
    return found


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = Path(__file__).resolve().parents[1]
    default = os.environ.get("FLYBALL_TEST_DATA") or root.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--queries", type=int, default=60, help="titles of each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    if not (chosen.data / "steam_games.json.gz").exists():
        print(f"no steam_games.json.gz in {chosen.data}; pass --data DIR", file=sys.stderr)
        return 2
    console, judgement = Console(width=None if sys.stdout.isatty() else 120), []
    for name, read in {"steam-200k": played, "steam_games": listed}.items():
        catalogue, counts = read(chosen.data)
        popularity = np.array([counts[game.game_id] for game in catalogue.games], dtype=np.int32)
        index = SearchIndex.of(catalogue, popularity)
        results = asked(catalogue, index, chosen.queries, chosen.rounds, chosen.seed)
        console.print(report(f"{name}, {len(catalogue):,} games", results))
        built = list(builds(catalogue, popularity, 2 * chosen.rounds - 1))
        judgement += lines(name, built, results)
    return judged("Free-text search, one thread", judgement)


if __name__ == "__main__":
    sys.exit(main())
