"""What one column of a new dataset looks like, counted over all of it in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import polars as pl

MANY = 1000
"""Distinct values counted one by one; a column with more has no list of them."""

CHECKED_ROWS = 1 << 20
"""Rows whose values are compared with each other, to see whether any is there twice."""

SETTLED = 10_000
"""Cells after which a kind that fits fewer than half of them is no longer tried."""

NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
TIME = (
    r"^\d{4}-\d{2}-\d{2}"
    r"([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?( ?(UTC|[Zz]|[+-]\d{2}:?\d{2}))?)?$"
)
CODE = r"^0\d"  # a leading zero would be lost in a number
TRUTHS = ("true", "false", "yes", "no")


class Kind(StrEnum):
    """What a cell may be read as, besides as text."""

    NUMBER = "number"
    TIME = "time"
    TRUTH = "truth"
    LIST = "list"
    CODE = "code"


class ColumnFacts:
    """Counts of one column; ``add`` it block by block."""

    def __init__(self) -> None:
        self.cells = 0
        self.missing = 0
        self.low: float | None = None
        self.high: float | None = None
        self.whole = True
        self.values: dict[str, int] = {}
        self.too_many = False
        self.odd: dict[Kind, list[str]] = {}
        self._fitting = dict.fromkeys(Kind, 0)
        self._tried = set(Kind)
        self._hashes: list[pl.Series] = []
        self._hashed = 0

    def add(self, cells: pl.Series) -> None:
        """Count a block of cells: text without white space around it, or null."""
        text = cells.drop_nulls().alias("text")
        self.cells += len(cells)
        self.missing += len(cells) - len(text)
        if not len(text):
            return
        for kind, fits in self._looked_at(text):
            count = int(fits.sum())
            self._fitting[kind] += count
            if count < len(text):
                odd = self.odd.setdefault(kind, [])
                odd += text.filter(~fits).head(3 - len(odd)).to_list()
            if self.present >= SETTLED and self.share(kind) < 0.5:
                self._tried.discard(kind)
        self._measure(text)
        self._remember(text)

    @property
    def present(self) -> int:
        """How many cells hold something."""
        return self.cells - self.missing

    def share(self, kind: Kind) -> float:
        """Which share of the cells that hold something is of a kind."""
        return self._fitting[kind] / max(1, self.present)

    def fitting(self, kind: Kind) -> int:
        """How many cells are of a kind."""
        return self._fitting[kind]

    @property
    def distinct(self) -> bool:
        """Whether no value is there twice, among the first ``CHECKED_ROWS``."""
        return self.present > 1 and pl.concat(self._hashes).n_unique() == self._hashed

    def sample(self) -> list[str]:
        """Some of the values: the first ``MANY`` distinct ones, more or less."""
        return list(self.values)

    def _looked_at(self, text: pl.Series) -> Iterator[tuple[Kind, pl.Series]]:
        tests = {
            Kind.NUMBER: lambda: text.str.contains(NUMBER),
            Kind.TIME: lambda: text.str.contains(TIME),
            Kind.TRUTH: lambda: text.str.to_lowercase().is_in(TRUTHS),
            Kind.LIST: lambda: text.str.starts_with("[") & text.str.ends_with("]"),
            Kind.CODE: lambda: text.str.contains(CODE),
        }
        for kind in sorted(self._tried):
            yield kind, tests[kind]()

    def _measure(self, text: pl.Series) -> None:
        """The range of the numbers among the cells."""
        if Kind.NUMBER not in self._tried:
            return
        numbers = text.cast(pl.Float64, strict=False)
        finite = numbers.filter(numbers.is_finite().fill_null(False))
        if not len(finite):
            return
        low, high = float(finite.min()), float(finite.max())  # type: ignore[arg-type]
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)
        self.whole &= bool((finite == finite.floor()).all())

    def _remember(self, text: pl.Series) -> None:
        if not self.too_many:
            counts = text.value_counts(name="cells")
            for value, count in counts.head(2 * MANY).iter_rows():
                self.values[value] = self.values.get(value, 0) + count
            self.too_many = len(self.values) > MANY or counts.height > MANY
        if self._hashed < CHECKED_ROWS:
            first = text.head(CHECKED_ROWS - self._hashed)
            self._hashes.append(first.hash())
            self._hashed += len(first)
