"""When things happened, in bounded space: by day, by hour of the day, and as a distribution."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from flyball.stats.sketches import Numbers

BINS = 256
"""Bins of the distribution, which serves for quantiles."""

MAX_DAYS = 4096
"""Days kept apart; where there are more, two neighbours become one entry, and so on."""

HOUR = 3_600_000_000
"""Microseconds."""

DAY = 24 * HOUR

_DENSE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """A distribution of times.

    Attributes:
        numbers: of microseconds since 1970, UTC; in at most ``BINS`` bins.
        width: days of one entry, a power of two; 1 while there are at most ``MAX_DAYS`` days.
        days: shape (d,), rising: days since 1970, in units of ``width``. Days without any are
            absent.
        sizes: shape (d,). How many times fall in each.
        hours: shape (24,). How many fall in each hour of the day, UTC.
    """

    numbers: Numbers = field(default_factory=Numbers)
    width: int = 1
    days: tuple[int, ...] = ()
    sizes: tuple[int, ...] = ()
    hours: tuple[int, ...] = (0,) * 24

    @classmethod
    def of(cls, microseconds: NDArray[np.int64], *, shift: int = 0) -> Self:
        """Of times in microseconds since 1970, UTC; unordered. For ``shift`` see ``Numbers.of``."""
        if not microseconds.size:
            return cls()
        hours, sizes = _counted(microseconds // HOUR)
        by_hour = np.bincount(hours % 24, weights=sizes, minlength=24).astype(np.int64)
        width, days, by_day = _narrowed(1, hours // 24, sizes)
        return cls(
            numbers=Numbers.of(microseconds, bins=BINS, shift=shift),
            width=width,
            days=tuple(days.tolist()),
            sizes=tuple(by_day.tolist()),
            hours=tuple(by_hour.tolist()),
        )

    @classmethod
    def merged(cls, sketches: Iterable[Self]) -> Self:
        """Of all their times together."""
        parts = [sketch for sketch in sketches if sketch.sizes]
        if len(parts) < 2:
            return parts[0] if parts else cls()
        width = max(part.width for part in parts)
        days = np.concatenate(
            [np.asarray(part.days, dtype=np.int64) // (width // part.width) for part in parts]
        )
        sizes = np.concatenate([np.asarray(part.sizes, dtype=np.int64) for part in parts])
        width, days, sizes = _narrowed(width, days, sizes)
        return cls(
            numbers=Numbers.merged((part.numbers for part in parts), bins=BINS),
            width=width,
            days=tuple(days.tolist()),
            sizes=tuple(sizes.tolist()),
            hours=tuple(sum(hour) for hour in zip(*(part.hours for part in parts), strict=True)),
        )

    @property
    def count(self) -> int:
        """How many times."""
        return sum(self.sizes)

    @property
    def min(self) -> int | None:
        """The earliest, microseconds since 1970."""
        return None if self.numbers.min is None else int(self.numbers.min)

    @property
    def max(self) -> int | None:
        """The latest, microseconds since 1970."""
        return None if self.numbers.max is None else int(self.numbers.max)

    def after(self, microseconds: int) -> float:
        """How many are later than this: by day, then evenly within the day it falls in."""
        unit = DAY * self.width
        return float(
            sum(
                size * min(max((day + 1) * unit - 1 - microseconds, 0) / unit, 1.0)
                for day, size in zip(self.days, self.sizes, strict=True)
            )
        )

    def to_plain(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "numbers": self.numbers.to_plain(),
            "width": self.width,
            "days": list(self.days),
            "sizes": list(self.sizes),
            "hours": list(self.hours),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """What ``to_plain`` gave."""
        return cls(
            numbers=Numbers.from_plain(plain["numbers"]),
            width=plain["width"],
            days=tuple(plain["days"]),
            sizes=tuple(plain["sizes"]),
            hours=tuple(plain["hours"]),
        )


def _counted(values: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The distinct values, rising, and how often each occurs."""
    least, most = int(values.min()), int(values.max())
    if most - least >= _DENSE:
        return np.unique(values, return_counts=True)
    sizes = np.bincount(values - least)
    places = np.flatnonzero(sizes)
    return places + least, sizes[places]


def _narrowed(
    width: int, days: NDArray[np.int64], sizes: NDArray[np.int64]
) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
    """Entries of equal days added up; wider ones until there are at most ``MAX_DAYS``."""
    while True:
        distinct, place = np.unique(days, return_inverse=True)
        if distinct.size <= MAX_DAYS:
            totals = np.zeros(distinct.size, dtype=np.int64)
            np.add.at(totals, place, sizes)
            return width, distinct, totals
        width, days = width * 2, days // 2
