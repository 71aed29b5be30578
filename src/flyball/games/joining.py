"""From rows about titles, items and game ids to rows about one kind of game id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from flyball.games.listing import Listing, with_slugs
from flyball.games.tables import OWNING

if TYPE_CHECKING:
    from flyball.ports import Tables

EXAMPLES = 5
"""Names shown of what the catalogue does not list."""

GAME = "__game"
"""The column with the id of the game that a row is about."""


def owned(tables: Tables, listing: Listing) -> pl.DataFrame:
    """The rows which say that a player has a game, with the column ``__game``.

    That is the id of their title; without a title, of the item as the catalogue lists it; else
    their own ``game_id``. Null where none of these leads to a game.
    """
    frame = _whole(tables.get("interactions", pl.DataFrame()))
    has = pl.col("event").is_null() | pl.col("event").is_in(OWNING)
    return resolved(frame.filter(has), listing)


def resolved(frame: pl.DataFrame, listing: Listing) -> pl.DataFrame:
    """``frame`` with the column ``__game``, as ``owned`` says."""
    by_title = with_slugs(frame, "title", "__by_title")
    by_item = by_title.join(
        listing.ids.rename({"game_id": "__by_item"}),
        on="item_id",
        how="left",
        maintain_order="left",
    )
    by_id = with_slugs(by_item, "game_id", "__by_id")
    game = pl.coalesce("__by_title", "__by_item", "__by_id").alias(GAME)
    return by_id.with_columns(game).drop("__by_title", "__by_item", "__by_id")


def join_report(rows: pl.DataFrame, listing: Listing) -> Mapping[str, Any]:
    """How the players' rows and the catalogue fit together; JSON types.

    Args:
        rows: as ``owned`` gives them.

    Returns:
        ``listed`` items, of which ``shared`` have the game id of another; of all distinct
        ``games`` that rows name, how many are ``unmatched`` (``share``), in how many
        ``unmatched_rows`` of ``rows`` (``share_of_rows``), with ``examples``, the commonest first.
    """
    named = rows.group_by(pl.coalesce("title", "item_id", "game_id").alias("named")).agg(
        pl.len().alias("rows"), pl.col(GAME).first()
    )
    known = pl.col(GAME).is_in(listing.rows["game_id"].unique().implode()).fill_null(False)
    missing = named.filter(~known).sort(["rows", "named"], descending=[True, False])
    unmatched_rows = int(missing["rows"].sum())
    return {
        "listed": listing.rows.height,
        "shared": listing.shared,
        "games": named.height,
        "unmatched": missing.height,
        "share": round(missing.height / max(1, named.height), 4),
        "rows": rows.height,
        "unmatched_rows": unmatched_rows,
        "share_of_rows": round(unmatched_rows / max(1, rows.height), 4),
        "examples": missing["named"].head(EXAMPLES).to_list(),
    }


def _whole(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with every column that is needed; absent ones hold null."""
    needed = {
        **dict.fromkeys(("user_id", "title", "item_id", "game_id", "event"), pl.String()),
        "value": pl.Float64(),
        "timestamp": pl.Datetime("us"),
    }
    if not frame.width:
        return pl.DataFrame(schema=needed)
    absent = [pl.lit(None, t).alias(n) for n, t in needed.items() if n not in frame.columns]
    texts = [name for name, type_ in needed.items() if type_ == pl.String]
    return frame.with_columns(absent).with_columns(pl.col(texts).cast(pl.String))
