"""How often each value of a column occurs, chunk by chunk, in bounded memory."""

from __future__ import annotations

import zlib
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flyball.stats.kmv import Hashes, LeastHashes, mixed
from flyball.stats.sketches import Numbers
from flyball.stats.values import BUCKETS, LENGTH_BINS, TOP, Text, Values, bucketed, topmost

MOST: Final = 1 << 18
"""Distinct values held at once. Beyond it the rarer half goes, and what is left is a bound."""

BROKEN = (
    "\N{REPLACEMENT CHARACTER}|[\x80-\x9f]"  # never meant; C1 controls are Latin-1 read as such
    "|[ÃÂ][\xa0-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]"  # UTF-8 of Latin letters read as Windows-1252
    "|â[€‚„†‰Š]|ðŸ"  # UTF-8 of punctuation and of emoji read as Windows-1252
)
"""Traces of a wrong encoding."""


class Counting:
    """Counts the values of one column.

    A value is known by polars' hash of it, of 64 bits: among a quarter of a million values two
    share one with a probability of 2 in a thousand million.

    Args:
        most: distinct values held at once, at least 2.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: Hashes = np.empty(0, dtype=np.uint64)  # rising
        self._place: NDArray[np.int64] = np.empty(0, dtype=np.int64)  # of each in the two below
        self._rows: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._values: list[pl.Series] = []
        self._error = 0
        self._gone = _Gone()

    @property
    def distinct(self) -> int:
        """How many distinct values there are; at least so many where some had to go."""
        return self._known.size

    def add(self, values: pl.Series) -> None:
        """Count text values without nulls."""
        hashes: Hashes = values.hash(seed=0).to_numpy()
        found, rows = np.unique(hashes, return_counts=True)
        at = np.searchsorted(self._known, found)
        old = at < self._known.size
        old[old] = self._known[at[old]] == found[old]
        self._rows[self._place[at[old]]] += rows[old]
        if not old.all():
            self._add_new(values, hashes, found[~old], rows[~old])
        if self._known.size > self._most:
            self._drop_rarest()

    def _add_new(
        self, values: pl.Series, hashes: Hashes, found: Hashes, rows: NDArray[np.int64]
    ) -> None:
        # Nearly all rows are excluded by their hash's first bits, where few values are new.
        marked = np.zeros(1 << 16, dtype=np.bool_)
        marked[found >> np.uint64(48)] = True
        likely = np.flatnonzero(marked[hashes >> np.uint64(48)])
        likely = likely[np.argsort(hashes[likely])]
        self._values.append(values.gather(likely[np.searchsorted(hashes[likely], found)]))
        where = np.searchsorted(self._known, found)
        places = np.arange(self._rows.size, self._rows.size + found.size)
        self._known = np.insert(self._known, where, found)
        self._place = np.insert(self._place, where, places)
        self._rows = np.concatenate([self._rows, rows.astype(np.int64)])

    def _drop_rarest(self) -> None:
        table = self.table()
        order = np.argsort(-self._rows, kind="stable")
        stay, go = np.sort(order[: self._most // 2]), order[self._most // 2 :]
        self._error += int(self._rows[go].max())
        self._gone.add(table["value"].gather(go), self._rows[go])
        inverse = np.full(self._rows.size, -1, dtype=np.int64)
        inverse[stay] = np.arange(stay.size)
        place = inverse[self._place]
        self._known, self._place = self._known[place >= 0], place[place >= 0]
        self._rows, self._values = self._rows[stay], [table["value"].gather(stay)]

    def table(self) -> pl.DataFrame:
        """The values that are held: ``value`` and ``rows``, in order of their coming.

        All of them, with exact counts, while there are no more than ``MOST``; beyond, the more
        frequent ones, with counts that may be too small.
        """
        values = pl.concat(self._values) if self._values else pl.Series(dtype=pl.String)
        return pl.DataFrame({"value": values, "rows": self._rows})

    def finished(self) -> tuple[Values, Text]:
        """The counts, and what the texts look like."""
        table = self.table().sort(["rows", "value"], descending=[True, False])
        every = self._gone.copy()
        every.add(table["value"], table["rows"].to_numpy())
        counts, dropped = topmost(dict(table.head(TOP + 1).iter_rows()))
        values = Values(
            counts=counts,
            error=self._error + dropped,
            buckets=tuple(every.buckets.tolist()),
            hashes=every.hashes,
            exact=self._known.size if not self._error else None,
        )
        return values, every.text


class _Gone:
    """What is known of values that are no longer held one by one."""

    def __init__(self) -> None:
        self.buckets: NDArray[np.int64] = np.zeros(BUCKETS, dtype=np.int64)
        self.hashes = LeastHashes()
        self.text = Text()

    def copy(self) -> _Gone:
        other = _Gone()
        other.buckets, other.hashes, other.text = self.buckets.copy(), self.hashes, self.text
        return other

    def add(self, values: pl.Series, rows: NDArray[Any]) -> None:
        hashes = stable_hashes(values)
        self.buckets += bucketed(hashes, rows)
        self.hashes = LeastHashes.merged([self.hashes, LeastHashes.of(hashes)])
        self.text = Text.merged([self.text, _text(values, rows)])


def stable_hashes(values: pl.Series) -> Hashes:
    """A hash of each text, shape (n,): the same on every machine, in every version of polars."""
    sums = [zlib.crc32(value.encode("utf-8")) for value in values.to_list()]
    return mixed(np.asarray(sums, dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15))


def _text(values: pl.Series, rows: NDArray[Any]) -> Text:
    looks = pl.DataFrame({"value": values, "rows": rows}).select(
        length=pl.col("value").str.len_chars(),
        rows="rows",
        non_ascii=pl.col("value").str.len_bytes() > pl.col("value").str.len_chars(),
        broken=pl.col("value").str.contains(BROKEN),
        digits=pl.col("value").str.contains("^[0-9]+$"),
    )
    lengths = looks.group_by("length").agg(pl.col("rows").sum())
    kinds = ("non_ascii", "broken", "digits")
    sums = looks.select(pl.col("rows").filter(pl.col(kind)).sum().alias(kind) for kind in kinds)
    counted = dict(zip(kinds, sums.row(0), strict=True))
    return Text(
        lengths=Numbers.of(lengths["length"], lengths["rows"], bins=LENGTH_BINS),
        **{kind: int(count) for kind, count in counted.items()},
    )
