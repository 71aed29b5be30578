"""What a batch looks like, made while its rows go by; kept with it, compared with later ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from flyball.domain.schema import ColumnType, Schema
from flyball.stats.kmv import LeastHashes, RowHashes
from flyball.stats.pairs import CLOSED
from flyball.stats.profile import ColumnProfile, Profile
from flyball.stats.sketches import Numbers
from flyball.steps.column_profiles import (
    ColumnProfiler,
    NumberColumn,
    Sum,
    TimeColumn,
    ValueColumn,
)
from flyball.steps.duplicates import row_hashes as hash_rows
from flyball.steps.pair_profiles import PairProfiler

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BINS = 20
_TOP = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PROBE = pl.DataFrame({"text": ["flyball", "", None], "number": [1.5, -0.0, None]})


class Profiler:
    """Sees a batch's rows chunk by chunk. Memory does not grow with their number.

    Args:
        schema: the table's; columns that it does not know are passed over.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._columns: dict[str, ColumnProfiler] = {}
        self._pairs = PairProfiler()
        self._rows = 0
        self._hashes = Sum(LeastHashes.merged)
        self._tag: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that were seen, in the schema's order."""
        return tuple(c.name for c in self._schema.columns if c.name in self._columns)

    def add(self, frame: pl.DataFrame, row_hashes: pl.Series | None = None) -> None:
        """The next rows.

        Args:
            frame: canonical columns and types; the same columns each time.
            row_hashes: shape (n,), of ``duplicates.row_hashes`` by the schema's key.
        """
        for column in self._schema.columns:
            if column.name in frame.columns:
                if column.name not in self._columns:
                    self._columns[column.name] = _column_profiler(column.type)
                self._columns[column.name].add(frame[column.name])
        self._rows += frame.height
        self._pairs.add(frame, self._closed(), self._named(NumberColumn))
        if row_hashes is not None:
            self._tag = self._tag or row_tag(frame, self._schema)
            self._hashes.add(LeastHashes.of(row_hashes.to_numpy()))

    def counts(self, column: str) -> pl.DataFrame:
        """A text, list or boolean column's values (``value``) and how often each occurs (``rows``).

        All values, up to ``counting.MOST`` distinct ones; beyond, the more frequent ones.
        """
        found = self._columns[column]
        if not isinstance(found, ValueColumn):
            raise KeyError(column)
        return found.counting.table()

    def finished(
        self,
        *,
        read: int | None = None,
        rejected: int = 0,
        duplicates: int = 0,
        forgotten: int = 0,
        unresolved: Mapping[str, int] | None = None,
    ) -> Profile:
        """The profile of all rows seen; for the arguments see ``Profile``."""
        return Profile(
            rows=self._rows,
            read=self._rows if read is None else read,
            rejected=rejected,
            duplicates=duplicates,
            forgotten=forgotten,
            unresolved=dict(unresolved or {}),
            columns={name: self._columns[name].finished() for name in self.columns},
            splits=self._pairs.splits(),
            crossed=self._pairs.crossed(),
            moments=self._pairs.moments(),
            row_hashes=None
            if self._tag is None
            else RowHashes(tag=self._tag, least=self._hashes.total()),
        )

    def _named(self, kind: type[ColumnProfiler]) -> list[str]:
        return [name for name in self.columns if isinstance(self._columns[name], kind)]

    def _closed(self) -> list[str]:
        """The text and boolean columns that have few values so far, and name nobody."""
        few = []
        for name in set(self.columns).difference(self._schema.personal):
            found = self._columns[name]
            if isinstance(found, ValueColumn) and found.type is not ColumnType.STRINGS:
                few += [name] if found.counting.distinct <= CLOSED else []
        return sorted(few, key=self.columns.index)


def row_tag(frame: pl.DataFrame, schema: Schema) -> str:
    """How rows are hashed: by which columns, and by which function.

    polars may change its hash function from one version to the next; a probe tells.
    """
    columns = [name for name in schema.key if name in frame.columns] or frame.columns
    probe = hash_rows(_PROBE, _PROBE.columns).to_list()
    return f"{'+'.join(columns)}:{sum(probe) % 2**64:016x}"


