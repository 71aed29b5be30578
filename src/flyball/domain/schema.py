"""The declared shape of an application's tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class ColumnType(StrEnum):
    """What a column holds, after reading."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"  # UTC, microseconds
    STRINGS = "strings"  # a list of texts, for example a game's genres


class Privacy(StrEnum):
    """Who a column's values may be shown to."""

    PUBLIC = "public"
    PERSONAL = "personal"  # names or points at a person: stored as a pseudonym only


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The column of another table in which a column's values should be found.

    Attributes:
        table, column: which one.
        by_slug: compared by ``domain.text.slug``: without case, accents and punctuation.
    """

    table: str
    column: str
    by_slug: bool = False


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
        unit: of numbers, for example ``"h"`` or ``"USD"``.
        privacy: personal values are stored as pseudonyms.
        references: where its values should be found.
        lenient: a cell that cannot be read counts as missing; its row stays (and is counted).
        spellings: texts (lower case) that stand for another, for example ``{"free": "0"}``.
    """

    name: str
    type: ColumnType
    required: bool = True
    nullable: bool = False
    aliases: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] | None = None
    unit: str = ""
    privacy: Privacy = Privacy.PUBLIC
    references: Reference | None = None
    lenient: bool = False
    spellings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The columns of a table, and how files without a header are laid out.

    Attributes:
        columns: in canonical order.
        name: the table's; lower-case letters, digits and ``_``.
        key: the columns whose repetition is a duplicate row, as far as a file has them.
        one_of: groups of columns of which a file must have one, and each row a value in one.
        headerless: canonical column names by position for files without a header line; an empty
            name is a column to drop.
    """

    columns: tuple[Column, ...]
    name: str = "rows"
    key: tuple[str, ...] = ()
    one_of: tuple[tuple[str, ...], ...] = ()
    headerless: tuple[str, ...] = field(default=())

    def column(self, name: str) -> Column | None:
        """The column that a header called ``name`` means, or None."""
        wanted = name.strip().casefold()
        for column in self.columns:
            if wanted in (column.name, *(alias.casefold() for alias in column.aliases)):
                return column
        return None

    def missing(self, present: Iterable[str]) -> tuple[str, ...]:
        """What is required and not among the canonical names ``present``.

        A group of which there is none is one item: ``"title or item_id"``.
        """
        have = set(present)
        lacking = [c.name for c in self.columns if c.required and c.name not in have]
        lacking += [" or ".join(group) for group in self.one_of if have.isdisjoint(group)]
        return tuple(lacking)

    @property
    def personal(self) -> tuple[str, ...]:
        """The columns whose values are stored as pseudonyms."""
        return tuple(c.name for c in self.columns if c.privacy is Privacy.PERSONAL)
