"""How often the right game is found, on real catalogues."""

from __future__ import annotations

import csv
import gzip
import json
import os
import random
from pathlib import Path

import numpy as np
import pytest

from flyball.games.catalogue import Catalogue, Game, game_id
from flyball.games.search_index import SearchIndex

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("FLYBALL_TEST_DATA", ROOT.parent / "shared" / "data"))
LETTERS = "abcdefghijklmnopqrstuvwxyz"
TITLES, FIRST, AMONG_FIVE = 500, 0.9, 0.97


def played() -> set[str]:
    with (DATA / "steam-200k.csv").open(encoding="utf-8", newline="") as file:
        return {row[1] for row in csv.reader(file)}


def listed() -> set[str]:
    with gzip.open(DATA / "steam_games.json.gz", "rt", encoding="utf-8") as file:
        names = [json.loads(line).get("app_name") for line in file if line.strip()]
    return {name for name in names if isinstance(name, str)}


SOURCES = {"steam-200k.csv": played, "steam_games.json.gz": listed}


def with_typo(title: str, rng: random.Random) -> str:
    """One character left out, put in, replaced, or swapped with the next."""
    place, letter = rng.randrange(len(title)), rng.choice(LETTERS)
    before, after = title[:place], title[place:]
    swapped = before + after[1:2] + after[:1] + after[2:]
    edits = [before + after[1:], before + letter + after, before + letter + after[1:], swapped]
    return rng.choice(edits)


@pytest.fixture(params=SOURCES)
def catalogue(request):
    if not (DATA / request.param).exists():
        pytest.skip(f"{request.param} is not here; FLYBALL_TEST_DATA names its folder")
    games = {game_id(title): title for title in sorted(SOURCES[request.param]())}
    return Catalogue(tuple(Game(game_id=id, title=games[id]) for id in sorted(games)))


def test_a_title_with_one_random_typo_is_found_nine_times_in_ten(catalogue):
    index = SearchIndex.of(catalogue, np.ones(len(catalogue), dtype=np.int32))
    rng = random.Random(20261122)
    first = among_five = 0
    for column in rng.sample(range(len(catalogue)), TITLES):
        typed = with_typo(catalogue.games[column].title, rng)
        matches = [match.column for match in index.search(typed, 5)]
        first += matches[:1] == [column]
        among_five += column in matches
    assert first / TITLES >= FIRST
    assert among_five / TITLES >= AMONG_FIVE
