"""The games that an ingested catalogue lists: their ids, and facts in our own words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from html import unescape
from typing import TYPE_CHECKING, Any

import polars as pl

from flyball.domain.text import slug
from flyball.games.catalogue import Game, game_id
from flyball.games.store_words import words

if TYPE_CHECKING:
    from flyball.ports import Tables

FIRST_RELEASE = date(1971, 1, 1)
"""No game was sold before. A bare year such as "2016" reads as seconds after the start of 1970."""


@dataclass(frozen=True, slots=True)
class Listing:
    """An ingested catalogue; empty where there is none.

    Attributes:
        rows: one row an item, columns ``item_id`` and ``game_id`` and what else is known, the
            lowest number first.
        shared: how many items have the game id of an earlier one. Both lead to the same game,
            whose facts are those of the earlier.
    """

    rows: pl.DataFrame
    shared: int

    @classmethod
    def of(cls, tables: Tables) -> Listing:
        """Read the table ``catalogue``. Of an item listed again, the last batch counts."""
        table = tables.get("catalogue")
        if table is None or not table.height:
            none = dict.fromkeys(("item_id", "name", "game_id"), pl.String)
            return cls(pl.DataFrame(schema=none), shared=0)
        rows = (
            table.drop_nulls(["item_id", "name"])
            .unique("item_id", keep="last", maintain_order=True)
            .sort(pl.col("item_id").str.len_chars(), "item_id")  # as numbers, where they are such
        )
        named = with_slugs(rows, "name", "game_id")
        return cls(named, shared=named.height - named["game_id"].n_unique())

    @property
    def ids(self) -> pl.DataFrame:
        """Columns ``item_id`` (distinct) and ``game_id``."""
        return self.rows.select("item_id", "game_id")

    def games(self, ids: Iterable[str]) -> dict[str, Game]:
        """The facts of those of these games that are listed, by game id."""
        wanted = pl.Series(list(ids), dtype=pl.String)
        first = self.rows.filter(pl.col("game_id").is_in(wanted.implode())).unique(
            "game_id", keep="first", maintain_order=True
        )
        return {row["game_id"]: _game(row) for row in first.iter_rows(named=True)}


def with_slugs(frame: pl.DataFrame, column: str, name: str) -> pl.DataFrame:
    """``frame`` with a column ``name``: the game id of each text in ``column``; null for null."""
    texts = frame[column].cast(pl.String).unique().drop_nulls()
    ids = pl.Series(name, [game_id(unescape(text)) for text in texts.to_list()], dtype=pl.String)
    table = pl.DataFrame({column: texts, name: ids})
    return frame.join(table, on=column, how="left", maintain_order="left")


def _game(row: Mapping[str, Any]) -> Game:
    genres, tags = words(*(row.get(name) or () for name in ("genres", "tags", "specs")))
    if row.get("early_access"):
        tags = tuple(sorted({*tags, "early-access"}))
    developer, publisher = row.get("developer"), row.get("publisher")
    age = row.get("age_rating")
    return Game(
        game_id=row["game_id"],
        title=unescape(row["name"]),
        genres=genres,
        tags=tags,
        platforms=tuple(sorted({slug(name) for name in row.get("platforms") or ()} - {""})),
        released=_day(row.get("release_date")),
        price_usd=row.get("price"),
        developer=unescape(developer) if developer else None,
        publisher=unescape(publisher) if publisher else None,
        age_rating=None if age is None else int(age),
    )


def _day(when: datetime | None) -> date | None:
    return when.date() if when is not None and when.date() >= FIRST_RELEASE else None
