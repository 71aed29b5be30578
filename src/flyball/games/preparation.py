"""From rows of a file to interactions, and how these are split to learn and to judge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from flyball.errors import TrainingError
from flyball.games.catalogue import Catalogue
from flyball.games.joining import GAME, join_report, owned
from flyball.games.listing import Listing
from flyball.ports import Prepared
from flyball.recommend.split import Fold, HoldoutSplit

if TYPE_CHECKING:
    from flyball.ports import Tables
    from flyball.recommend.interactions import Interactions

MIN_PLAYERS = 20
"""Players with ``MIN_GAMES_OF_PLAYER`` games: fewer say nothing about a model."""

MIN_GAMES_OF_PLAYER = 5
"""Players with fewer games are learnt from and never judged by."""

MIN_GAMES = 10
"""A catalogue below this leaves nothing to rank."""

NARROW = 1024
"""Items in the cheap fold of the search."""

NARROW_FROM = 1500
"""With fewer items than this the whole fold is cheap enough."""

SEARCH_MIN_GAMES = 3
"""As ``MIN_GAMES_OF_PLAYER``, for the search: its players have a fifth of their games fewer."""


def interactions(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per player and game they have, whatever says so.

    Args:
        rows: as ``joining.owned`` gives them.

    Returns:
        columns ``user_id`` and ``item_id`` (a game id), distinct, in order. Rows without a user or
        a game, and ids with a NUL character (which no request can name), are left out.
    """
    user = pl.col("user_id")
    usable = user.is_not_null() & (user != "") & ~user.str.contains("\0", literal=True)
    return (
        rows.filter(usable & pl.col(GAME).is_not_null())
        .select("user_id", pl.col(GAME).alias("item_id"))
        .unique()
        .sort("user_id", "item_id")
    )


def catalogue(tables: Tables, game_ids: Iterable[str]) -> Catalogue:
    """These games with all that is known of them.

    The ingested catalogue comes first, then the facts that come with Flyball, then the spelling of
    the title that most rows use (ties: the first in order).
    """
    ids = list(game_ids)
    listing = Listing.of(tables)
    spelled = titles(owned(tables, listing))
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
    """Hold out a fifth of the games of each player with five or more, by hash.

    The search gets its own holdout of the training part under another key, so that what decides
    in the end was never looked at.

    Raises:
        TrainingError: too little data to learn or to judge from; says how much is needed.
    """
    listing = Listing.of(tables)
    rows = owned(tables, listing)
    pairs = interactions(rows)
    unresolved = rows[GAME].null_count()
    _require_enough(pairs, unresolved)
    split = HoldoutSplit(seed=seed, min_items=MIN_GAMES_OF_PLAYER)
    final = split.fold(pairs)
    search_split = HoldoutSplit(seed=_derived(seed), min_items=SEARCH_MIN_GAMES)
    search = _rising(search_split.fold(_pairs_of(final.train)))
    described = {
        "kind": "holdout by hash of player and game",
        **asdict(split),
        "rows": rows.height,
        "unresolved": unresolved,
        "search": {
            **asdict(search_split),
            "fidelities": [len(fold.train.items) for fold in search],
            "test_players": [len(fold.test_users) for fold in search],
        },
        **_sizes(final),
        **({"catalogue": join_report(rows, listing)} if listing.rows.height else {}),
    }
    return Prepared(split=described, search=search, final=final, baseline=baseline)


def _require_enough(pairs: pl.DataFrame, unresolved: int) -> None:
    n_games = pairs["item_id"].n_unique()
    per_player = pairs.group_by("user_id").len()
    judged_by = per_player.filter(pl.col("len") >= MIN_GAMES_OF_PLAYER).height
    if judged_by < MIN_PLAYERS or n_games < MIN_GAMES:
        unknown = (
            f"; {unresolved} rows name items that no ingested catalogue lists: ingest it too"
            if unresolved
            else ""
        )
        raise TrainingError(
            f"the data has {n_games} games and {judged_by} players with "
            f"{MIN_GAMES_OF_PLAYER} or more of them; a recommender needs at least {MIN_GAMES} "
            f"games and {MIN_PLAYERS} such players: ingest more batches{unknown}"
        )


def _rising(fold: Fold) -> tuple[Fold, ...]:
    """The fold on its most popular games first, where it is large, then whole."""
    if len(fold.test_users) == 0:
        raise TrainingError(
            "no player has enough games left to search on after the holdout; ingest more batches"
        )
    if len(fold.train.items) < NARROW_FROM:
        return (fold,)
    return (fold.narrowed(NARROW), fold)


def _pairs_of(data: Interactions) -> pl.DataFrame:
    rows = np.repeat(np.arange(len(data.users)), np.diff(data.matrix.indptr))
    return pl.DataFrame(
        {
            "user_id": data.users[rows].tolist(),
            "item_id": data.items[data.matrix.indices].tolist(),
        },
        schema={"user_id": pl.String, "item_id": pl.String},
    )


def _derived(seed: int) -> int:
    """Another key for another holdout, fixed by ``seed``."""
    raw = blake2b(f"search:{seed}".encode(), digest_size=7).digest()
    return int.from_bytes(raw, "little")


def _sizes(fold: Fold) -> Mapping[str, Any]:
    return {
        "players": len(fold.train.users),
        "games": len(fold.train.items),
        "interactions": int(fold.train.matrix.nnz + fold.test.nnz),
        "held_out": int(fold.test.nnz),
        "test_players": len(fold.test_users),
    }
