"""From rows of a file to interactions, and how these are split to learn and to judge."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from flyball.domain.text import many
from flyball.errors import TrainingError
from flyball.games.catalogue import Catalogue
from flyball.games.features import features
from flyball.games.joining import GAME, join_report, owned
from flyball.games.listing import Listing
from flyball.games.splitting import MIN_GAMES_OF_PLAYER, MIN_PLAYERS, divided, sizes
from flyball.games.worth_trying import reasons_not_to_try
from flyball.ports import Prepared
from flyball.recommend.interactions import Interactions
from flyball.recommend.split import Fold

if TYPE_CHECKING:
    from flyball.ports import Tables

MIN_GAMES = 10
"""A catalogue below this leaves nothing to rank."""

MAX_NEW_GAMES = 2000
"""Games nobody has that take part: each costs every answer a little."""

NEW_FOR = timedelta(days=365)
"""Older games that nobody has are not new; nobody wants them."""


def interactions(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per player and game they have, whatever says so.

    Args:
        rows: as ``joining.owned`` gives them.

    Returns:
        columns ``user_id``, ``item_id`` (a game id), ``day`` and ``hours`` played on it (null where
        no play says so), in that order, each day of a pair once: what was played after a cutoff
        must not be added to what was played before it. Without dates each pair once. Rows without
        a user or a game, and ids with a NUL character (which no request can name), are left out.
    """
    user = pl.col("user_id")
    usable = user.is_not_null() & (user != "") & ~user.str.contains("\0", literal=True)
    played = pl.when(pl.col("event") == "play").then(pl.col("value"))
    known = played.is_not_null().any()
    day = pl.col("timestamp").dt.date().alias("day")
    return (
        rows.filter(usable & pl.col(GAME).is_not_null())
        .group_by("user_id", pl.col(GAME).alias("item_id"), day)
        .agg(pl.when(known).then(played.sum()).alias("hours"))
        .sort("user_id", "item_id", "day")
    )


def catalogue(tables: Tables, game_ids: Iterable[str]) -> Catalogue:
    """These games with all that is known of them.

    The ingested catalogue comes first, then the facts that come with Flyball, then the spelling of
    the title that most rows use (ties: the first in order).
    """
    listing = Listing.of(tables)
    return _catalogue(owned(tables, listing), listing, list(game_ids))


def _catalogue(rows: pl.DataFrame, listing: Listing, ids: list[str]) -> Catalogue:
    spelled = titles(rows)
    return Catalogue.of({id: spelled.get(id, id) for id in ids}, listing.games(ids))


def titles(rows: pl.DataFrame) -> dict[str, str]:
    """The spelling of each game's title that most rows use (ties: the first in order), by id."""
    counted = (
        rows.drop_nulls(["title", GAME])
        .group_by(GAME, "title")
        .len()
        .sort([GAME, "len", "title"], descending=[False, True, False])
        .unique(GAME, keep="first", maintain_order=True)
    )
    return dict(zip(counted[GAME].to_list(), counted["title"].to_list(), strict=True))


def prepare(tables: Tables, *, seed: int, baseline: str) -> Prepared:
    """Divide what players have, as ``splitting.divided`` does, and say what is worth trying.

    New games that the catalogue lists take part in the end only.

    Raises:
        TrainingError: too little data to learn or to judge from; says how much is needed.
    """
    listing = Listing.of(tables)
    rows = owned(tables, listing)
    pairs = interactions(rows)
    unresolved = rows[GAME].null_count()
    _require_enough(pairs, unresolved)
    parts = divided(pairs, seed=seed)
    newest = cast("date | None", pairs["day"].max())
    new = new_games(listing, parts.final.train.items.tolist(), newest=newest)
    final = parts.final.widened(new)
    items = final.train.items
    words = features(_catalogue(rows, listing, items.tolist()))
    search = [_described(fold, items, words) for fold in parts.search]
    final = final.described(words)
    told = reasons_not_to_try(search[-1].train, seed=seed)
    described = {
        **parts.described,
        "rows": rows.height,
        "unresolved": unresolved,
        **sizes(final),
        "new_games": len(new),
        "order": told.order,
        **({"catalogue": join_report(rows, listing)} if listing.rows.height else {}),
    }
    return Prepared(
        split=described, search=search, final=final, baseline=baseline, skipped=told.skipped
    )


def everything(tables: Tables, items: Iterable[str]) -> Interactions:
    """All that players have, what was held out too.

    Args:
        items: ids of the games there are; those nobody has may be among them.
    """
    pairs = interactions(owned(tables, Listing.of(tables)))
    return Interactions.from_frame(pairs).widened(items)


def new_games(listing: Listing, known: Collection[str], *, newest: date | None) -> list[str]:
    """Listed games that nobody has yet and that may be new: the last to be released.

    Args:
        known: games that somebody has.
        newest: the last day of the players' rows, where these are dated. Games of the year before
            it count; what came later did not exist then.
    """
    if not listing.rows.height or "release_date" not in listing.rows.columns:
        return []
    released = pl.col("release_date").cast(pl.Date)
    wanted = released.is_not_null() & ~pl.col("game_id").is_in(list(known))
    if newest is not None:
        wanted &= (released <= newest) & (released > newest - NEW_FOR)
    return sorted(
        listing.rows.unique("game_id", keep="first", maintain_order=True)
        .filter(wanted)
        .sort([released, "game_id"], descending=[True, False])["game_id"]
        .head(MAX_NEW_GAMES)
        .to_list()
    )


def _described(fold: Fold, items: NDArray[np.str_], words: csr_matrix | None) -> Fold:
    """The fold with its games' part of the features of all ``items``."""
    if words is None:
        return fold
    return fold.described(words[np.searchsorted(items, fold.train.items)])


def _require_enough(pairs: pl.DataFrame, unresolved: int) -> None:
    n_games = pairs["item_id"].n_unique()
    per_player = pairs.group_by("user_id").agg(pl.col("item_id").n_unique().alias("games"))
    judged_by = per_player.filter(pl.col("games") >= MIN_GAMES_OF_PLAYER).height
    if judged_by < MIN_PLAYERS or n_games < MIN_GAMES:
        unknown = (
            f"; {unresolved} rows name items that no ingested catalogue lists: ingest it too"
            if unresolved
            else ""
        )
        raise TrainingError(
            f"the data has {many(n_games, 'game')} and {many(judged_by, 'player')} with "
            f"{MIN_GAMES_OF_PLAYER} or more of them; a recommender needs at least {MIN_GAMES} "
            f"games and {MIN_PLAYERS} such players: ingest more batches{unknown}"
        )
