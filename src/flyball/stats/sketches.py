"""Distributions of numbers in bounded space, which add up across chunks and batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flyball.errors import InvalidRequest

MAX_BINS = 2048
"""Bins of a column of numbers: 128 an octave over 16 octaves, that is 0.8% wide at most there."""

_LOW_BITS = np.int64(0x7FFF_FFFF_FFFF_FFFF)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """A distribution of finite numbers, in at most so many bins.

    A bin holds the values whose 64-bit floating-point patterns (in numeric order) agree in all but
    the last ``shift`` bits. With shift 0 every distinct value has its own bin: the sketch is exact.
    When there are too many bins, ``shift`` rises and neighbours are joined; a bin is then at most
    ``2 ** (shift - 52)`` of its values wide. Each knows its least and greatest value, so a bin of
    one distinct value stays exact. The same values give the same bins in whatever chunks they came.

    Source: Masson, Rim and Lee, "DDSketch", VLDB 2019 (relative bins); Epicoco et al., "UDDSketch",
    IEEE Access 2020 (uniform collapse). The binary logarithm is piecewise linear here.

    Attributes:
        shift: see above; 0 to 63.
        low, high: shape (b,). Least and greatest value of each bin, rising.
        sizes: shape (b,). Values in each bin, all positive.
        mean: of all values; 0.0 where there is none.
    """

    shift: int = 0
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    sizes: tuple[int, ...] = ()
    mean: float = 0.0

    @classmethod
    def of(
        cls,
        values: ArrayLike,
        weights: ArrayLike | None = None,
        *,
        bins: int = MAX_BINS,
        shift: int = 0,
    ) -> Self:
        """The distribution of some values; what is not finite is not counted.

        Args:
            values: any shape, unordered.
            weights: how often each occurs; whole numbers, at least 1.
            bins: the most there may be, at least 2.
            shift: not less than this: saves work where the sketch it is added to has that already.
        """
        raw = np.asarray(values, dtype=np.float64).ravel()
        finite = np.isfinite(raw)
        times = None if weights is None else np.asarray(weights, dtype=np.int64).ravel()
        if not finite.all():
            raw, times = raw[finite], None if times is None else times[finite]
        if times is None:
            ordered, sizes = np.sort(raw), None
        else:
            order = np.argsort(raw, kind="stable")
            ordered, sizes = raw[order], times[order]
        return cls._from(_Bins(ordered, ordered, sizes, shift), _mean(ordered, sizes), bins)

    @classmethod
    def merged(cls, sketches: Iterable[Self], *, bins: int = MAX_BINS) -> Self:
        """The distribution of all their values together."""
        parts = [sketch for sketch in sketches if sketch.sizes]
        if not parts:
            return cls()
        if len(parts) == 1 and len(parts[0].sizes) <= bins:
            return parts[0]
        total = sum(part.count for part in parts)
        every = _Bins(
            low=np.concatenate([np.asarray(part.low) for part in parts]),
            high=np.concatenate([np.asarray(part.high) for part in parts]),
            sizes=np.concatenate([np.asarray(part.sizes, dtype=np.int64) for part in parts]),
            shift=max(part.shift for part in parts),
        )
        return cls._from(every, sum(part.mean * (part.count / total) for part in parts), bins)

    @classmethod
    def _from(cls, drawn: _Bins, mean: float, bins: int) -> Self:
        if not drawn.low.size:
            return cls()
        joined = drawn.joined(bins)
        return cls(
            shift=joined.shift,
            low=tuple(joined.low.tolist()),
            high=tuple(joined.high.tolist()),
            sizes=tuple(joined.counts.tolist()),
            mean=float(min(max(mean, joined.low[0]), joined.high[-1])),
        )

    @property
    def count(self) -> int:
        """How many values."""
        return sum(self.sizes)

    @property
    def min(self) -> float | None:
        """The least value, exactly."""
        return self.low[0] if self.low else None

    @property
    def max(self) -> float | None:
        """The greatest value, exactly."""
        return self.high[-1] if self.high else None

    @property
    def distinct(self) -> int | None:
        """How many distinct values there are, where every one has its own bin; else None."""
        return len(self.sizes) if self.low == self.high else None

    def quantile(self, q: float) -> float | None:
        """The ``q``-th quantile by linear interpolation; exact where its bins are of one value.

        Raises:
            InvalidRequest: ``q`` is not in [0, 1].
        """
        return self.quantiles((q,))[0] if self.sizes else None

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """The quantiles at these shares; empty where there are no values. Raises as above."""
        wrong = [q for q in shares if not 0.0 <= q <= 1.0]
        if wrong:
            raise InvalidRequest(f"quantile {wrong[0]} must lie between 0 and 1, e.g. 0.95")
        if not self.sizes:
            return []
        place = np.asarray(shares, dtype=np.float64) * (self.count - 1)
        below = np.floor(place).astype(np.int64)
        share = place - below
        least, most = self._at(below), self._at(np.minimum(below + 1, self.count - 1))
        found: list[float] = np.where(
            least == most, least, least * (1.0 - share) + most * share
        ).tolist()
        return found

    def _at(self, ranks: NDArray[np.int64]) -> NDArray[np.float64]:
        """The values of these ranks, from 0."""
        ends = np.cumsum(self.sizes)
        bin_ = np.searchsorted(ends, ranks, side="right")
        sizes = np.asarray(self.sizes)[bin_]
        share = (ranks - (ends[bin_] - sizes)) / np.maximum(sizes - 1, 1)
        low, high = np.asarray(self.low)[bin_], np.asarray(self.high)[bin_]
        return np.where(low == high, low, low * (1.0 - share) + high * share)

    def up_to(self, points: ArrayLike, *, inclusive: bool = True) -> NDArray[np.float64]:
        """How many values are at most (or less than) each point; same shape as ``points``.

        Exact at the ends of bins, interpolated within them.
        """
        x = np.asarray(points, dtype=np.float64)
        if not self.sizes:
            return np.zeros(x.shape)
        low, high = np.asarray(self.low), np.asarray(self.high)
        sizes = np.asarray(self.sizes, dtype=np.float64)
        ends = np.concatenate(([0.0], np.cumsum(sizes)))
        full = np.searchsorted(high, x, side="right" if inclusive else "left")
        bin_ = np.minimum(full, len(sizes) - 1)
        span = high[bin_] / 2 - low[bin_] / 2
        share = np.clip((x / 2 - low[bin_] / 2) / np.where(span > 0, span, 1.0), 0.0, 1.0)
        # The least value of a bin is itself in it, so that one of several is below any point after.
        inside = np.where(x > low[bin_], 1.0 + share * np.maximum(sizes[bin_] - 2, 0.0), 0.0)
        inside = np.where((x == low[bin_]) & inclusive, 1.0, inside)
        found: NDArray[np.float64] = ends[full]
        return found + np.where((full < len(sizes)) & (span > 0), inside, 0.0)

    def cdf(self, x: float) -> float | None:
        """The share of values that are at most ``x``."""
        return float(self.up_to(x)) / self.count if self.sizes else None

    def counts(self, cuts: ArrayLike) -> NDArray[np.float64]:
        """How many values lie between cuts: shape (k + 1,) for k rising ones.

        The first interval has all up to and with the first cut, the last all above the last. They
        sum to ``count``.
        """
        below = self.up_to(np.asarray(cuts, dtype=np.float64).ravel())
        return np.diff(below, prepend=0.0, append=float(self.count))

    def cuts(self, parts: int) -> NDArray[np.float64]:
        """Cuts between at most ``parts`` intervals of about equal counts, at ends of bins.

        Rising; fewer where a few values have most of the rows; empty where there is one value.
        """
        if not self.sizes:
            return np.empty(0)
        ends = np.cumsum(self.sizes)
        wanted = np.arange(1, parts) / parts * ends[-1]
        places = np.unique(np.searchsorted(ends, wanted - 1e-9, side="left"))
        found: NDArray[np.float64] = np.asarray(self.high)[places[places < len(ends) - 1]]
        return found

    def to_plain(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "shift": self.shift,
            "mean": self.mean,
            "low": list(self.low),
            # Most bins hold one value; those need no second one.
            "high": [b if a != b else None for a, b in zip(self.low, self.high, strict=True)],
            "sizes": list(self.sizes),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """What ``to_plain`` gave."""
        low = tuple(float(value) for value in plain["low"])
        high = zip(low, plain["high"], strict=True)
        return cls(
            shift=plain["shift"],
            mean=float(plain["mean"]),
            low=low,
            high=tuple(a if b is None else float(b) for a, b in high),
            sizes=tuple(plain["sizes"]),
        )


@dataclass(frozen=True, slots=True)
class _Bins:
    """Bins as arrays, in any order, also several for the same numbers; sizes None: one each."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    sizes: NDArray[np.int64] | None
    shift: int

    @property
    def counts(self) -> NDArray[np.int64]:
        return np.ones(self.low.size, np.int64) if self.sizes is None else self.sizes

    def joined(self, most: int) -> _Bins:
        """In order, every number in one bin only, and at most so many."""
        bins = self._in_order()
        keys = _ordered(bins.low) >> self.shift
        # Bins apart after a shift by s are those whose keys differ in bit s or above.
        apart = (keys[1:] ^ keys[:-1]).view(np.uint64)
        extra, differing = 0, apart[apart != 0]
        if differing.size >= most:
            place = differing.size - most
            extra = int(np.partition(differing, place)[place]).bit_length()
        starts = np.concatenate(([0], np.flatnonzero(apart >> np.uint64(extra)) + 1))
        return _Bins(
            low=np.minimum.reduceat(bins.low, starts),
            high=np.maximum.reduceat(bins.high, starts),
            sizes=np.diff(starts, append=keys.size)
            if bins.sizes is None
            else np.add.reduceat(bins.sizes, starts),
            shift=self.shift + extra,
        )

    def _in_order(self) -> _Bins:
        if (self.low[1:] >= self.low[:-1]).all():
            return self
        order = np.argsort(self.low, kind="stable")
        sizes = None if self.sizes is None else self.sizes[order]
        return _Bins(self.low[order], self.high[order], sizes, self.shift)


def _ordered(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The floats' bit patterns as integers in the same order."""
    bits = (values + 0.0).view(np.int64)  # -0.0 becomes 0.0
    ordered: NDArray[np.int64] = np.where(bits < 0, bits ^ _LOW_BITS, bits)
    return ordered


def _mean(values: NDArray[np.float64], weights: NDArray[np.int64] | None) -> float:
    if not values.size:
        return 0.0
    # Divided before they are added, so that the largest floats do not overflow.
    if weights is None:
        return float((values / values.size).sum())
    return float((values * (weights / weights.sum())).sum())
