"""The best of many scores: of one list, or of several at a time.

As ``flyball.recommend.top_k``, and several times quicker: a bound below the k-th best leaves few
to sort. (``np.partition`` alone is slow where most scores are equal, as those of masked games
are.) Several lists share the calls into NumPy, each of which costs more than what it does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

OUT = np.float32(-np.inf)
"""The score of a game that may not be answered."""

LOWEST = np.finfo(np.float32).min

BLOCKS = 256
"""Of which the best are looked at first; as many as are sorted in no time."""


def top(scores: NDArray[np.float32], k: int, fame: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Indices of the ``k`` best scores, best first; equal ones by rising ``fame``.

    Args:
        scores: shape (n_items,); ``-inf`` masks an item, and what is no number is passed over.
        k: at least 1.
        fame: shape (n_items,), distinct.
    """
    return _tops(scores[None], k, fame)[0]


def tops(
    rows: Sequence[NDArray[np.float32]], ks: Sequence[int], fame: NDArray[np.integer[Any]]
) -> list[NDArray[np.int64]]:
    """``top`` of several rows of scores, each with its ``k``."""
    by_k: dict[int, list[int]] = defaultdict(list)
    for number, k in enumerate(ks):
        by_k[k].append(number)
    found: dict[int, NDArray[np.int64]] = {}
    for k, numbers in by_k.items():
        scores = (
            np.array([rows[n] for n in numbers]) if len(numbers) > 1 else rows[numbers[0]][None]
        )
        found.update(zip(numbers, _tops(scores, k, fame), strict=True))
    return [found[number] for number in range(len(rows))]


def _tops(
    scores: NDArray[np.float32], k: int, fame: NDArray[np.integer[Any]]
) -> list[NDArray[np.int64]]:
    """Of the rows of an array (n, n_items)."""
    n, n_items = scores.shape
    # a bound that is no number is none; -inf is below every bound
    found = (scores >= np.fmax(_bounds(scores, k), LOWEST)[:, None]).ravel().nonzero()[0]
    rows, columns = np.divmod(found, n_items) if n > 1 else (np.zeros_like(found), found)
    counts = np.bincount(rows, minlength=n)
    if counts.max() > max(4 * k, BLOCKS):
        each = np.split(columns, np.cumsum(counts)[:-1])
        each = [_fewer(row, here, k, fame) for row, here in zip(scores, each, strict=True)]
        counts = np.array([len(here) for here in each])
        rows, columns = np.repeat(np.arange(n), counts), np.concatenate(each)
    order = np.lexsort((fame[columns], -scores[rows, columns], rows))
    columns, start, best = columns[order], 0, []
    for count in counts.tolist():
        best.append(columns[start : start + min(count, k)])
        start += count
    return best


def _fewer(
    scores: NDArray[np.float32],
    columns: NDArray[np.int64],
    k: int,
    fame: NDArray[np.integer[Any]],
) -> NDArray[np.int64]:
    """The ``k`` best of these columns, in any order: many may be equal."""
    if len(columns) <= k:
        return columns
    values = scores[columns]
    least = np.sort(values)[-k]
    equal, better = columns[values == least], columns[values > least]
    room = k - len(better)
    return np.concatenate([better, equal[np.argpartition(fame[equal], room - 1)[:room]]])


def _bounds(scores: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """Shape (n,): the k-th best of the best of many blocks; not above the k-th best of all."""
    blocks = max(4 * k, BLOCKS)
    size = scores.shape[1] // blocks
    if size < 2:
        return np.full(len(scores), OUT)
    parts = scores[:, : size * blocks].reshape(len(scores), size, blocks)
    best: NDArray[np.float32] = np.maximum.reduce(parts, axis=1)
    best.partition(blocks - k, axis=1)
    kth: NDArray[np.float32] = best[:, blocks - k]
    return kth