def _column_profiler(type_: ColumnType) -> ColumnProfiler:
    match type_:
        case ColumnType.NUMBER:
            return NumberColumn()
        case ColumnType.TIMESTAMP:
            return TimeColumn()
        case _:
            return ValueColumn(type_)


# --- in short -----------------------------------------------------------------------------------


def summary(profile: Profile) -> dict[str, Any]:
    """A profile in short: JSON types only, every number finite.

    Returns:
        ``{"rows": n, "columns": {name: {...}}}``. Each column has ``nulls`` and ``distinct`` (exact
        up to a quarter of a million values or so, else within 3% or so); numbers and times also
        ``min``, ``max``, ``mean``, ``quantiles`` (by share; within 1%, see ``Numbers``) and
        ``histogram`` (``edges``, 21 of them, and ``counts``, 20); others ``top``: the 10 most
        frequent values with their counts. Times are ISO 8601, UTC. What has no value is absent.
        ``correlations``, where there are pairs: ``first``, ``second``, ``measure``, ``value``.
    """
    columns = {name: _column(column) for name, column in profile.columns.items()}
    related = correlations(profile)
    return {"rows": profile.rows, "columns": columns} | (
        {"correlations": [pair._asdict() for pair in related]} if related else {}
    )


class Correlation(NamedTuple):
    """How strongly two columns go together; ``value`` is None where one of them is constant."""

    first: str
    second: str
    measure: str
    value: float | None


def correlations(profile: Profile) -> list[Correlation]:
    """Of all pairs that the profile has."""
    return [
        *(Correlation(p.first, p.second, "Pearson's r", p.correlation) for p in profile.moments),
        *(Correlation(p.by, p.of, "correlation ratio", p.correlation) for p in profile.splits),
        *(Correlation(p.first, p.second, "Cramér's V", p.correlation) for p in profile.crossed),
    ]


def _column(column: ColumnProfile) -> dict[str, Any]:
    facts: dict[str, Any] = {"nulls": column.nulls, "distinct": column.distinct}
    if column.numbers is not None:
        return facts | _spread(column.numbers)
    if column.times is not None:
        return facts | {name: _times(v) for name, v in _spread(column.times.numbers).items()}
    counts = column.values.counts if column.values is not None else {}
    return facts | {"top": [{"value": v, "count": n} for v, n in list(counts.items())[:_TOP]]}


def _spread(numbers: Numbers) -> dict[str, Any]:
    low, high = numbers.min, numbers.max
    if low is None or high is None:
        return {}
    facts: dict[str, Any] = {"min": low, "max": high, "mean": numbers.mean}
    if not math.isfinite(high - low):
        return facts
    quantiles = numbers.quantiles(QUANTILES)
    facts["quantiles"] = {str(q): value for q, value in zip(QUANTILES, quantiles, strict=True)}
    edges = np.linspace(low, high, BINS + 1)
    return facts | {"histogram": {"edges": edges.tolist(), "counts": histogram(numbers, edges)}}


def histogram(numbers: Numbers, edges: np.ndarray[Any, np.dtype[np.float64]]) -> list[int]:
    """How many numbers lie between edges, the last interval closed; they sum to the count.

    Args:
        numbers: none of them outside the edges.
        edges: rising; all equal where there is one value, which is in the first interval.
    """
    if edges[0] == edges[-1]:
        return [numbers.count] + [0] * (len(edges) - 2)
    below = np.rint(numbers.up_to(edges[1:-1], inclusive=False)).astype(np.int64)
    counts: list[int] = np.diff(below, prepend=0, append=numbers.count).tolist()
    return counts


def _times(value: Any) -> Any:
    """Microseconds since 1970 as ISO 8601, wherever they stand."""
    if isinstance(value, float):
        return moment(value).isoformat()
    if isinstance(value, dict):
        return {name: item if name == "counts" else _times(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_times(item) for item in value]
    return value


def moment(microseconds: float) -> datetime:
    """A time, UTC; the first or the last one that Python knows, where it lies beyond."""
    try:
        return _EPOCH + timedelta(microseconds=round(microseconds))
    except OverflowError:
        end = datetime.max if microseconds > 0 else datetime.min
        return end.replace(tzinfo=UTC)
