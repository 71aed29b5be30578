"""How players' games are divided: what to learn from, what to search on, what to judge by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import polars as pl

from flyball.errors import TrainingError
from flyball.recommend.dated_splits import TimeSplit
from flyball.recommend.split import Fold, HoldoutSplit

MIN_PLAYERS = 20
"""Players to judge by: fewer say nothing about a model."""

MIN_GAMES_OF_PLAYER = 5
"""Players with fewer games are learnt from and never judged by, where games are held out."""

SEARCH_MIN_GAMES = 3
"""As ``MIN_GAMES_OF_PLAYER``, for the search: its players have a fifth of their games fewer."""

NARROW = 1024
"""Items in the cheap fold of the search."""

NARROW_FROM = 1500
"""With fewer items than this the whole fold is cheap enough."""


@dataclass(frozen=True, eq=False, slots=True)
class Parts:
    """The data, divided.

    Attributes:
        final: what to learn from, and what decides in the end.
        search: of the training part of ``final`` alone; the popular games first where there are
            many, then all.
        described: how, JSON types.
    """

    final: Fold
    search: tuple[Fold, ...]
    described: Mapping[str, Any]


def divided(pairs: pl.DataFrame, *, seed: int) -> Parts:
    """By time where every row is dated and enough players came back; else by hash.

    By time: what came last is foretold from what was before, as in production. By hash: a fifth of
    the games of each player with five or more. The search gets its own division of the training
    part, so that what decides in the end was never looked at.

    Args:
        pairs: ``user_id``, ``item_id``, ``hours``, ``day``.

    Raises:
        TrainingError: no player has enough games left to search on.
    """
    return _by_time(pairs) or _by_hash(pairs, seed)


def _by_time(pairs: pl.DataFrame) -> Parts | None:
    if pairs["day"].null_count() or pairs["day"].n_unique() < 3:
        return None
    split = TimeSplit()
    try:
        final = split.fold(pairs)
        search = split.fold(final.train.frame())
    except TrainingError:
        return None  # all of it is of one or two days
    if min(len(final.test_users), len(search.test_users)) < MIN_PLAYERS:
        return None
    rising = _rising(search)
    about = {
        "kind": "what came last, by time",
        **asdict(split),
        "cutoff": float(final.as_of[0]) if final.as_of is not None else None,
        "search": {**asdict(split), **_about(rising)},
    }
    return Parts(final, rising, about)


def _by_hash(pairs: pl.DataFrame, seed: int) -> Parts:
    split = HoldoutSplit(seed=seed, min_items=MIN_GAMES_OF_PLAYER)
    search_split = HoldoutSplit(seed=_derived(seed), min_items=SEARCH_MIN_GAMES)
    final = split.fold(pairs)
    rising = _rising(search_split.fold(final.train.frame()))
    about = {
        "kind": "holdout by hash of player and game",
        **asdict(split),
        "search": {**asdict(search_split), **_about(rising)},
    }
    return Parts(final, rising, about)


def _rising(fold: Fold) -> tuple[Fold, ...]:
    if len(fold.test_users) == 0:
        raise TrainingError(
            "no player has enough games left to search on after the holdout; ingest more batches"
        )
    if len(fold.train.items) < NARROW_FROM:
        return (fold,)
    narrow = fold.narrowed(NARROW)
    return (narrow, fold) if len(narrow.test_users) else (fold,)


def _about(search: tuple[Fold, ...]) -> Mapping[str, Any]:
    return {
        "fidelities": [len(fold.train.items) for fold in search],
        "test_players": [len(fold.test_users) for fold in search],
    }


def _derived(seed: int) -> int:
    """Another key for another holdout, fixed by ``seed``."""
    raw = blake2b(f"search:{seed}".encode(), digest_size=7).digest()
    return int.from_bytes(raw, "little")


def sizes(fold: Fold) -> Mapping[str, Any]:
    """How large a fold is, JSON types."""
    played = (fold.train.counts > 0) | (np.bincount(fold.test.indices, minlength=fold.n_items) > 0)
    return {
        "players": len(fold.train.users),
        "games": int(played.sum()),
        "interactions": int(fold.train.matrix.nnz + fold.test.nnz),
        "held_out": int(fold.test.nnz),
        "test_players": len(fold.test_users),
    }
