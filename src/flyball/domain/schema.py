"""The declared shape of an application's data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class ColumnType(StrEnum):
    """What a column holds, after reading."""

    STRING = "string"
    NUMBER = "number"
    TIMESTAMP = "timestamp"  # UTC, microseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its type and what its values may be.

    Attributes:
        name: its canonical name.
        type: what it holds.
        required: a file without it does not fit.
        nullable: single values may be missing.
        aliases: other header names that mean it (compared without case).
        minimum, maximum: bounds for numbers, inclusive.
        allowed: the only values there may be, where there are so few.
    """

    name: str
    type: ColumnType
    required: bool = True
    nullable: bool = False
    aliases: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The columns of a table, and how files without a header are laid out.

    Attributes:
        columns: in canonical order.
        headerless: canonical column names by position for files without a header line; an empty
            name is a column to drop.
    """

    columns: tuple[Column, ...]
    headerless: tuple[str, ...] = field(default=())

    def column(self, name: str) -> Column | None:
        """The column that a header called ``name`` means, or None."""
        wanted = name.strip().casefold()
        for column in self.columns:
            if wanted in (column.name, *(alias.casefold() for alias in column.aliases)):
                return column
        return None

    def missing(self, present: Iterable[str]) -> tuple[str, ...]:
        """The required columns that are not among the canonical names ``present``."""
        have = set(present)
        return tuple(c.name for c in self.columns if c.required and c.name not in have)
