"""Which columns go together, in the making: rows come in chunks, and memory stays bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import combinations, islice, product

import polars as pl

from flyball.stats.pairs import BINS, Crossed, Moments, Split
from flyball.stats.sketches import Numbers
from flyball.steps.column_profiles import Sum, as_floats, without_nulls

MOST_PAIRS = 16
"""Pairs of one kind; of a wide table, those of its first columns."""


class PairProfiler:
    """Sees all pairs of columns chunk by chunk. A pair stays while its columns have few values."""

    def __init__(self) -> None:
        self._begun = False
        self._splits: dict[tuple[str, str], dict[str, Sum[Numbers]]] = {}
        self._crossed: dict[tuple[str, str], Counter[tuple[str, str]]] = {}
        self._moments: dict[tuple[str, str], list[Moments]] = {}

    def add(self, frame: pl.DataFrame, closed: Sequence[str], numbers: Sequence[str]) -> None:
        """The next rows.

        Args:
            closed: the columns that have few values, also with these rows, in order.
            numbers: the columns of numbers, in order.
        """
        if not self._begun:
            # Chosen once: a pair that came later would not have seen all rows.
            self._begun = True
            self._splits = {pair: {} for pair in _some(product(closed, numbers))}
            self._crossed = {pair: Counter() for pair in _some(combinations(closed, 2))}
            self._moments = {pair: [] for pair in _some(combinations(numbers, 2))}
        self._splits = {k: v for k, v in self._splits.items() if k[0] in closed}
        self._crossed = {k: v for k, v in self._crossed.items() if set(k) <= set(closed)}
        self._add_splits(frame)
        for pair, table in self._crossed.items():
            counts = frame.select(pair).drop_nulls().group_by(pair).len()
            table.update({(as_text(a), as_text(b)): rows for a, b, rows in counts.iter_rows()})
        for (first, second), earlier in self._moments.items():
            more = Moments.of(first, second, as_floats(frame[first]), as_floats(frame[second]))
            earlier[:] = [Moments.merged([*earlier, more])]

    def _add_splits(self, frame: pl.DataFrame) -> None:
        parts: dict[str, list[tuple[str, pl.DataFrame]]] = {}
        for (by, of), found in self._splits.items():
            if by not in parts:
                narrow = frame.select(by, *{of for _, of in self._splits})
                values = frame[by].unique().drop_nulls().to_list()
                parts[by] = [(as_text(v), narrow.filter(pl.col(by) == v)) for v in values]
            for value, rows in parts[by]:
                numbers = Numbers.of(as_floats(without_nulls(rows[of])), bins=BINS)
                found.setdefault(value, Sum(partial(Numbers.merged, bins=BINS))).add(numbers)

    def splits(self) -> tuple[Split, ...]:
        """The numbers beside each value of a column that has few."""
        return tuple(
            Split(by=by, of=of, parts={name: found[name].total() for name in sorted(found)})
            for (by, of), found in self._splits.items()
        )

    def crossed(self) -> tuple[Crossed, ...]:
        """How often the values of two columns that have few occur together."""
        return tuple(
            Crossed(first=first, second=second, counts=dict(sorted(counts.items())))
            for (first, second), counts in self._crossed.items()
        )

    def moments(self) -> tuple[Moments, ...]:
        """How two columns of numbers go together."""
        return tuple(moments for found in self._moments.values() for moments in found)


def _some(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return list(islice(pairs, MOST_PAIRS))


def as_text(value: object) -> str:
    """A value of a column that has few, by the name under which it is counted."""
    return str(value).lower() if isinstance(value, bool) else str(value)
