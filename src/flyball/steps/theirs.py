"""The rows of one person in a Parquet file, told from all others. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from flyball.steps import canonical


@dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    """A file, and which of its rows are a person's.

    Attributes:
        path: the file.
        schema: its columns.
        height: how many rows it has.
        gone: how many of them are the person's.
        are_theirs: whether a row is.
    """

    path: Path
    schema: pl.Schema
    height: int
    gone: int
    are_theirs: pl.Expr

    @classmethod
    def in_file(cls, path: Path, personal: Sequence[str], person: str) -> Theirs | None:
        """What a file holds of a person; None where it holds nothing.

        Args:
            personal: columns with pseudonyms; those the file does not have are passed over.
            person: a pseudonym.
        """
        schema = pl.Schema(pl.read_parquet_schema(path))
        columns = [name for name in personal if name in schema]
        if not columns:
            return None
        theirs = pl.any_horizontal(pl.col(columns).eq_missing(person))
        counted = pl.scan_parquet(path).select(all=pl.len(), gone=theirs.sum()).collect()
        height, gone = counted.row(0)
        if not gone:
            return None
        return cls(path=path, schema=schema, height=height, gone=gone, are_theirs=theirs)

    def all_others(self) -> Iterator[pl.DataFrame]:
        """The rows of everybody else, in their order, a row group's worth at a time."""
        for start in range(0, self.height, canonical.ROW_GROUP):
            part = pl.scan_parquet(self.path).slice(start, canonical.ROW_GROUP)
            yield part.filter(~self.are_theirs).collect()
