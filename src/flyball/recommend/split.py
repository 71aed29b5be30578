"""Which interactions are kept from training to judge a model by: decided by a hash, not a draw."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from flyball.errors import InvalidRequest
from flyball.recommend.histories import Histories, moved
from flyball.recommend.interactions import Interactions, Pairs

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, eq=False, slots=True)
class Fold:
    """One split of the interactions: what to learn from, and what to be judged by.

    Attributes:
        train: the interactions to learn from. Its users and items are those of train and test
            together, so an item that only the test has is still a column.
        test: float32, binary, the shape of ``train.matrix``; no pair is in both.
        as_of: shape (n_users,), the day for which each user's items are foretold; None: now.
    """

    train: Interactions
    test: csr_matrix
    as_of: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.test.shape != self.train.matrix.shape:
            raise InvalidRequest(
                f"the test matrix has shape {self.test.shape}, train {self.train.matrix.shape}; "
                "both need the same users and items"
            )
        if self.as_of is not None and self.as_of.shape != (self.test.shape[0],):
            raise InvalidRequest(f"{len(self.as_of)} days do not fit {self.test.shape[0]} users")

    @classmethod
    def from_frame(cls, frame: pl.DataFrame, test: NDArray[np.bool_]) -> Self:
        """Split ``frame`` (``user_id``, ``item_id``) by a mask of its rows; true means test.

        A pair that stands on both sides stays in train only: a model must not be asked for what
        it was shown.

        Raises:
            TrainingError: the frame cannot be read as interactions.
        """
        pairs = Pairs.from_frame(frame)
        return cls._from_pairs(pairs, test)

    @classmethod
    def _from_pairs(cls, pairs: Pairs, test: NDArray[np.bool_]) -> Self:
        train = pairs.interactions(~test)
        held_out = pairs.matrix(test)
        return cls(train, _without(held_out, train.matrix))

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return len(self.train.items)

    @property
    def test_users(self) -> NDArray[np.int64]:
        """Rows of the users with at least one test item, rising."""
        return np.flatnonzero(np.diff(self.test.indptr))

    def histories(self, rows: slice | NDArray[np.integer[Any]]) -> Histories:
        """What these users have in train, asked for on the day of the fold."""
        found = self.train.histories(rows)
        return found if self.as_of is None else replace(found, as_of=self.as_of[rows])

    def described(self, features: csr_matrix | None) -> Self:
        """The fold with features (n_items, n) of its items."""
        return replace(self, train=replace(self.train, features=features))

    def widened(self, items: Iterable[str]) -> Self:
        """The fold with further items, which nobody has."""
        train = self.train.widened(items)
        place = np.searchsorted(train.items, self.train.items)
        return replace(self, train=train, test=moved(self.test, place, len(train.items)))

    def narrowed(self, n_items: int) -> Self:
        """The fold on the ``n_items`` items most popular in train (ties by id): a cheaper trial.

        Users who lose all their test items are dropped. Users who had none to begin with stay as
        long as they have something to learn from, as in the full fold.

        Raises:
            InvalidRequest: ``n_items`` is below 1.
        """
        if n_items < 1:
            raise InvalidRequest(f"cannot narrow a fold to {n_items} items; ask for at least 1")
        kept = np.sort(np.argsort(-self.train.counts, kind="stable")[:n_items])
        train, test = self.train.narrowed(items=kept), self.test[:, kept]
        tested = np.diff(test.indptr) > 0
        only_train = (np.diff(self.test.indptr) == 0) & (np.diff(train.matrix.indptr) > 0)
        users = np.flatnonzero(tested | only_train)
        as_of = None if self.as_of is None else self.as_of[users]
        return type(self)(train.narrowed(users=users), test[users], as_of)


@dataclass(frozen=True, slots=True)
class HoldoutSplit:
    """Holds out a fraction of each user's items by a keyed hash of the pair.

    A row is a test row iff the hash of (``seed``, user, item) is below ``fraction``. The hash
    looks at nothing else, so rows that arrive later leave the earlier ones where they were. Two
    exceptions keep every user useful: with no test row the lowest hash becomes one, and with no
    train row the highest hash becomes one.

    A value of three numbers: store it (``dataclasses.asdict``) and the split can be made again.

    Attributes:
        seed: key of the hash; any 64-bit signed integer.
        fraction: share of rows to hold out, in (0, 1).
        min_items: users with fewer distinct items have no test rows; at least 1.

    Raises:
        InvalidRequest: a number is out of its range.
    """

    seed: int
    fraction: float = 0.2
    min_items: int = 5

    def __post_init__(self) -> None:
        if not 0.0 < self.fraction < 1.0:
            raise InvalidRequest(f"fraction {self.fraction} must lie between 0 and 1, e.g. 0.2")
        if self.min_items < 1:
            raise InvalidRequest(f"min_items {self.min_items} must be at least 1, e.g. 5")
        if not -(2**63) <= self.seed < 2**63:
            raise InvalidRequest(f"seed {self.seed} does not fit 64 bits; choose a smaller one")

    def split(self, frame: pl.DataFrame) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Train mask and test mask of the rows of ``frame``; each row is in exactly one.

        Raises:
            TrainingError: the frame cannot be read as interactions.
        """
        test = self._test_mask(Pairs.from_frame(frame))
        return ~test, test

    def fold(self, frame: pl.DataFrame) -> Fold:
        """The fold of ``frame`` under this split.

        Raises:
            TrainingError: the frame cannot be read as interactions.
        """
        pairs = Pairs.from_frame(frame)
        return Fold._from_pairs(pairs, self._test_mask(pairs))

    def _test_mask(self, pairs: Pairs) -> NDArray[np.bool_]:
        rows = pairs.rows
        hashes = self._hashes(pairs)
        n_users = len(pairs.users)
        eligible = np.diff(pairs.matrix().indptr) >= self.min_items
        below = hashes < np.uint64(int(self.fraction * 2**64))
        test: NDArray[np.bool_] = below & eligible[rows]

        untested = eligible & ~_any(test, rows, n_users)
        lowest = np.full(n_users, np.iinfo(np.uint64).max, dtype=np.uint64)
        np.minimum.at(lowest, rows, hashes)
        test |= untested[rows] & (hashes == lowest[rows])

        untrained = ~_any(~test, rows, n_users)
        highest = np.zeros(n_users, dtype=np.uint64)
        np.maximum.at(highest, rows, hashes)
        test &= ~(untrained[rows] & (hashes == highest[rows]))
        return test

    def _hashes(self, pairs: Pairs) -> NDArray[np.uint64]:
        """One uniform 64-bit number per row: each id is hashed once, then pairs are mixed."""
        users = _id_hashes(pairs.users, seed=self.seed, kind=b"user")[pairs.rows]
        items = _id_hashes(pairs.items, seed=self.seed, kind=b"item")[pairs.columns]
        return _splitmix64(users + _splitmix64(items))


def _id_hashes(ids: NDArray[np.str_], *, seed: int, kind: bytes) -> NDArray[np.uint64]:
    key = seed.to_bytes(8, "little", signed=True)
    digests = (
        blake2b(text.encode(), digest_size=8, key=key, person=kind).digest()
        for text in ids.tolist()
    )
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def _splitmix64(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The SplitMix64 step (Steele, Lea, Flood: Fast splittable pseudorandom generators, 2014)."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)


def _any(flags: NDArray[np.bool_], rows: NDArray[np.int64], n_users: int) -> NDArray[np.bool_]:
    """Per user, whether any of their rows is flagged."""
    found: NDArray[np.bool_] = np.bincount(rows[flags], minlength=n_users) > 0
    return found


def _without(held_out: csr_matrix, train: csr_matrix) -> csr_matrix:
    """``held_out`` without the pairs that ``train`` has."""
    left = csr_matrix(held_out - held_out.multiply(train))
    left.eliminate_zeros()
    left.sort_indices()
    return left
