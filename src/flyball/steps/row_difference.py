"""Which rows and which values two sets of files do not share, exactly, in bounded memory.

Rows and values are compared by 64-bit hashes of them: of ten million, two different ones share a
hash with a probability of 3 in a million.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from flyball.errors import ArtifactCorrupt
from flyball.steps.hash_bags import Apart, HashBag, rows_apart, values_apart
from flyball.steps.workplace import workplace

CHUNK = 1 << 18
SEED = 7

Types = Mapping[str, pl.DataType]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDifference:
    """Two sets of files compared.

    Attributes:
        rows: repeated rows count as often as they occur.
        values: distinct values, by column.
    """

    rows: Apart
    values: Mapping[str, Apart]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSets:
    """Parquet files of one table.

    Attributes:
        removed: only the one version has them.
        added: only the other one has them.
        common: both have them.
    """

    removed: Sequence[Path]
    added: Sequence[Path]
    common: Sequence[Path]


def compared(files: FileSets, *, values: Sequence[str], scratch: Path) -> RowDifference:
    """Compare files.

    A column that a file does not have is empty there. Files that both have are only looked into
    for their ``values``.

    Args:
        values: columns whose distinct values are compared.
        scratch: a folder for hashes meanwhile: 8 bytes a row, and 8 a distinct value and chunk.

    Raises:
        ArtifactCorrupt: a file is no Parquet.
        StorageUnavailable: the scratch folder cannot be written.
    """
    types = _types([*files.removed, *files.added])
    asked = [column for column in values if column in types]
    failed = "the two versions could not be compared"
    with workplace(scratch, prefix="diff-", failed=failed) as folder:
        sides = [_Side(folder / name, types, asked) for name in ("before", "after")]
        with ThreadPoolExecutor(len(sides)) as pool:
            for each in [
                pool.submit(side.read, paths)
                for side, paths in zip(sides, (files.removed, files.added), strict=True)
            ]:
                each.result()
        shared = _Side(folder / "common", types, asked)
        if asked:
            shared.read_values(files.common)
        before, after = sides
        return RowDifference(
            rows=rows_apart(before.rows, after.rows),
            values={
                column: values_apart(bag, after.values[column], shared.values[column])
                for column, bag in before.values.items()
            },
        )


class _Side:
    """The hashes of one set of files."""

    def __init__(self, folder: Path, types: Types, values: Sequence[str]) -> None:
        self._types = types
        self.rows = HashBag(folder / "rows")
        self.values = {c: HashBag(folder / f"values-{i}") for i, c in enumerate(values)}

    def read(self, paths: Sequence[Path]) -> None:
        """Take in rows and values."""
        for path in paths:
            for frame in _chunks(path, self._types, list(self._types)):
                hashed = _hashed(frame)
                self.rows.add(hashed.hash_rows(seed=SEED).to_numpy())
                self._add_values(frame, hashed)

    def read_values(self, paths: Sequence[Path]) -> None:
        """Take in values alone."""
        for path in paths:
            for frame in _chunks(path, self._types, list(self.values)):
                self._add_values(frame, _hashed(frame))

    def _add_values(self, frame: pl.DataFrame, hashed: pl.DataFrame) -> None:
        for column, bag in self.values.items():
            there = hashed[column]
            if frame[column].null_count():
                there = there.filter(frame[column].is_not_null())
            bag.add(there.to_numpy(), distinct=True)


def _hashed(frame: pl.DataFrame) -> pl.DataFrame:
    """Every cell's hash. An empty list and a missing one have different hashes."""
    return frame.select(
        pl.when(pl.col(name).is_not_null()).then(pl.col(name).hash(SEED)).otherwise(0).alias(name)
        if isinstance(type_, pl.List)
        else pl.col(name).hash(SEED)
        for name, type_ in frame.schema.items()
    )


def _chunks(path: Path, types: Types, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    there = set(pl.read_parquet_schema(path))
    whole = pl.scan_parquet(path).select(
        pl.col(name) if name in there else pl.lit(None, types[name]).alias(name) for name in columns
    )
    try:
        yield from whole.collect_batches(chunk_size=CHUNK, maintain_order=False, engine="streaming")
    except pl.exceptions.PolarsError as error:
        raise _corrupt(path, error) from error


def _types(paths: Sequence[Path]) -> dict[str, pl.DataType]:
    """The columns of all files together; the last one's type, where they differ."""
    found: dict[str, pl.DataType] = {}
    for path in paths:
        try:
            found |= pl.read_parquet_schema(path)
        except pl.exceptions.PolarsError as error:
            raise _corrupt(path, error) from error
    return found


def _corrupt(path: Path, error: Exception) -> ArtifactCorrupt:
    return ArtifactCorrupt(
        f"the data file {path} cannot be read as Parquet ({error}); restore it from a backup, or "
        "ingest its source again"
    )
