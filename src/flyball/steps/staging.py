"""The rows of one ingest between reading and writing: on disk, so that memory stays bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl

from flyball.domain.data import DUPLICATE
from flyball.domain.schema import Schema
from flyball.ports import DETAIL, LINE, RAW
from flyball.steps import canonical
from flyball.steps.conform import REASONS, quarantined
from flyball.steps.duplicates import Duplicates, row_hashes
from flyball.steps.tally import Tally

_HASH = "__hash"
FILE = "file"
_BESIDE = 2
"""Frames that are being looked at while the next one is written."""
_NAMES = {LINE: "line", REASONS: "reasons", DETAIL: "detail", RAW: "raw"}

Seen = Callable[[pl.DataFrame, pl.Series], None]
"""Called with each frame of rows that stay, and their hashes."""


class Staging:
    """Rows on their way into a batch.

    Args:
        folder: an empty folder on the home's disk.
        schema: the table's.
        columns: the canonical names of the columns that the source has.
        tally: counts what is left out.
    """

    def __init__(self, folder: Path, schema: Schema, columns: Sequence[str], tally: Tally) -> None:
        self._folder = folder
        self._columns = list(columns)
        self._key = [name for name in schema.key if name in columns]
        self._tally = tally
        self._duplicates = Duplicates(folder)
        self._parts: list[tuple[Path, str]] = []
        self._aside: list[Path] = []
        self._schema = pl.Schema()
        self.kept = 0

    def keep(self, rows: pl.DataFrame, file: str) -> None:
        """Rows that keep every rule, with ``LINE``."""
        hashes = row_hashes(rows, self._key or self._columns).alias(_HASH)
        if self._key:
            self._duplicates.add(hashes)
        path = self._folder / f"part-{len(self._parts):06d}.arrow"
        rows.with_columns(hashes).write_ipc(path, compression="uncompressed")
        self._parts.append((path, file))
        self._schema = pl.Schema({name: rows.schema[name] for name in self._columns})
        self.kept += rows.height

    def set_aside(self, rows: pl.DataFrame, file: str) -> None:
        """Rows for the quarantine, in its layout."""
        if rows.height:
            self._tally.rows(rows, file)
            path = self._folder / f"aside-{len(self._aside):06d}.arrow"
            named = rows.rename(_NAMES).select(pl.lit(file).alias(FILE), pl.all())
            named.write_ipc(path, compression="uncompressed")
            self._aside.append(path)

    def write(self, path: Path, seen: Seen) -> str:
        """Write the rows that stay as canonical Parquet; returns the file's SHA-256 (hex).

        A row that repeats an earlier one is set aside. The staged rows are gone after that.
        """
        with ThreadPoolExecutor(1) as beside:
            return canonical.write(_seen(self._distinct(), seen, beside), self._schema, path)

    def write_quarantine(self, path: Path) -> int:
        """Write the rows that were set aside; returns how many there are.

        Repeated rows come last.
        """
        if not self._aside:
            return 0
        found = pl.scan_ipc(self._aside)
        found.sink_parquet(path, compression="zstd", compression_level=3, maintain_order=True)
        return int(pl.scan_parquet(path).select(pl.len()).collect().item())

    def _distinct(self) -> Iterator[tuple[pl.DataFrame, pl.Series]]:
        repeated = self._duplicates.found()
        start, self.kept = 0, 0
        for path, file in self._parts:
            rows = pl.read_ipc(path)
            path.unlink()
            begin, end = np.searchsorted(repeated, (start, start + rows.height))
            start += rows.height
            if begin < end:
                again = pl.Series(
                    np.isin(np.arange(start - rows.height, start), repeated[begin:end])
                )
                twice = rows.filter(again).drop(_HASH)
                self.set_aside(quarantined(twice, [[DUPLICATE]] * twice.height, ""), file)
                rows = rows.filter(~again)
            self.kept += rows.height
            yield rows.select(self._columns), rows[_HASH]


def _seen(
    rows: Iterable[tuple[pl.DataFrame, pl.Series]], seen: Seen, beside: Executor
) -> Iterator[pl.DataFrame]:
    """The frames; each is shown in another thread while it is written."""
    under_way: deque[Future[None]] = deque()
    for frame, hashes in rows:
        under_way.append(beside.submit(seen, frame, hashes))
        if len(under_way) > _BESIDE:
            under_way.popleft().result()
        yield frame
    for shown in under_way:
        shown.result()
