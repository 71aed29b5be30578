"""Hashes of rows and values, of which few are in memory at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

Hashes: TypeAlias = np.ndarray[Any, np.dtype[np.uint64]]

HELD = 32 << 20
_BUCKETS = 16
_CUTS = np.arange(1, _BUCKETS, dtype=np.uint64) << np.uint64(60)
_STEP = np.uint64(0x9E37_79B9_7F4A_7C15)
_AT_ONCE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """How many only the later, or only the earlier side has."""

    added: int
    removed: int


class HashBag:
    """64-bit hashes, spread over files by their first bits: equal ones meet in one file.

    One thread may add at a time. Up to ``HELD`` bytes are held back, to be written together.

    Args:
        folder: where the files lie; made if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._paths = [folder / f"hashes-{bucket:02d}" for bucket in range(_BUCKETS)]
        self._held: list[Hashes] = []

    def add(self, hashes: Hashes, *, distinct: bool = False) -> None:
        """Some more, shape (n,): each as often as it occurs, or with ``distinct`` once."""
        self._held.append(_distinct(np.sort(hashes)) if distinct else hashes)
        if sum(part.nbytes for part in self._held) > HELD:
            self.write()

    def write(self) -> None:
        """Write what is held back. Before the buckets are read."""
        if not self._held:
            return
        ordered = np.sort(np.concatenate(self._held))
        self._held.clear()
        for path, part in zip(
            self._paths, np.split(ordered, np.searchsorted(ordered, _CUTS)), strict=True
        ):
            if part.size:
                with path.open("ab") as file:
                    part.tofile(file)

    def bucket(self, number: int) -> Hashes:
        """The hashes of one file, rising. Several threads may read at a time."""
        path = self._paths[number]
        if not path.exists():
            return np.empty(0, np.uint64)
        return np.sort(np.fromfile(path, np.uint64))


def rows_apart(before: HashBag, after: HashBag) -> Apart:
    """How many hashes were added and removed; one that occurs three times counts three times."""

    def apart(number: int) -> Apart:
        old, new = _numbered(before.bucket(number)), _numbered(after.bucket(number))
        both = _common(old, new)
        return Apart(added=new.size - both, removed=old.size - both)

    return _summed(apart, before, after)


def values_apart(before: HashBag, after: HashBag, common: HashBag) -> Apart:
    """How many distinct hashes were added and removed, where both sides also have ``common``."""

    def apart(number: int) -> Apart:
        shared = common.bucket(number)
        old = _distinct(_merged(before.bucket(number), shared))
        new = _distinct(_merged(after.bucket(number), shared))
        both = _common(old, new)
        return Apart(added=new.size - both, removed=old.size - both)

    return _summed(apart, before, after, common)


def _summed(apart: Callable[[int], Apart], *bags: HashBag) -> Apart:
    for bag in bags:
        bag.write()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(apart, range(_BUCKETS)))
    return Apart(added=sum(one.added for one in found), removed=sum(one.removed for one in found))


def _numbered(ordered: Hashes) -> Hashes:
    """Rising hashes made distinct: the second of equal ones becomes another one, and so on."""
    same = ordered[1:] == ordered[:-1]
    if not same.any():
        return ordered
    place = np.arange(ordered.size)
    first = np.maximum.accumulate(np.where(np.concatenate(([True], ~same)), place, 0))
    return np.sort(ordered + (place - first).astype(np.uint64) * _STEP)


def _common(one: Hashes, other: Hashes) -> int:
    """How many hashes two sets share, both rising and distinct."""
    together = _merged(one, other)
    return int((together[1:] == together[:-1]).sum())


def _merged(one: Hashes, other: Hashes) -> Hashes:
    """Two rising arrays as one: a stable sort takes sorted pieces as they are."""
    return np.sort(np.concatenate((one, other)), kind="stable")


def _distinct(ordered: Hashes) -> Hashes:
    """Rising hashes, each once; ``np.unique`` would take five times as long."""
    new = np.ones(ordered.size, dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    return ordered[new]
