"""Repeated rows, found with an eighth of their hashes in memory at a time."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

_BUCKETS = 16
_LAST = np.uint64(0xFFFF)
_ROW = np.dtype([("hash", "<u8"), ("row", "<u4")])


def row_hashes(frame: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    """Shape (n,), UInt64: equal for rows that are equal in these columns (missing equals missing).

    Two different rows of ten million share a hash with a probability of 3 in a million; and a row
    taken for a repetition is kept in the quarantine.
    """
    return frame.select(columns).hash_rows(seed=7)


class Duplicates:
    """Collects the hashes of rows, and tells which rows repeat an earlier one.

    Hashes are spread over files by their first bits; equal ones meet in one file, and one file at a
    time is looked through.

    Args:
        folder: where the files lie; it must exist.
    """

    def __init__(self, folder: Path) -> None:
        self._paths = [folder / f"hashes-{bucket:02d}" for bucket in range(_BUCKETS)]
        self._rows = 0

    def add(self, hashes: pl.Series) -> None:
        """The next rows' hashes, shape (n,), UInt64."""
        values: np.ndarray[Any, np.dtype[np.uint64]] = hashes.to_numpy()
        buckets = (values >> np.uint64(60)).astype(np.uint8)
        order = np.argsort(buckets, kind="stable")
        rows = np.empty(len(values), dtype=_ROW)
        rows["hash"] = values[order]
        rows["row"] = order + self._rows
        ends = np.searchsorted(buckets[order], np.arange(_BUCKETS), side="right")
        for path, part in zip(self._paths, np.split(rows, ends[:-1]), strict=True):
            if len(part):
                with path.open("ab") as file:
                    part.tofile(file)
        self._rows += len(values)

    def found(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The numbers (from 0, rising) of all rows that repeat an earlier one."""
        with ThreadPoolExecutor(2) as pool:
            repeated = list(pool.map(_repeated_in, filter(Path.exists, self._paths)))
        return np.sort(np.concatenate([np.empty(0, dtype=np.int64), *repeated]))


def _repeated_in(path: Path) -> np.ndarray[Any, np.dtype[np.int64]]:
    return _repeated(np.fromfile(path, dtype=_ROW))


def _repeated(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The numbers of rows whose hash stands further up; most hashes stand once."""
    hashes = np.ascontiguousarray(rows["hash"])
    ordered = np.sort(hashes)
    several = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not several.size:
        return np.empty(0, dtype=np.int64)
    # a small table of last bits rules out nearly all rows, far quicker than looking each one up
    there = np.zeros(1 << 16, dtype=bool)
    there[several & _LAST] = True
    candidates = rows[there[hashes & _LAST]]
    first = pl.Series(candidates["hash"]).is_first_distinct().to_numpy()
    numbers: np.ndarray[Any, np.dtype[np.int64]] = candidates["row"][~first].astype(np.int64)
    return numbers
