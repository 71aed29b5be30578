"""One column's profile in the making: rows come in chunks, and memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Generic, Protocol, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flyball.domain.schema import ColumnType
from flyball.stats.kmv import LeastHashes, distinct, hash_numbers
from flyball.stats.profile import SIZE_BINS, ColumnProfile
from flyball.stats.sketches import Numbers
from flyball.stats.times import Times
from flyball.steps.counting import Counting

_PENDING = 8

S = TypeVar("S")


class Sum(Generic[S]):
    """Adds up sketches, several at a time."""

    def __init__(self, merge: Callable[[list[S]], S]) -> None:
        self._merge = merge
        self._parts: list[S] = []

    def add(self, part: S) -> None:
        """One more."""
        self._parts.append(part)
        if len(self._parts) > _PENDING:
            self._parts = [self.total()]

    def total(self) -> S:
        """All together."""
        return self._merge(self._parts)


class ColumnProfiler(Protocol):
    """Sees a column chunk by chunk."""

    def add(self, values: pl.Series) -> None:
        """The next rows, with nulls."""
        ...

    def finished(self) -> ColumnProfile:
        """What was seen so far."""
        ...


class NumberColumn:
    """A column of numbers."""

    def __init__(self) -> None:
        self._nulls = 0
        self._shift = 0
        self._numbers = Sum(Numbers.merged)
        self._hashes = Sum(LeastHashes.merged)

    def add(self, values: pl.Series) -> None:
        """The next rows, with nulls."""
        self._nulls += values.null_count()
        floats = as_floats(without_nulls(values))
        numbers = Numbers.of(floats, shift=self._shift)
        self._shift = max(self._shift, numbers.shift)
        self._numbers.add(numbers)
        self._hashes.add(_hashes(floats))

    def finished(self) -> ColumnProfile:
        """What was seen so far."""
        return ColumnProfile(
            type=ColumnType.NUMBER,
            nulls=self._nulls,
            numbers=self._numbers.total(),
            hashes=self._hashes.total(),
        )


class TimeColumn:
    """A column of times."""

    def __init__(self) -> None:
        self._nulls = 0
        self._shift = 0
        self._times = Sum(Times.merged)
        self._hashes = Sum(LeastHashes.merged)

    def add(self, values: pl.Series) -> None:
        """The next rows, with nulls."""
        self._nulls += values.null_count()
        micros = without_nulls(values).dt.epoch("us").to_numpy()
        times = Times.of(micros, shift=self._shift)
        self._shift = max(self._shift, times.numbers.shift)
        self._times.add(times)
        self._hashes.add(_hashes(micros.astype(np.float64)))

    def finished(self) -> ColumnProfile:
        """What was seen so far."""
        return ColumnProfile(
            type=ColumnType.TIMESTAMP,
            nulls=self._nulls,
            times=self._times.total(),
            hashes=self._hashes.total(),
        )


class ValueColumn:
    """A column of text, of true and false, or of lists of texts."""

    def __init__(self, type_: ColumnType) -> None:
        self.type = type_
        self._nulls = 0
        self._sizes = Sum(partial(Numbers.merged, bins=SIZE_BINS))
        self.counting = Counting()

    def add(self, values: pl.Series) -> None:
        """The next rows, with nulls."""
        self._nulls += values.null_count()
        there = without_nulls(values)
        if self.type is ColumnType.STRINGS:
            self._sizes.add(Numbers.of(there.list.len().to_numpy(), bins=SIZE_BINS))
            there = without_nulls(there.list.explode(empty_as_null=False))
        elif self.type is ColumnType.BOOLEAN:
            there = there.cast(pl.String)
        self.counting.add(there)

    def finished(self) -> ColumnProfile:
        """What was seen so far."""
        values, text = self.counting.finished()
        return ColumnProfile(
            type=self.type,
            nulls=self._nulls,
            values=values,
            text=None if self.type is ColumnType.BOOLEAN else text,
            sizes=self._sizes.total() if self.type is ColumnType.STRINGS else None,
        )


def without_nulls(values: pl.Series) -> pl.Series:
    """The values that are there; the same series where there are no nulls."""
    return values.drop_nulls() if values.null_count() else values


def as_floats(values: pl.Series) -> NDArray[np.float64]:
    """Numbers as 64-bit floats, missing ones as NaN."""
    floats: NDArray[np.float64] = values.cast(pl.Float64).to_numpy()
    return floats


def _hashes(values: NDArray[np.float64]) -> LeastHashes:
    return LeastHashes.of(hash_numbers(distinct(values)))
