"""The artifact: weights as safetensors, and the few numbers that say how to read them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flyball.errors import ArtifactCorrupt
from flyball.recommend.sasrec.extra import required
from flyball.recommend.sasrec.keeping import write_safely

WEIGHTS = "weights.safetensors"
ABOUT = "sasrec.json"
KNOWN = "known"
AT_LEAST_ONE = ("heads", "max_len", "n_trends")
COUNTS = ("epochs", "heads", "max_len", "n_items", "n_trends", "n_users")


def write(
    directory: Path,
    weights: Mapping[str, NDArray[np.float32]],
    known: NDArray[np.int32],
    about: Mapping[str, Any],
) -> None:
    """Write both files.

    Raises:
        StorageUnavailable: the disk refused it.
    """
    whole = {name: np.ascontiguousarray(part) for name, part in weights.items()}
    write_safely(directory / WEIGHTS, required("safetensors.numpy").save({**whole, KNOWN: known}))
    write_safely(directory / ABOUT, json.dumps(dict(about), indent=2, sort_keys=True).encode())


def read(
    directory: Path,
) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.int32], dict[str, Any]]:
    """Weights by name, the indices of the known items, and the numbers.

    Raises:
        ArtifactCorrupt: a file is missing or damaged, or they do not fit each other.
        ConfigurationError: safetensors is not installed.
    """
    numpy, errors = required("safetensors.numpy"), required("safetensors")
    try:
        about = json.loads((directory / ABOUT).read_text(encoding="utf-8"))
        weights = numpy.load_file(directory / WEIGHTS)
    except (OSError, ValueError, errors.SafetensorError) as error:
        raise _corrupt(directory, f"a file cannot be read: {error}") from error
    known = weights.pop(KNOWN, None)
    _check_numbers(directory, about)
    if known is None or known.dtype != np.int32 or known.ndim != 1:
        raise _corrupt(directory, "its weights do not say which items they are of")
    _check_shapes(directory, weights, about, len(known))
    bounded = len(known) and known[0] >= 0 and known[-1] < about["n_items"]
    if not bounded or (np.diff(known) <= 0).any():
        raise _corrupt(directory, "the items of its weights are not among its items")
    return weights, known, about


def _check_numbers(directory: Path, about: Any) -> None:
    whole = isinstance(about, dict) and all(
        isinstance(about.get(name), int) and about[name] >= (name in AT_LEAST_ONE)
        for name in COUNTS
    )
    if not whole or not isinstance(about.get("smoothing"), float) or not about["smoothing"] > 0:
        raise _corrupt(directory, f"{ABOUT} lacks a number or has a wrong one")


def _check_shapes(
    directory: Path, weights: Mapping[str, NDArray[Any]], about: Mapping[str, Any], n_known: int
) -> None:
    """That the weights are those of a whole network."""
    dim = weights["items.weight"].shape[-1] if "items.weight" in weights else 0
    layers = sum(name.endswith(".together.weight") for name in weights)
    expected: dict[str, tuple[int, ...]] = {
        "items.weight": (n_known, dim),
        "positions.weight": (about["max_len"], dim),
        "norm.weight": (dim,),
        "norm.bias": (dim,),
        "trend": (about["n_trends"],),
    }
    for layer in range(layers):
        for name, (out, into) in {
            "together": (3 * dim, dim),
            "out": (dim, dim),
            "up": (2 * dim, dim),
            "down": (dim, 2 * dim),
        }.items():
            expected[f"blocks.{layer}.{name}.weight"] = (out, into)
            expected[f"blocks.{layer}.{name}.bias"] = (out,)
        for name in ("before", "between"):
            expected[f"blocks.{layer}.{name}.weight"] = (dim,)
            expected[f"blocks.{layer}.{name}.bias"] = (dim,)
    found = {name: part.shape for name, part in weights.items()}
    if found != expected or not dim or not layers or dim % about["heads"]:
        raise _corrupt(directory, "its weights have other names or shapes than a network's")
    for name, part in weights.items():
        if part.dtype != np.float32 or not np.isfinite(part).all():
            raise _corrupt(directory, f"its {name} is not of finite float32 numbers")


def _corrupt(directory: Path, why: str) -> ArtifactCorrupt:
    return ArtifactCorrupt(
        f"the sasrec model in {directory} cannot be used: {why}; restore the artifact or train "
        "again"
    )
