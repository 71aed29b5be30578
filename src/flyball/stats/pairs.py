"""How two columns go together, in bounded space."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from flyball.stats.sketches import Numbers

CLOSED = 8
"""The most distinct values of a column that is paired with others."""

BINS = 128
"""Bins of the numbers beside one value."""

LARGEST = 1e140
"""Numbers beyond have no part in correlations: their squares cannot be added up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A column of numbers, divided by the values of a column that has few.

    Attributes:
        by, of: the column with few values, and the numbers'.
        parts: the numbers beside each value.
    """

    by: str
    of: str
    parts: Mapping[str, Numbers]

    @classmethod
    def merged(cls, pairs: Iterable[Self]) -> Self | None:
        """All rows together; None where there are too many values then."""
        found = list(pairs)
        names = sorted({name for pair in found for name in pair.parts})
        if len(names) > CLOSED:
            return None
        parts = {
            name: Numbers.merged((p.parts[name] for p in found if name in p.parts), bins=BINS)
            for name in names
        }
        return cls(by=found[0].by, of=found[0].of, parts=parts)

    @property
    def correlation(self) -> float | None:
        """The correlation ratio (eta), in [0, 1]: the root of the share of the numbers' variance
        that lies between the values; None where there is one value, or no variance.

        Source: Fisher, "Statistical Methods for Research Workers", 1925, chapter 8. The variance is
        that of the bins' middles.
        """
        parts = [part for part in self.parts.values() if part.count]
        ends = [abs(end) for part in parts for end in (part.low[0], part.high[-1])]
        if len(parts) < 2 or max(ends) > LARGEST:
            return None
        sizes = np.array([size for part in parts for size in part.sizes], dtype=float)
        middles = np.array(
            [(a + b) / 2 for part in parts for a, b in zip(part.low, part.high, strict=True)]
        )
        bounds = np.cumsum([0, *(len(part.sizes) for part in parts)])[:-1]
        counts = np.add.reduceat(sizes, bounds)
        means = np.add.reduceat(sizes * middles, bounds) / counts
        mean = float(counts @ means / counts.sum())
        whole = float(sizes @ (middles - mean) ** 2)
        return math.sqrt(min(1.0, float(counts @ (means - mean) ** 2) / whole)) if whole else None

    def to_plain(self) -> dict[str, Any]:
        """As JSON types."""
        parts = {name: numbers.to_plain() for name, numbers in self.parts.items()}
        return {"by": self.by, "of": self.of, "parts": parts}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """What ``to_plain`` gave."""
        parts = {name: Numbers.from_plain(part) for name, part in plain["parts"].items()}
        return cls(by=plain["by"], of=plain["of"], parts=parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossed:
    """Two columns of few values: how often each two occur together.

    Attributes:
        first, second: the columns.
        counts: rows by the values of both.
    """

    first: str
    second: str
    counts: Mapping[tuple[str, str], int]

    @classmethod
    def merged(cls, pairs: Iterable[Self]) -> Self | None:
        """All rows together; None where there are too many values then."""
        found = list(pairs)
        every: Counter[tuple[str, str]] = Counter()
        for pair in found:
            every.update(pair.counts)
        if any(len({values[side] for values in every}) > CLOSED for side in (0, 1)):
            return None
        counts = dict(sorted(every.items()))
        return cls(first=found[0].first, second=found[0].second, counts=counts)

    @property
    def correlation(self) -> float | None:
        """Cramér's V, in [0, 1]; None where one side has a single value.

        Source: Cramér, "Mathematical Methods of Statistics", 1946, section 21.9.
        """
        rows = sorted({values[0] for values in self.counts})
        columns = sorted({values[1] for values in self.counts})
        if min(len(rows), len(columns)) < 2:
            return None
        table = np.array([[self.counts.get((a, b), 0) for b in columns] for a in rows], dtype=float)
        total = table.sum()
        expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / total
        chi2 = float(((table - expected) ** 2 / expected).sum())
        return min(1.0, math.sqrt(chi2 / total / (min(table.shape) - 1)))

    def to_plain(self) -> dict[str, Any]:
        """As JSON types."""
        counts = [[a, b, rows] for (a, b), rows in self.counts.items()]
        return {"first": self.first, "second": self.second, "counts": counts}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """What ``to_plain`` gave."""
        counts = {(a, b): rows for a, b, rows in plain["counts"]}
        return cls(first=plain["first"], second=plain["second"], counts=counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Two columns of numbers: what their correlation follows from.

    Source of the merging: Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for
    computing sample variances", COMPSTAT 1982.

    Attributes:
        first, second: the columns.
        rows: where both have a value.
        mean_x, mean_y: of the first and the second.
        xx, yy, xy: sums of squares and of products of the deviations from them.
    """

    first: str
    second: str
    rows: int = 0
    mean_x: float = 0.0
    mean_y: float = 0.0
    xx: float = 0.0
    yy: float = 0.0
    xy: float = 0.0

    @classmethod
    def of(
        cls, first: str, second: str, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> Self:  # fmt: skip
        """Of the values in the same rows; where one is missing (NaN) or too large, the row counts
        not.
        """
        both = (np.abs(x) <= LARGEST) & (np.abs(y) <= LARGEST)
        x, y = x[both], y[both]
        if not x.size:
            return cls(first=first, second=second)
        mean_x, mean_y = float(x.mean()), float(y.mean())
        dx, dy = x - mean_x, y - mean_y
        return cls(
            first=first, second=second, rows=x.size, mean_x=mean_x, mean_y=mean_y,
            xx=float(dx @ dx), yy=float(dy @ dy), xy=float(dx @ dy),
        )  # fmt: skip

    @classmethod
    def merged(cls, pairs: Iterable[Self]) -> Self:
        """All rows together."""
        found = list(pairs)
        total = sum(pair.rows for pair in found)
        if not total:
            return found[0]
        mean_x = sum(pair.mean_x * (pair.rows / total) for pair in found)
        mean_y = sum(pair.mean_y * (pair.rows / total) for pair in found)
        return cls(
            first=found[0].first, second=found[0].second, rows=total, mean_x=mean_x, mean_y=mean_y,
            xx=sum(p.xx + p.rows * (p.mean_x - mean_x) ** 2 for p in found),
            yy=sum(p.yy + p.rows * (p.mean_y - mean_y) ** 2 for p in found),
            xy=sum(p.xy + p.rows * (p.mean_x - mean_x) * (p.mean_y - mean_y) for p in found),
        )  # fmt: skip

    @property
    def correlation(self) -> float | None:
        """Pearson's r, in [-1, 1]; None where a column is constant."""
        scale = math.sqrt(self.xx) * math.sqrt(self.yy)
        return max(-1.0, min(1.0, self.xy / scale)) if scale > 0 else None

    def to_plain(self) -> dict[str, Any]:
        """As JSON types."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """What ``to_plain`` gave."""
        return cls(**plain)
