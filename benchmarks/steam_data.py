"""The published data that recommenders are judged on, as folds; see the data's own README."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import polars as pl

from flyball.games.catalogue import Catalogue, Game, game_id
from flyball.games.features import features
from flyball.games.listing import Listing
from flyball.games.tables import CATALOGUE
from flyball.recommend import Fold, LastSplit, TimeSplit
from flyball.storage.sources import FileSources

SPLITS = ("all", "plays", "time", "last")
NAMES = {
    "all": "steam all, random",
    "plays": "steam plays, random",
    "time": "reviews, time",
    "last": "reviews, last",
}


def default_data() -> Path:
    """Where the data is: ``FLYBALL_TEST_DATA``, else beside the project."""
    root = Path(__file__).resolve().parents[1]
    return Path(os.environ.get("FLYBALL_TEST_DATA") or root.parent / "shared" / "data")


@dataclass(frozen=True)
class Split:
    """One split: the fold, and what is known of its items."""

    name: str
    fold: Fold
    games: tuple[Game, ...]


@cache
def listing(data: Path) -> Listing:
    """The published catalogue, read as ``flyball ingest`` reads it."""
    with FileSources().open(str(data / "steam_games.json.gz"), [CATALOGUE]) as reading:
        return Listing.of({"catalogue": pl.concat([chunk.frame for chunk in reading])})


def load(name: str, data: Path) -> Split:
    """One of ``SPLITS``. Items of the steam splits are titles, of the reviews item ids."""
    if name in ("all", "plays"):
        frame = pl.read_parquet(data / f"split_steam_{name}.parquet")
        pairs = frame.rename({"user": "user_id", "title": "item_id"})
        fold = Fold.from_frame(
            pairs.select("user_id", "item_id", "hours"), frame["test"].to_numpy()
        )
        titles = {item: item for item in fold.train.items.tolist()}
    else:
        frame = pl.read_csv(data / "steam_reviews_2010_2015.csv")
        pairs = frame.select(
            pl.col("user").cast(pl.String).alias("user_id"),
            pl.col("item_id").cast(pl.String).str.zfill(8),  # in order as numbers are
            pl.col("date").str.to_date().alias("day"),
        )
        fold = (TimeSplit() if name == "time" else LastSplit()).fold(pairs)
        named = listing(data).rows.select("item_id", "name")
        known = dict(zip(named["item_id"].to_list(), named["name"].to_list(), strict=True))
        titles = {item: known.get(item.lstrip("0"), item) for item in fold.train.items.tolist()}
    games = _games(titles, listing(data))
    return Split(name, fold.described(features(Catalogue(games))), games)


def _games(titles: dict[str, str], listed: Listing) -> tuple[Game, ...]:
    """What is known of each item; numbered, because two titles may have one game id."""
    facts = listed.games({game_id(title) for title in titles.values()})
    bare = (facts.get(game_id(t), Game(game_id=game_id(t), title=t)) for t in titles.values())
    return tuple(
        replace(game, game_id=f"{number:06}", title=title)
        for number, (game, title) in enumerate(zip(bare, titles.values(), strict=True))
    )
