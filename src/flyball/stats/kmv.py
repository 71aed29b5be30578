"""How many distinct values there are, and how many two sets share, from their least hashes."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

K = 1024
"""Hashes kept: an estimated number of distinct values is off by about 1 / sqrt(K), that is 3%."""

Hashes = NDArray[np.uint64]
N = TypeVar("N", np.uint64, np.float64)


@dataclass(frozen=True, slots=True)
class LeastHashes:
    """The ``K`` least distinct hashes of a set; all of them where it has fewer.

    Source: Bar-Yossef et al., "Counting distinct elements in a data stream", RANDOM 2002; Beyer et
    al., "On synopses for distinct-value estimation under multiset operations", SIGMOD 2007.

    Attributes:
        hashes: rising, uniform in [0, 2**64).
    """

    hashes: tuple[int, ...] = ()

    @classmethod
    def of(cls, hashes: Hashes) -> Self:
        """Of any number of hashes, in any order, with repetitions."""
        least = hashes
        if least.size > 4 * K:
            # A guess at the bound that keeps about 2K; checked, for the hashes may repeat.
            bound = np.uint64(min(2.0 * K / least.size, 1.0) * (2.0**64 - 2048))
            few = distinct(least[least <= bound])
            least = few if few.size >= K else least
        return cls(tuple(distinct(least)[:K].tolist()))

    @classmethod
    def merged(cls, sketches: Iterable[Self]) -> Self:
        """Of the union of their sets."""
        every: set[int] = set()
        for sketch in sketches:
            every.update(sketch.hashes)
        return cls(tuple(sorted(every)[:K]))

    @property
    def complete(self) -> bool:
        """Whether these are all hashes of the set."""
        return len(self.hashes) < K

    @property
    def distinct(self) -> int:
        """How many distinct values there are; exact where ``complete``."""
        if self.complete:
            return len(self.hashes)
        return round((K - 1) / ((self.hashes[-1] + 1) / 2.0**64))

    def overlap(self, other: LeastHashes) -> Overlap:
        """Which share of this set is in the other.

        Below the lesser of the two bounds both sets are known in full, and what lies there is a
        random sample of them.
        """
        bounds = [sketch.hashes[-1] for sketch in (self, other) if not sketch.complete]
        bound = min(bounds, default=2**64)
        mine = [hash_ for hash_ in self.hashes if hash_ <= bound]
        return Overlap(compared=len(mine), found=len(set(mine).intersection(other.hashes)))

    def to_plain(self) -> str:
        """As text: base64 of little-endian 64-bit integers."""
        return base64.b64encode(np.asarray(self.hashes, dtype="<u8").tobytes()).decode("ascii")

    @classmethod
    def from_plain(cls, plain: str) -> Self:
        """What ``to_plain`` gave."""
        return cls(tuple(np.frombuffer(base64.b64decode(plain), dtype="<u8").tolist()))


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much of one set was found in another.

    Attributes:
        compared: elements of the one that were looked for: a random sample of it.
        found: how many of them are in the other.
    """

    compared: int
    found: int

    @property
    def share(self) -> float | None:
        """The share of the one set that is in the other; None where nothing could be compared."""
        return self.found / self.compared if self.compared else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowHashes:
    """The least hashes of a batch's rows.

    Attributes:
        tag: how they were hashed; only equal tags compare.
        least: the hashes.
    """

    tag: str
    least: LeastHashes

    def overlap(self, other: RowHashes) -> Overlap | None:
        """Which share of these rows is among the other's; None where they cannot be compared."""
        return self.least.overlap(other.least) if self.tag == other.tag else None


def distinct(values: NDArray[N]) -> NDArray[N]:
    """The distinct values, rising. Far quicker than ``np.unique``, which looks them up."""
    ordered = np.sort(values)
    return np.concatenate((ordered[:1], ordered[1:][ordered[1:] != ordered[:-1]]))


def hash_numbers(values: NDArray[np.float64]) -> Hashes:
    """A hash of each number, the same on every machine.

    Source: the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
    """
    return mixed((values + 0.0).view(np.uint64) + np.uint64(0x9E3779B97F4A7C15))


def mixed(words: Hashes) -> Hashes:
    """64-bit words mixed so that every bit of each depends on all its bits."""
    x = words ^ (words >> np.uint64(30))
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x
