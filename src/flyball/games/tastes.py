"""What the players of the sample world like, hidden from every model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from flyball.games.catalogue import GENRES, TAGS, Game

Floats: TypeAlias = NDArray[np.float64]

ARCHETYPES = (
    "shooter action first-person multiplayer military esports",
    "shooter sci-fi first-person story-rich immersive-sim stealth",
    "strategy grand-strategy historical 4x turn-based",
    "strategy real-time military tactics multiplayer",
    "rpg fantasy story-rich choices-matter open-world",
    "rpg jrpg turn-based story-rich fantasy",
    "rpg soulslike hack-and-slash third-person fantasy",
    "platformer indie metroidvania pixel-art puzzle",
    "roguelike indie card-game action pixel-art",
    "simulation management city-builder building sandbox",
    "survival crafting sandbox open-world co-op zombies",
    "horror survival first-person zombies story-rich",
    "racing sports fighting local-multiplayer simulation",
    "adventure point-and-click story-rich comedy visual-novel",
    "puzzle cozy indie music physics",
    "action third-person open-world stealth superhero historical",
    "space sci-fi cyberpunk simulation post-apocalyptic",
    "free-to-play moba mmo multiplayer battle-royale tower-defense",
    "retro strategy adventure shooter platformer",
)
"""Each a set of genres and tags that tend to be liked together."""

_OWNED_SHARES = {
    "windows": 0.8,
    "playstation": 0.35,
    "xbox": 0.25,
    "switch": 0.35,
    "mobile": 0.4,
    "mac": 0.1,
    "linux": 0.05,
}


class Traits(NamedTuple):
    """Hidden traits of n players.

    Attributes:
        affinity: shape (n, n_games); per player mean 0 and standard deviation 1 over the games.
        thrift: shape (n,), how much a price of 30 USD puts off.
        runs: shape (n, n_games), whether the game runs on something the player owns.
    """

    affinity: Floats
    thrift: Floats
    runs: NDArray[np.bool_]

    def of(self, row: int) -> Traits:
        """The traits of one player, n = 1."""
        one = slice(row, row + 1)
        return Traits(self.affinity[one], self.thrift[one], self.runs[one])


class Tastes:
    """Draws players for a fixed list of games."""

    def __init__(self, games: Sequence[Game]) -> None:
        names = sorted(GENRES | TAGS)
        self._archetypes = np.array([[n in a.split() for n in names] for a in ARCHETYPES], float)
        self._features = _features(games)
        self._supported = np.array([[p in g.platforms for p in _OWNED_SHARES] for g in games])

    def draw(self, rng: np.random.Generator, players: int) -> Traits:
        """The traits of so many new players."""
        mixes = rng.dirichlet(np.full(len(ARCHETYPES), 0.12), players)
        whims = rng.normal(0.0, 0.08, (players, self._features.shape[1]))
        appeal = (mixes @ self._archetypes + whims) @ self._features.T
        appeal -= appeal.mean(axis=1, keepdims=True)
        affinity = appeal / appeal.std(axis=1, keepdims=True)
        owns = rng.random((players, len(_OWNED_SHARES))) < np.array([*_OWNED_SHARES.values()])
        owns[~owns.any(axis=1), 0] = True
        runs = (owns.astype(int) @ self._supported.T.astype(int)) > 0
        return Traits(affinity, rng.gamma(2.0, 0.25, players), runs)


def _features(games: Sequence[Game]) -> Floats:
    """Shape (n_games, n_names): which genres and tags, rare ones weighing more, of length 1."""
    names = sorted(GENRES | TAGS)
    has = np.array([[n in g.genres or n in g.tags for n in names] for g in games], dtype=float)
    weighted = has * np.log(len(games) / np.maximum(has.sum(axis=0), 1.0))
    features: Floats = weighted / np.linalg.norm(weighted, axis=1, keepdims=True).clip(min=1e-9)
    return features


def expected_fame(games: Sequence[Game]) -> Floats:
    """Log-scale head start: for each platform, for being free, and for being recent."""
    facts = [(len(g.platforms), g.price_usd == 0.0, (g.released or date.max).year) for g in games]
    platforms, free, year = np.array(facts, dtype=float).T
    fame: Floats = 0.12 * platforms + 0.3 * free + 0.03 * (year - year.max())
    return fame


def hours(affinity: Floats, rng: np.random.Generator) -> Floats:
    """Log-normal: the median is 2.5 h for the average game and rises with affinity."""
    drawn = rng.lognormal(0.9 + 0.5 * affinity, 0.9)
    return np.asarray(np.round(np.clip(drawn, 0.1, 500.0), 1), dtype=np.float64)


def logistic(value: Any) -> Any:
    """1 / (1 + exp(-value)), for numbers and arrays."""
    return 1.0 / (1.0 + np.exp(-value))
