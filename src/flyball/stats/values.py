"""Which values there are and how often, in bounded space; and what text looks like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from flyball.stats.kmv import LeastHashes
from flyball.stats.sketches import Numbers

TOP = 512
"""Values counted by name."""

BUCKETS = 64
"""Parts that values are divided into by a hash: the distribution of however many values."""

LENGTH_BINS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """How often each value occurs.

    Source of the error bound and its merging: Misra and Gries, "Finding repeated elements", 1982;
    Agarwal et al., "Mergeable summaries", PODS 2012.

    Attributes:
        counts: rows by value, the most frequent first (then by the alphabet), ``TOP`` at most.
        error: a value may have up to so many rows more than ``counts`` says (than 0, where it is
            not there). 0: ``counts`` is exact and has every value.
        buckets: shape (BUCKETS,). Rows by bucket of the value's hash; exact.
        hashes: of the distinct values.
        exact: how many distinct values there are, where that is known exactly.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    error: int = 0
    buckets: tuple[int, ...] = (0,) * BUCKETS
    hashes: LeastHashes = field(default_factory=LeastHashes)
    exact: int | None = 0

    @classmethod
    def merged(cls, sketches: Iterable[Self]) -> Self:
        """Of all their rows together."""
        parts = [sketch for sketch in sketches if any(sketch.buckets)]
        if len(parts) < 2:
            return parts[0] if parts else cls()
        every: Counter[str] = Counter()
        for part in parts:
            every.update(part.counts)
        counts, dropped = topmost(every)
        error = sum(part.error for part in parts)
        hashes = LeastHashes.merged(part.hashes for part in parts)
        return cls(
            counts=counts,
            error=error + dropped,
            buckets=tuple(sum(sizes) for sizes in zip(*(p.buckets for p in parts), strict=True)),
            hashes=hashes,
            exact=len(every) if error == 0 else len(hashes.hashes) if hashes.complete else None,
        )

    @property
    def count(self) -> int:
        """Rows in all."""
        return sum(self.buckets)

    @property
    def rest(self) -> int:
        """Rows that ``counts`` does not name."""
        return self.count - sum(self.counts.values())

    @property
    def distinct(self) -> int:
        """How many distinct values; estimated within 3% or so where it is not known exactly."""
        return self.hashes.distinct if self.exact is None else self.exact

    @property
    def closed(self) -> bool:
        """Whether ``counts`` has every value."""
        return self.error == 0 and self.rest == 0

    def to_plain(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "values": list(self.counts),
            "counts": list(self.counts.values()),
            "error": self.error,
            "buckets": list(self.buckets),
            "hashes": self.hashes.to_plain(),
            "exact": self.exact,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """What ``to_plain`` gave."""
        return cls(
            counts=dict(zip(plain["values"], plain["counts"], strict=True)),
            error=plain["error"],
            buckets=tuple(plain["buckets"]),
            hashes=LeastHashes.from_plain(plain["hashes"]),
            exact=plain["exact"],
        )


def topmost(counts: Mapping[str, int], most: int = TOP) -> tuple[dict[str, int], int]:
    """The most frequent values, and the count of the most frequent one left out (0: none was)."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    left_out = ordered[most : most + 1]
    return dict(ordered[:most]), left_out[0][1] if left_out else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What the texts of a column look like. Each number counts rows.

    Attributes:
        lengths: in characters.
        non_ascii: with a character beyond ASCII.
        broken: with traces of a wrong encoding: U+FFFD, a C1 control, or a pair such as "Ã©".
        digits: of digits only.
    """

    lengths: Numbers = field(default_factory=Numbers)
    non_ascii: int = 0
    broken: int = 0
    digits: int = 0

    @classmethod
    def merged(cls, sketches: Iterable[Self]) -> Self:
        """Of all their rows together."""
        parts = list(sketches)
        return cls(
            lengths=Numbers.merged((part.lengths for part in parts), bins=LENGTH_BINS),
            non_ascii=sum(part.non_ascii for part in parts),
            broken=sum(part.broken for part in parts),
            digits=sum(part.digits for part in parts),
        )

    def to_plain(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "lengths": self.lengths.to_plain(),
            "non_ascii": self.non_ascii,
            "broken": self.broken,
            "digits": self.digits,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """What ``to_plain`` gave."""
        return cls(**{**plain, "lengths": Numbers.from_plain(plain["lengths"])})


def bucketed(hashes: np.ndarray[Any, np.dtype[np.uint64]], rows: np.ndarray[Any, Any]) -> Any:
    """Rows by bucket: shape (BUCKETS,), int64.

    Args:
        hashes: shape (n,), one for each value.
        rows: shape (n,). How many rows have it.
    """
    places = (hashes >> np.uint64(64 - BUCKETS.bit_length() + 1)).astype(np.int64)
    sums = np.zeros(BUCKETS, dtype=np.int64)
    np.add.at(sums, places, rows)
    return sums
