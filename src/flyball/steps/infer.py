"""The schema of a new dataset, inferred from all of it and written down for review. No effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import polars as pl

from flyball.domain.schema import Column, ColumnType, Schema
from flyball.domain.text import slug
from flyball.errors import DataQualityError
from flyball.steps.column_facts import CHECKED_ROWS, NUMBER, TIME, ColumnFacts, Kind
from flyball.steps.guesses import MOST, Guess, guess


@dataclass(frozen=True, slots=True, kw_only=True)
class Inferred:
    """A proposal.

    Attributes:
        schema: as it would be declared.
        rows: looked at.
        notes: what to review, by column; "" is the table.
    """

    schema: Schema
    rows: int
    notes: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Names:
    """What the columns of a source are called.

    Attributes:
        given: as the source has them; ``c1``, ``c2``, ... where it has no header.
        header: whether it has one.
    """

    given: tuple[str, ...]
    header: bool = True

    def __post_init__(self) -> None:
        repeated = [name for name in self.given if self.given.count(name) > 1]
        if repeated:
            raise DataQualityError(
                f"{self.given.count(repeated[0])} columns are called {repeated[0]!r}; "
                "rename all but one"
            )

    @classmethod
    def positions(cls, width: int) -> Names:
        """Names for a source without a header."""
        return cls(tuple(f"c{number}" for number in range(1, width + 1)), header=False)

    def canonical(self) -> dict[str, str]:
        """Each column's name in the schema, by the given one: lower case, words joined by "_"."""
        taken: dict[str, str] = {}
        for position, name in enumerate(self.given, 1):
            wanted = slug(name).replace("-", "_") or f"c{position}"
            free = (wanted if n == 1 else f"{wanted}_{n}" for n in count(1))
            taken[name] = next(each for each in free if each not in taken.values())
        return taken

    def as_text(self, table: str) -> Schema:
        """A schema that reads every column as text, whatever it holds."""
        columns = tuple(
            Column(name=name, type=ColumnType.STRING, nullable=True, aliases=_alias(given, name))
            for given, name in self.canonical().items()
        )
        names = () if self.header else tuple(column.name for column in columns)
        return Schema(name=table, columns=columns, headerless=names)


class Inference:
    """Looks at a source block by block; memory does not grow with its rows.

    Args:
        table: the name of the table.
        names: of its columns.
    """

    def __init__(self, table: str, names: Names) -> None:
        self._table = table
        self._names = names
        self._facts = {name: ColumnFacts() for name in names.canonical().values()}
        self._rows = 0
        self._hashes: list[pl.Series] = []
        self._hashed = 0

    def add(self, frame: pl.DataFrame) -> None:
        """Look at some rows: canonical columns, as text or null."""
        cells = frame.select(self._facts.keys())
        for name, facts in self._facts.items():
            facts.add(cells[name])
        self._rows += cells.height
        if self._hashed < CHECKED_ROWS:
            first = cells.head(CHECKED_ROWS - self._hashed)
            self._hashes.append(first.hash_rows())
            self._hashed += first.height

    def finished(self) -> Inferred:
        """The proposal.

        Raises:
            DataQualityError: there were no rows.
        """
        if not self._rows:
            raise DataQualityError(
                "there are no rows to infer a schema from; give a source with some"
            )
        guesses = {
            name: guess(name, _alias(given, name), self._facts[name])
            for given, name in self._names.canonical().items()
        }
        key, why = self._key(guesses)
        schema = Schema(
            name=self._table,
            columns=tuple(each.column for each in guesses.values()),
            key=key,
            headerless=() if self._names.header else tuple(guesses),
        )
        about = [f"{self._rows:,} rows were looked at", why]
        if not self._names.header:
            about.append("no header was found: give the columns names that say what they hold")
        notes = {"": about, **{name: each.notes for name, each in guesses.items()}}
        return Inferred(schema=schema, rows=self._rows, notes=notes)

    def _key(self, guesses: Mapping[str, Guess]) -> tuple[tuple[str, ...], str]:
        for name, each in guesses.items():
            facts = self._facts[name]
            named = name == "id" or name.endswith(("_id", "uuid", "_key"))
            if named and not facts.missing and facts.distinct:
                among = f"{min(self._rows, CHECKED_ROWS):,} rows"
                return (name,), f"key: no {each.column.name!r} is there twice among {among}"
        repeated = self._hashed - pl.concat(self._hashes).n_unique()
        return tuple(guesses), (
            f"key: the whole row, so that a repeated row counts once ({repeated:,} of "
            f"{self._hashed:,} repeat an earlier one); without a key all rows count"
        )


def has_header(names: Sequence[str], facts: Mapping[str, ColumnFacts]) -> bool:
    """Whether a source's first row names its columns, judged by the rows below it.

    Args:
        names: the first row.
        facts: of the rows below, by name.

    A name that is itself a number or a time above a column of such, or a name that is one of the
    few values of its column, is a row of data.
    """
    for name in names:
        below = facts[name]
        if _is(name, NUMBER) and below.share(Kind.NUMBER) >= MOST:
            return False
        if _is(name, TIME) and below.share(Kind.TIME) >= MOST:
            return False
        if not below.too_many and below.values.get(name.strip(), 0) > 1:
            return False
    return True


def _is(text: str, pattern: str) -> bool:
    return bool(pl.Series([text.strip()]).str.contains(pattern).item())


def _alias(given: str, name: str) -> tuple[str, ...]:
    return () if given.strip().casefold() == name else (given.strip(),)
