"""The trained network in NumPy: serving needs no torch, and one history takes under a millisecond.

The same arithmetic as ``network.Network`` in evaluation; tested to be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Weights = Mapping[str, Floats]

EPSILON = np.float32(1e-5)
"""Of the layer norms, as in torch."""


def encoded(
    weights: Weights, items: NDArray[np.int64], lengths: NDArray[np.int64], heads: int
) -> Floats:
    """What the network makes of sequences: float32, shape (n, dim); zeros where one is empty.

    Args:
        weights: by the names of ``Network``'s parameters.
        items: shape (n, length), right-padded with any item; length at most that of positions.
        lengths: shape (n,).
        heads: of the attention.
    """
    embeddings = weights["items.weight"]
    n, width = items.shape
    if not width:
        return np.zeros((n, embeddings.shape[1]), dtype=np.float32)
    hidden = embeddings[items] * np.float32(np.sqrt(embeddings.shape[1]))
    hidden += weights["positions.weight"][:width]
    places = np.arange(width)
    unseen = places[None, :] > places[:, None]
    layers = sum(name.endswith(".together.weight") for name in weights)
    for layer in range(layers):
        hidden = _block(weights, f"blocks.{layer}", hidden, heads, unseen)
    last = hidden[np.arange(n), np.maximum(lengths - 1, 0)]
    found = _normed(weights, "norm", last)
    found[lengths == 0] = 0.0
    return found


def _block(
    weights: Weights, name: str, hidden: Floats, heads: int, unseen: NDArray[np.bool_]
) -> Floats:
    looked = _normed(weights, f"{name}.before", hidden)
    hidden = hidden + _attended(weights, name, looked, heads, unseen)
    inner = _linear(weights, f"{name}.up", _normed(weights, f"{name}.between", hidden))
    np.maximum(inner, 0.0, out=inner)
    return np.asarray(hidden + _linear(weights, f"{name}.down", inner))


def _attended(
    weights: Weights, name: str, hidden: Floats, heads: int, unseen: NDArray[np.bool_]
) -> Floats:
    n, width, dim = hidden.shape
    parts = _linear(weights, f"{name}.together", hidden).reshape(n, width, 3, heads, dim // heads)
    queries, keys, values = parts.transpose(2, 0, 3, 1, 4)
    looks = queries @ keys.swapaxes(-1, -2)
    looks *= np.float32(1.0 / np.sqrt(dim // heads))
    looks[..., unseen] = -np.inf
    looks -= looks.max(axis=-1, keepdims=True)
    np.exp(looks, out=looks)
    looks /= looks.sum(axis=-1, keepdims=True)
    mixed = (looks @ values).swapaxes(1, 2).reshape(n, width, dim)
    return np.asarray(_linear(weights, f"{name}.out", mixed))


def _linear(weights: Weights, name: str, hidden: Floats) -> Any:
    return hidden @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def _normed(weights: Weights, name: str, hidden: Floats) -> Floats:
    centred = hidden - hidden.mean(axis=-1, keepdims=True)
    scale = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + EPSILON)
    return np.asarray(centred / scale * weights[f"{name}.weight"] + weights[f"{name}.bias"])
