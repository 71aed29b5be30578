"""Interactions made to measure with, of any size: few items are everybody's, few users have most.

Items are popular by Zipf's law, users active by a log-normal one. Each user and each item is of a
taste; most of what a user has is of theirs. A pair has a day, from when its user came, and hours,
where it was played at all. Items are described by a genre, tags, a maker and words of a title. The
same arguments give the same data, in about half a second of one core for each million.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from flyball.recommend import Interactions

TASTES = 12
FAITHFUL = 0.5
"""Share of draws that are of the user's own taste."""

ZIPF, FLAT = 1.0, 20.0
"""The item of rank r has a chance that goes as (r + FLAT) ^ -ZIPF."""

SPREAD = 1.0
"""Standard deviation of the logarithm of users' activity."""

FIRST_DAY, LAST_DAY = 14_975.0, 16_800.0
"""From 2011-01-01 to 2015-12-31."""

ROUNDS = 30
"""Of drawing, as pairs that were drawn before are left out."""


def made(n_users: int, n_items: int, n: int, *, seed: int = 1) -> Interactions:
    """``n`` distinct pairs of so many users and items, each user with one at least.

    Raises:
        ValueError: there are too few pairs to draw ``n`` of.
    """
    rng = np.random.default_rng(seed)
    taste = rng.integers(0, TASTES, n_items)
    users, items = np.divmod(_cells(rng, n_users, n_items, n, taste), n_items)
    indptr = np.searchsorted(users, np.arange(n_users + 1)).astype(np.int32)
    ones = np.ones(n, dtype=np.float32)
    came = rng.uniform(FIRST_DAY, LAST_DAY, n_users)
    later = rng.exponential((LAST_DAY - FIRST_DAY) / 4, n)
    hours = rng.lognormal(1.0, 1.5, n).astype(np.float32)
    hours[rng.random(n) < 0.4] = np.nan
    return Interactions(
        np.array([f"u{number:08}" for number in range(n_users)]),
        np.array([f"i{number:08}" for number in range(n_items)]),
        csr_matrix((ones, items.astype(np.int32), indptr), shape=(n_users, n_items)),
        hours,
        np.floor(np.minimum(came[users] + later, LAST_DAY)).astype(np.float32),
        _features(rng, taste),
    )


def write(data: Interactions, path: Path) -> None:
    """Into one ``.npz`` file, for several processes to measure with."""
    assert data.features is not None
    np.savez(
        path,
        users=data.users,
        items=data.items,
        indices=data.matrix.indices,
        indptr=data.matrix.indptr,
        hours=np.asarray(data.hours),
        days=np.asarray(data.days),
        counts=data.features.data,
        words=data.features.indices,
        ends=data.features.indptr,
        width=np.array(data.features.shape[1]),
    )


def read(path: Path) -> Interactions:
    """What ``write`` wrote."""
    with np.load(path, allow_pickle=False) as file:
        users, items, indices = file["users"], file["items"], file["indices"]
        ones, shape = np.ones(len(indices), dtype=np.float32), (len(users), len(items))
        features = (file["counts"], file["words"], file["ends"])
        return Interactions(
            users,
            items,
            csr_matrix((ones, indices, file["indptr"]), shape=shape),
            file["hours"],
            file["days"],
            csr_matrix(features, shape=(len(items), int(file["width"]))),
        )


def _cells(
    rng: np.random.Generator, n_users: int, n_items: int, n: int, taste: NDArray[np.int64]
) -> NDArray[np.int64]:
    """``user * n_items + item`` of each pair, rising and distinct."""
    chance = (rng.permutation(n_items) + 1.0 + FLAT) ** -ZIPF
    order = np.lexsort((-chance, taste))  # taste by taste
    ends = np.cumsum(chance[order])
    bounds = np.searchsorted(taste[order], np.arange(TASTES + 1))
    mass = np.concatenate([[0.0], ends])[bounds]
    # an empty taste is nobody's
    own = rng.choice(np.flatnonzero(np.diff(bounds)), n_users)
    activity = rng.lognormal(0.0, SPREAD, n_users)
    activity /= activity.sum()
    everyone = np.arange(n_users)
    found = np.empty(0, dtype=np.int64)
    for number in range(ROUNDS):
        drawn = int(1.5 * (n - len(found))) + 1000
        users = np.repeat(everyone, rng.multinomial(drawn, activity) + (number == 0))
        faithful = rng.random(len(users)) < FAITHFUL
        low = np.where(faithful, mass[own[users]], 0.0)
        high = np.where(faithful, mass[own[users] + 1], mass[-1])
        places = np.searchsorted(ends, low + rng.random(len(users)) * (high - low), side="right")
        items = order[np.minimum(places, n_items - 1)]
        # np.union1d would hash: many times slower than to sort
        found = np.sort(np.concatenate([found, users * n_items + items]))
        found = found[np.diff(found, prepend=-1) > 0]
        if len(found) >= n:
            return _some(rng, found, n, n_items, n_users)
    raise ValueError(f"{n} pairs of {n_users} users and {n_items} items: too many to draw")


def _some(
    rng: np.random.Generator, cells: NDArray[np.int64], n: int, n_items: int, n_users: int
) -> NDArray[np.int64]:
    """``n`` of them; the first of each user stays."""
    users = cells // n_items
    first = np.searchsorted(users, np.arange(n_users))
    spare = np.ones(len(cells), dtype=np.bool_)
    spare[first] = False
    others = np.flatnonzero(spare)
    if n < n_users:
        raise ValueError(f"{n} pairs are not one for each of {n_users} users")
    dropped = rng.choice(others, len(cells) - n, replace=False)
    kept = np.ones(len(cells), dtype=np.bool_)
    kept[dropped] = False
    return cells[kept]


def _features(rng: np.random.Generator, taste: NDArray[np.int64]) -> csr_matrix:
    """Shape (n_items, n_features): a genre, five tags, a maker and three words of each item."""
    n_items = len(taste)
    makers, words = n_items // 5 + 1, 2000
    tag_of_taste = rng.integers(0, 300, (TASTES, 20))
    tags = tag_of_taste[taste[:, None], rng.integers(0, 20, (n_items, 5))]
    maker = rng.integers(0, makers, (n_items, 1))
    title = np.minimum(rng.zipf(1.3, (n_items, 3)), words) - 1
    starts = np.cumsum([0, TASTES, 300, makers])
    parts = zip((taste[:, None], tags, maker, title), starts, strict=True)
    columns = np.concatenate([part + start for part, start in parts], axis=1)
    rows = np.repeat(np.arange(n_items), columns.shape[1])
    ones = np.ones(columns.size, dtype=np.float32)
    shape = (n_items, TASTES + 300 + makers + words)
    counted = csr_matrix((ones, (rows, columns.ravel())), shape=shape)
    counted.sum_duplicates()
    return counted
