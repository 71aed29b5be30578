"""Model arrays on disk: plain ``.npy``, mapped read-only, never pickled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flyball.errors import ArtifactCorrupt, StorageUnavailable

PAGE = 4096
"""Bytes that are read from disk at a time, at least."""


def write_array(directory: Path, name: str, array: NDArray[Any]) -> None:
    """Write ``array`` as ``directory/name.npy``.

    Raises:
        StorageUnavailable: the disk refused it.
    """
    with _writing(directory, name) as path:
        np.save(path, array, allow_pickle=False)


def write_rows(
    directory: Path, name: str, rows: Iterable[NDArray[Any]], shape: tuple[int, ...]
) -> None:
    """Write what would be too large to have in memory twice, some rows at a time.

    Args:
        rows: float32, row-major, parts of an array of this shape, in order.

    Raises:
        StorageUnavailable: the disk refused it.
    """
    header = {"descr": np.dtype(np.float32).str, "fortran_order": False, "shape": shape}
    with _writing(directory, name) as path, path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for part in rows:
            file.write(np.ascontiguousarray(part).data)


@contextmanager
def _writing(directory: Path, name: str) -> Iterator[Path]:
    path = directory / f"{name}.npy"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        yield path
    except OSError as error:
        raise StorageUnavailable(
            f"cannot write {path}: {error}; free some space or choose a writable home"
        ) from error


def open_array(
    directory: Path, name: str, *, ndim: int, dtype: type[np.generic] = np.float32
) -> NDArray[Any]:
    """The array ``directory/name.npy``, mapped from disk and read-only.

    All of its pages are touched, so that no answer waits for the disk later.

    Raises:
        ArtifactCorrupt: the file is missing, truncated, pickled, or not of that type and number of
            dimensions in row-major order.
    """
    path = directory / f"{name}.npy"
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ArtifactCorrupt(
            f"{path} cannot be read: {error}; restore the artifact or train again"
        ) from error
    array = np.asarray(mapped)  # a plain view: indexing a memmap costs more on the hot path
    if array.dtype != dtype or array.ndim != ndim or not array.flags.c_contiguous:
        raise ArtifactCorrupt(
            f"{path} holds {array.dtype} of shape {array.shape}, expected row-major "
            f"{np.dtype(dtype)} with {ndim} dimension(s); restore the artifact or train again"
        )
    if array.size:
        array.reshape(-1).view(np.uint8)[::PAGE].max()
    return array
