"""From each of many keys to rows, in two arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from flyball.recommend.arrays import open_array, write_array


class Postings:
    """The rows of each key. Immutable.

    Args:
        starts: int64, shape (n_keys + 1,): where the rows of each key begin in ``rows``.
        rows: int32.
    """

    def __init__(self, starts: NDArray[np.int64], rows: NDArray[np.int32]) -> None:
        self._starts, self._rows = starts, rows

    @classmethod
    def of(cls, keys: NDArray[np.int32], rows: NDArray[np.int32], count: int) -> Self:
        """Gather them; rows of a key stay in the order given.

        Args:
            keys: shape (n,), each at least 0 and below ``count``.
            rows: shape (n,), the row that each key leads to.
            count: how many keys there can be.
        """
        # a stable sort of 16-bit keys is a radix sort, several times as fast
        order = np.argsort(keys.astype(np.min_scalar_type(count)), kind="stable")
        starts = np.zeros(count + 1, dtype=np.int64)
        np.cumsum(np.bincount(keys, minlength=count), out=starts[1:])
        return cls(starts, rows[order].astype(np.int32, copy=False))

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Shape (n_keys,): how many rows each key has."""
        return np.diff(self._starts)

    def of_key(self, key: int) -> NDArray[np.int32]:
        """The rows of one key."""
        return self._rows[self._starts[key] : self._starts[key + 1]]

    def save(self, directory: Path, name: str) -> None:
        """Write ``<name>_starts.npy`` and ``<name>_rows.npy``."""
        write_array(directory, f"{name}_starts", self._starts)
        write_array(directory, f"{name}_rows", self._rows)

    @classmethod
    def load(cls, directory: Path, name: str) -> Self:
        """Open what ``save`` wrote, mapped from disk.

        Raises:
            ArtifactCorrupt: a file is missing or damaged.
        """
        return cls(
            open_array(directory, f"{name}_starts", ndim=1, dtype=np.int64),
            open_array(directory, f"{name}_rows", ndim=1, dtype=np.int32),
        )
