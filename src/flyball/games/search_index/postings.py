"""From each of many keys to rows, in two arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Postings:
    """The rows of each key, rows of a key in the order given. Immutable.

    Args:
        keys: shape (n,), each at least 0 and below ``count``.
        rows: shape (n,), the row that each key leads to.
        count: how many keys there can be.
    """

    def __init__(self, keys: NDArray[np.int32], rows: NDArray[np.int32], count: int) -> None:
        # a stable sort of 16-bit keys is a radix sort, several times as fast
        order = np.argsort(keys.astype(np.min_scalar_type(count)), kind="stable")
        self._rows = rows[order]
        self.sizes = np.bincount(keys, minlength=count)
        self._ends = np.cumsum(self.sizes)

    def of(self, key: int) -> NDArray[np.int32]:
        """The rows of one key."""
        end = self._ends[key]
        return self._rows[end - self.sizes[key] : end]
