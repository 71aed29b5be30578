"""What every kind of file is divided into: rows of cells that have no schema's types yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

from flyball.domain.schema import Schema
from flyball.ports import DETAIL, LINE, RAW, REASON

BLOCK_BYTES = 8 << 20
"""How much of a text file is taken at a time."""

MAX_RECORD = 16 << 20
"""The longest record that is read, in bytes; a longer one is a fault of the file."""

ODD = {LINE: pl.Int64(), REASON: pl.String(), DETAIL: pl.String(), RAW: pl.String()}


@dataclass(frozen=True, slots=True)
class Odd:
    """A record that could not be divided into cells: where, why, in words, and as it stands."""

    line: int
    reason: str
    detail: str
    raw: str


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive records of a file.

    Attributes:
        frame: a column for each of the file's, as text or of the file's own types.
        lines: Int64, as long as ``frame``: the line each record begins on, or its number.
        odd: the records that could not be divided into cells.
        only_spaces: no cell has white space around it but plain spaces; spares a search.
        blank: how many records held no value at all; they are not in ``frame``.
    """

    frame: pl.DataFrame
    lines: pl.Series
    odd: Sequence[Odd] = ()
    only_spaces: bool = False
    blank: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Which table a file holds, and where its columns are.

    Attributes:
        schema: the table's.
        columns: by canonical name, the column of the blocks' frames that holds it.
        ignored: the file's columns that the schema does not know, as the file names them.
    """

    schema: Schema
    columns: Mapping[str, str]
    ignored: tuple[str, ...] = field(default=())

    @property
    def canonical(self) -> tuple[str, ...]:
        """The canonical columns it has, in the schema's order."""
        return tuple(c.name for c in self.schema.columns if c.name in self.columns)


class Records(Protocol):
    """A file whose kind and columns are known."""

    fit: Fit

    def blocks(self) -> Iterator[Block]:
        """Its records, once.

        Raises:
            DataQualityError: it is damaged, cut short or wrongly encoded further down.
        """
        ...


def numbered(first: int, count: int) -> pl.Series:
    """So many lines, one after the other."""
    return pl.int_range(first, first + count, dtype=pl.Int64, eager=True).alias(LINE)


def shown(names: Sequence[str]) -> str:
    """Column names, as messages list them."""
    listed = ", ".join(repr(name[:40]) for name in names[:12])
    return f"{listed}, and {len(names) - 12} more" if len(names) > 12 else listed
