"""The whole shape of a batch, in bounded space: it adds up to that of several batches."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from flyball.domain.schema import ColumnType
from flyball.errors import ArtifactCorrupt
from flyball.stats.kmv import LeastHashes, RowHashes
from flyball.stats.pairs import Crossed, Moments, Split
from flyball.stats.sketches import Numbers
from flyball.stats.times import Times
from flyball.stats.values import Text, Values

FORMAT = 1
"""Of the JSON document; another one cannot be read."""

SIZE_BINS = 256

P = TypeVar("P", Split, Crossed, Moments)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """One column. Of the sketches only those of its type are there.

    Attributes:
        type: what it holds.
        nulls: rows without a value.
        numbers: of a number column.
        times: of a timestamp column.
        values: of a text, boolean ("true", "false") or list column (its elements).
        text: of a text or list column.
        sizes: elements in a row, of a list column.
        hashes: of the distinct values of a number or timestamp column.
    """

    type: ColumnType
    nulls: int = 0
    numbers: Numbers | None = None
    times: Times | None = None
    values: Values | None = None
    text: Text | None = None
    sizes: Numbers | None = None
    hashes: LeastHashes = field(default_factory=LeastHashes)

    @classmethod
    def merged(cls, columns: Sequence[Self]) -> Self:
        """All rows together; the columns are of one type."""
        return cls(
            type=columns[-1].type,
            nulls=sum(column.nulls for column in columns),
            numbers=_joined([c.numbers for c in columns], Numbers.merged),
            times=_joined([c.times for c in columns], Times.merged),
            values=_joined([c.values for c in columns], Values.merged),
            text=_joined([c.text for c in columns], Text.merged),
            sizes=_joined(
                [c.sizes for c in columns], lambda found: Numbers.merged(found, bins=SIZE_BINS)
            ),
            hashes=LeastHashes.merged(column.hashes for column in columns),
        )

    @property
    def distinct(self) -> int:
        """How many distinct values there are; see ``distinct_is_exact``."""
        if self.values is not None:
            return self.values.distinct
        exact = self._exact_numbers
        return self.hashes.distinct if exact is None else exact

    @property
    def distinct_is_exact(self) -> bool:
        """Whether ``distinct`` is exact; else it is within 3% or so."""
        if self.values is not None:
            return self.values.exact is not None
        return self.hashes.complete or self._exact_numbers is not None

    @property
    def _exact_numbers(self) -> int | None:
        numbers = self.times.numbers if self.times is not None else self.numbers
        return None if numbers is None else numbers.distinct

    def to_plain(self) -> dict[str, Any]:
        """As JSON types."""
        parts = {
            "numbers": self.numbers, "times": self.times, "values": self.values,
            "text": self.text, "sizes": self.sizes,
        }  # fmt: skip
        return {
            "type": self.type.value,
            "nulls": self.nulls,
            "hashes": self.hashes.to_plain(),
            **{name: part.to_plain() for name, part in parts.items() if part is not None},
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """What ``to_plain`` gave."""
        kinds: Mapping[str, Callable[[Any], Any]] = {
            "numbers": Numbers.from_plain, "times": Times.from_plain, "values": Values.from_plain,
            "text": Text.from_plain, "sizes": Numbers.from_plain,
        }  # fmt: skip
        return cls(
            type=ColumnType(plain["type"]),
            nulls=plain["nulls"],
            hashes=LeastHashes.from_plain(plain["hashes"]),
            **{name: read(plain[name]) for name, read in kinds.items() if name in plain},
        )


def _joined(parts: Sequence[Any], merge: Callable[[Sequence[Any]], Any]) -> Any:
    found = [part for part in parts if part is not None]
    return merge(found) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A batch, or several together.

    Attributes:
        rows: kept.
        read: rows in the source, blank ones aside.
        rejected: rows that broke a rule; neither duplicates nor forgotten persons' rows.
        duplicates: rows repeated in their batch, left out.
        forgotten: rows of persons who asked to be forgotten, left out.
        unresolved: by column, kept rows whose reference was not found.
        columns: by name, in canonical order.
        splits, crossed, moments: pairs of columns; those with a column of few values, and numbers.
        row_hashes: of the kept rows; None where they were not hashed.
    """

    rows: int = 0
    read: int = 0
    rejected: int = 0
    duplicates: int = 0
    forgotten: int = 0
    unresolved: Mapping[str, int] = field(default_factory=dict)
    columns: Mapping[str, ColumnProfile] = field(default_factory=dict)
    splits: tuple[Split, ...] = ()
    crossed: tuple[Crossed, ...] = ()
    moments: tuple[Moments, ...] = ()
    row_hashes: RowHashes | None = None

    @classmethod
    def merged(cls, profiles: Iterable[Self]) -> Self:
        """All rows together.

        A batch without a column counts as nulls there. Where a column's type changed, the batches
        before the change count as nulls too.
        """
        parts = list(profiles)
        if len(parts) < 2:
            return parts[0] if parts else cls()
        unresolved: Counter[str] = Counter()
        for part in parts:
            unresolved.update(part.unresolved)
        return cls(
            rows=sum(part.rows for part in parts),
            read=sum(part.read for part in parts),
            rejected=sum(part.rejected for part in parts),
            duplicates=sum(part.duplicates for part in parts),
            forgotten=sum(part.forgotten for part in parts),
            unresolved=dict(unresolved),
            columns=_columns(parts),
            splits=_pairs(parts, lambda p: p.splits, lambda s: (s.by, s.of), Split.merged),
            crossed=_pairs(
                parts, lambda p: p.crossed, lambda c: (c.first, c.second), Crossed.merged
            ),
            moments=_pairs(
                parts, lambda p: p.moments, lambda m: (m.first, m.second), Moments.merged
            ),
            row_hashes=_row_hashes(parts),
        )

    def to_json(self) -> bytes:
        """One JSON document: the same profile gives the same bytes."""
        plain = {
            "format": FORMAT,
            "rows": self.rows,
            "read": self.read,
            "rejected": self.rejected,
            "duplicates": self.duplicates,
            "forgotten": self.forgotten,
            "unresolved": dict(self.unresolved),
            "columns": {name: column.to_plain() for name, column in self.columns.items()},
            "splits": [pair.to_plain() for pair in self.splits],
            "crossed": [pair.to_plain() for pair in self.crossed],
            "moments": [pair.to_plain() for pair in self.moments],
            "row_hashes": None
            if self.row_hashes is None
            else {"tag": self.row_hashes.tag, "least": self.row_hashes.least.to_plain()},
        }
        # Escaped: a text from broken JSON may hold a lone surrogate, which UTF-8 cannot say.
        return json.dumps(plain, allow_nan=False, separators=(",", ":")).encode("ascii")

    @classmethod
    def from_json(cls, document: bytes) -> Self:
        """What ``to_json`` gave.

        Raises:
            ArtifactCorrupt: it is not a profile, or of another format.
        """
        try:
            plain = json.loads(document)
            if plain["format"] != FORMAT:
                raise ArtifactCorrupt(
                    f"the profile is of format {plain['format']!r}, not {FORMAT}: another version "
                    "of Flyball wrote it; ingest the batch anew to have one of this version"
                )
            hashes = plain["row_hashes"]
            return cls(
                **{name: plain[name] for name in _COUNTS},
                unresolved=plain["unresolved"],
                columns={k: ColumnProfile.from_plain(v) for k, v in plain["columns"].items()},
                splits=tuple(map(Split.from_plain, plain["splits"])),
                crossed=tuple(map(Crossed.from_plain, plain["crossed"])),
                moments=tuple(map(Moments.from_plain, plain["moments"])),
                row_hashes=None
                if hashes is None
                else RowHashes(tag=hashes["tag"], least=LeastHashes.from_plain(hashes["least"])),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArtifactCorrupt(
                f"this is not a profile: {error!r}; restore it (`flyball data pull`), or ingest "
                "the batch anew"
            ) from error


_COUNTS = ("rows", "read", "rejected", "duplicates", "forgotten")


def _columns(parts: Sequence[Profile]) -> dict[str, ColumnProfile]:
    newest = {name: column for part in parts for name, column in part.columns.items()}
    merged = {}
    for name, column in newest.items():
        found = [
            part.columns[name]
            if name in part.columns and part.columns[name].type is column.type
            else ColumnProfile(type=column.type, nulls=part.rows)
            for part in parts
        ]
        merged[name] = ColumnProfile.merged(found)
    return merged


def _pairs(
    parts: Sequence[Profile],
    of: Callable[[Profile], Sequence[P]],
    key: Callable[[P], tuple[str, str]],
    merge: Callable[[Sequence[P]], P | None],
) -> tuple[P, ...]:
    """Pairs that every batch with rows has, so that none speaks for a part of the rows only."""
    found: dict[tuple[str, str], list[P]] = {}
    for part in parts:
        for pair in of(part):
            found.setdefault(key(pair), []).append(pair)
    whole = sum(1 for part in parts if part.rows)
    merged = [merge(pairs) for pairs in found.values() if len(pairs) >= whole]
    return tuple(pair for pair in merged if pair is not None)


def _row_hashes(parts: Sequence[Profile]) -> RowHashes | None:
    hashed = [part.row_hashes for part in parts if part.row_hashes is not None]
    if not hashed or len(hashed) < len(parts) or len({rows.tag for rows in hashed}) > 1:
        return None
    return RowHashes(tag=hashed[0].tag, least=LeastHashes.merged(r.least for r in hashed))
