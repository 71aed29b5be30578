"""What is learnt from, and the batches of an epoch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from flyball.recommend.arrays import open_array, write_array
from flyball.recommend.interactions import Interactions
from flyball.recommend.sasrec.config import SasRecConfig
from flyball.recommend.sasrec.sequences import Sequences, in_order, newest
from flyball.recommend.split import Fold

BATCH_CELLS = 32_000_000
"""The most logits of a step: 128 MB, and as much again for each of a few intermediates."""


@dataclass(frozen=True, eq=False, slots=True)
class Lesson:
    """The whole data, and a part of it to find the number of epochs with.

    Attributes:
        data: dated; each item has an interaction.
        held: a fold of it. None: the number of epochs is given.
    """

    data: Interactions
    held: Fold | None

    def save(self, directory: Path) -> None:
        """Write arrays for other processes to map. Ids are not among them: nobody needs them.

        Raises:
            StorageUnavailable: the disk refused it.
        """
        _write(directory / "data", self.data)
        if self.held is not None:
            _write(directory / "held", self.held.train)
            write_array(directory / "held", "wanted", self.held.test.indices.astype(np.int32))
            write_array(directory / "held", "wanted_ends", self.held.test.indptr.astype(np.int64))
            if self.held.as_of is not None:
                write_array(directory / "held", "as_of", self.held.as_of)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Open what ``save`` wrote.

        Raises:
            ArtifactCorrupt: a file is missing or damaged.
        """
        held, place = None, directory / "held"
        if place.exists():
            train = _read(place)
            wanted = open_array(place, "wanted", ndim=1, dtype=np.int32)
            ends = open_array(place, "wanted_ends", ndim=1, dtype=np.int64)
            ones = np.ones(len(wanted), dtype=np.float32)
            test = csr_matrix((ones, wanted, ends), shape=train.matrix.shape)
            dated = (place / "as_of.npy").exists()
            held = Fold(train, test, open_array(place, "as_of", ndim=1) if dated else None)
        return cls(_read(directory / "data"), held)


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """Some sequences, and what comes after each of their places.

    Attributes:
        items: int64, shape (n, length), right-padded.
        inside: bool, the same shape: true places, p in all.
        wanted: int64, shape (p,), the item that comes next.
        own: int64, shape (p, length), what the user has at that place, some of it repeated.
        day: float32, shape (p,), for which day it is foretold.
        total: true places of the batch of all processes.
    """

    items: NDArray[np.int64]
    inside: NDArray[np.bool_]
    wanted: NDArray[np.int64]
    own: NDArray[np.int64]
    day: NDArray[np.float32]
    total: int


def batches(
    data: Interactions, config: SasRecConfig, *, epoch: int, part: int, parts: int
) -> Iterator[Batch]:
    """The batches of an epoch, each user with two items or more once; of each a process's part.

    The order of items of one day is not known: each epoch draws one. The day for which a next item
    is foretold is drawn, too: from that of the item before it up to the eve of its own, as
    somebody asks who does not know when it will come. So no trend has counted it.
    """
    rng = np.random.default_rng([config.seed, epoch])
    histories = data.histories()
    order = in_order(histories, rng.random(data.matrix.nnz))
    whole = newest(histories, order, config.max_len + 1)
    drawn = rng.random(whole.items.shape, dtype=np.float32)
    users = rng.permutation(np.flatnonzero(whole.lengths >= 2))
    for chosen in _cut(users, whole.lengths[users] - 1, len(data.items), config.batch_size):
        total = int((whole.lengths[chosen] - 1).sum())
        yield _batch(whole, drawn, chosen[part::parts], total)


def _cut(
    users: NDArray[np.int64], sizes: NDArray[np.int64], n_items: int, most: int
) -> Iterator[NDArray[np.int64]]:
    """Runs of users, of at most ``most`` and ``BATCH_CELLS`` logits (but at least one user)."""
    ends = np.cumsum(sizes)
    places = max(1, BATCH_CELLS // max(1, n_items))
    start = 0
    while start < len(users):
        before = int(ends[start - 1]) if start else 0
        stop = int(np.searchsorted(ends, before + places, side="right"))
        stop = min(max(stop, start + 1), start + most)
        yield users[start:stop]
        start = stop


def _batch(
    whole: Sequences, drawn: NDArray[np.float32], chosen: NDArray[np.int64], total: int
) -> Batch:
    lengths = whole.lengths[chosen] - 1
    width = int(lengths.max(initial=0))
    items = whole.items[chosen]
    inside = np.arange(width) < lengths[:, None]
    rows, places = np.nonzero(inside)
    reach = np.minimum(np.arange(width)[None, :], places[:, None])
    assert whole.days is not None  # fit saw to it
    days = whole.days[chosen]
    known, comes = days[rows, places], days[rows, places + 1]
    day = known + np.floor(drawn[chosen][rows, places] * np.maximum(comes - known, 0))
    return Batch(
        items=items[:, :width],
        inside=inside,
        wanted=items[rows, places + 1],
        own=items[rows[:, None], reach],
        day=np.minimum(day, comes - 1).astype(np.float32),
        total=total,
    )


def _write(directory: Path, data: Interactions) -> None:
    write_array(directory, "indices", data.matrix.indices.astype(np.int32))
    write_array(directory, "ends", data.matrix.indptr.astype(np.int64))
    if data.days is not None:
        write_array(directory, "days", data.days)
    (directory / "shape.json").write_text(json.dumps(data.matrix.shape), encoding="utf-8")


def _read(directory: Path) -> Interactions:
    n_users, n_items = json.loads((directory / "shape.json").read_text(encoding="utf-8"))
    indices = open_array(directory, "indices", ndim=1, dtype=np.int32)
    ends = open_array(directory, "ends", ndim=1, dtype=np.int64)
    ones = np.ones(len(indices), dtype=np.float32)
    matrix = csr_matrix((ones, indices, ends), shape=(n_users, n_items))
    users, items = np.arange(n_users).astype(np.str_), np.arange(n_items).astype(np.str_)
    return Interactions(users, items, matrix, days=open_array(directory, "days", ndim=1))
