"""Homes with models made out of random numbers: catalogues of any size, without a fit.

What a model says is of no account here, only how many numbers it looks at: the weights are drawn,
dense or as so many neighbours of each item. All the rest is real, as training would package it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from benchmarks import interactions_made
from benchmarks.serving.world import World, access_on, asking, published
from flyball import configuration, wiring
from flyball.domain.privacy import Pseudonyms
from flyball.games.artifact import Artifact, write
from flyball.games.catalogue import GENRES, Catalogue, Game
from flyball.recommend import Fold, Interactions
from flyball.recommend.ease import Ease
from flyball.recommend.sparse_ease import SparseEase
from flyball.recommend.sparse_weights import SparseWeights
from flyball.recommend.weights import DenseWeights

PLAYERS, OWNED = 10_000, 200_000
HELD_OUT = 0.1
SYLLABLES = "belcordunfargorhaljorkallormarnorpelquirossultarvenwimyarzel"


def made(folder: Path, n_items: int, neighbours: int | None) -> World:
    """A home that serves a made model, and requests of its players.

    Args:
        neighbours: weights of each item; None: all, dense.
    """
    home, data = folder / "home", folder / "data"
    home.mkdir(parents=True)
    data.mkdir()
    key = access_on(home)
    platform = wiring.build(configuration.load(home, environ={}))
    try:
        users, whole = interactions(n_items, platform.pseudonyms)
        model = dense(n_items) if neighbours is None else sparse(n_items, neighbours)
        directory = folder / "artifact"
        write(directory, model, fold(whole), whole, catalogue(whole.items.tolist()))
        version = published(platform, directory, "0" * 32, model.family)
        artifact = Artifact.open(platform.blobs.get(version.artifact, verify=False))
        owned = {u: artifact.history(platform.pseudonyms.of(u)).items.tolist() for u in users}
    finally:
        platform.close()
    return asking(home, data, key, owned, artifact)


def interactions(n_items: int, pseudonyms: Pseudonyms) -> tuple[list[str], Interactions]:
    """The players by the id that callers know, and who has what of the games."""
    plain = interactions_made.made(PLAYERS, n_items, OWNED)
    users = plain.users.tolist()
    hidden = np.array([pseudonyms.of(user) for user in users])
    order = np.argsort(hidden)
    items = np.array(sorted(title(number).replace(" ", "-") for number in range(n_items)))
    return users, Interactions(hidden[order], items, csr_matrix(plain.matrix[order]))


def fold(whole: Interactions) -> Fold:
    """A tenth of it held out at random."""
    cells = whole.matrix.tocoo()
    test = np.random.default_rng(3).random(cells.nnz) < HELD_OUT

    def part(chosen: np.ndarray) -> csr_matrix:
        values = (cells.data[chosen], (cells.row[chosen], cells.col[chosen]))
        return csr_matrix(values, shape=whole.matrix.shape)

    return Fold(Interactions(whole.users, whole.items, part(~test)), part(test))


def title(number: int) -> str:
    """Of a game: two words of two syllables, and its number so that no two are alike."""
    rest, parts = number, []
    for _ in range(4):
        rest, place = divmod(rest, len(SYLLABLES) // 3)
        parts.append(SYLLABLES[3 * place : 3 * place + 3])
    return f"{parts[0]}{parts[1]} {parts[2]}{parts[3]} {number}"


def catalogue(items: list[str]) -> Catalogue:
    """Games with what a catalogue knows of them."""
    genres = sorted(GENRES)
    return Catalogue(
        tuple(
            Game(
                game_id=item,
                title=item.replace("-", " ").title(),
                genres=(genres[number % len(genres)],),
                price_usd=float(number % 60),
            )
            for number, item in enumerate(items)
        )
    )


def dense(n_items: int) -> Any:
    """A weight for each two items."""
    rng = np.random.default_rng(1)
    block = np.empty((n_items, n_items), dtype=np.float32)
    for row in block:  # by rows: a whole matrix of doubles would be twice as large
        row[:] = rng.standard_normal(n_items, dtype=np.float32)
    block *= np.float32(0.01)
    return Ease(DenseWeights(block))


def sparse(n_items: int, neighbours: int) -> Any:
    """So many weights of each item, their columns spread evenly."""
    rng = np.random.default_rng(1)
    width = n_items // neighbours
    starts = np.arange(neighbours, dtype=np.int32) * width
    columns = rng.integers(0, width, (n_items, neighbours), dtype=np.int32) + starts
    values = rng.random((n_items, neighbours), dtype=np.float32) * np.float32(0.01)
    ends = np.arange(n_items + 1, dtype=np.int64) * neighbours
    parts = (values.ravel(), columns.ravel(), ends)
    return SparseEase(SparseWeights.of(csr_matrix(parts, shape=(n_items, n_items))))
