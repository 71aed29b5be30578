"""Kinds of users and items: names and masks, to judge a model on each (``segments``)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flyball.errors import InvalidRequest

Mask = NDArray[np.bool_]


def activity(lengths: ArrayLike, groups: int = 4) -> dict[str, Mask]:
    """Users by how many items they have: about equally many in each group.

    Args:
        lengths: shape (n,), whole numbers.
        groups: how many, at most; fewer where many users have equally many items.

    Raises:
        InvalidRequest: ``groups`` is below 1.
    """
    if groups < 1:
        raise InvalidRequest(f"{groups} groups of users are none; ask for at least 1")
    counts = np.asarray(lengths, dtype=np.int64)
    if not len(counts):
        return {}
    shares = np.arange(1, groups) / groups
    codes = np.searchsorted(np.unique(np.quantile(counts, shares, method="lower")), counts)
    masks: dict[str, Mask] = {}
    for code in np.unique(codes):
        mask = codes == code
        low, high = int(counts[mask].min()), int(counts[mask].max())
        masks[f"{low} to {high} items" if low < high else f"exactly {low}"] = mask
    return masks


def bands(values: ArrayLike, edges: Sequence[float]) -> dict[str, Mask]:
    """Items (or users) by a number such as a price; NaN has a band of its own, ``unknown``.

    Args:
        values: shape (n,).
        edges: rising; each starts a band: ``below 5``, ``5 to 20``, ``20 and more``.

    Raises:
        InvalidRequest: the edges do not rise, or there are none.
    """
    if not edges or any(a >= b for a, b in pairwise(edges)):
        raise InvalidRequest(f"the edges of bands must rise strictly, not {list(edges)}")
    numbers = np.asarray(values, dtype=np.float64)
    inner = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    names = [f"below {edges[0]:g}", *inner, f"{edges[-1]:g} and more"]
    unknown = np.isnan(numbers)
    codes = np.searchsorted(np.asarray(edges), numbers, side="right")
    masks = {name: (codes == code) & ~unknown for code, name in enumerate(names)}
    return {name: mask for name, mask in (masks | {"unknown": unknown}).items() if mask.any()}
