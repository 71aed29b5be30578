"""Game ids and columns, from a sorted array that is mapped from disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from flyball.errors import ArtifactCorrupt

REMEMBERED = 8192
"""Texts that were asked for lately and are kept; those of most answers."""


class Ids(Sequence[str]):
    """The game id of each column. Immutable: any number of threads may ask at a time.

    Args:
        keys: shape (n,), ids in UTF-8, sorted, fixed-width.

    Attributes:
        keys: as given.
        of: the id of one column; for the hot path.
    """

    def __init__(self, keys: NDArray[np.bytes_]) -> None:
        self.keys = keys
        # of a function, not of a method: nothing refers to itself and outlives its use
        self.of = lru_cache(maxsize=REMEMBERED)(partial(_id_of, keys))

    def __len__(self) -> int:
        return len(self.keys)

    @overload
    def __getitem__(self, column: int) -> str: ...
    @overload
    def __getitem__(self, column: slice) -> list[str]: ...
    def __getitem__(self, column: int | slice) -> str | list[str]:
        if isinstance(column, slice):
            return [key.decode() for key in self.keys[column].tolist()]
        return _id_of(self.keys, column)

    def __iter__(self) -> Iterator[str]:
        return map(partial(_id_of, self.keys), range(len(self.keys)))

    def column(self, game_id: str) -> int | None:
        """The column of a game; None where there is no such game."""
        key = self._key(game_id)
        if key is None:
            return None
        column = int(self.keys.searchsorted(key))
        return column if column < len(self.keys) and self.keys[column] == key else None

    def columns(self, game_ids: Iterable[str]) -> NDArray[np.int64]:
        """The columns of those of these games that there are, in this order."""
        known = [key for game_id in game_ids if (key := self._key(game_id)) is not None]
        keys = np.array(known, dtype=self.keys.dtype)
        columns = self.keys.searchsorted(keys)
        found: NDArray[np.int64] = columns[self.keys.take(columns, mode="clip") == keys]
        return found

    def _key(self, game_id: str) -> bytes | None:
        """As it would stand in the array; None for what can't be there.

        A longer key would make NumPy copy the whole array to widen it; one with a zero byte at its
        end would equal one without.
        """
        key = game_id.encode("utf-8", "surrogatepass")
        return key if 0 < len(key) <= self.keys.dtype.itemsize and b"\0" not in key else None


class Columns(Mapping[str, int]):
    """The column of each game id; the other way round.

    Args:
        ids: of the columns.
    """

    def __init__(self, ids: Ids) -> None:
        self._ids = ids

    def __getitem__(self, game_id: str) -> int:
        column = self._ids.column(game_id)
        if column is None:
            raise KeyError(game_id)
        return column

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)


def _id_of(keys: NDArray[np.bytes_], column: int) -> str:
    found: str = keys[column].decode()
    return found


def sorted_keys(ids: Iterable[str]) -> NDArray[np.bytes_]:
    """The array of ids that rise already: UTF-8 keeps the order of code points."""
    return np.array([game_id.encode("utf-8", "surrogatepass") for game_id in ids], dtype=np.bytes_)


def open_keys(directory: Path, name: str) -> NDArray[np.bytes_]:
    """The array ``directory/name.npy`` of such keys, mapped from disk.

    Raises:
        ArtifactCorrupt: the file is missing or damaged, or its keys do not rise.
    """
    path = directory / f"{name}.npy"
    try:
        keys = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise ArtifactCorrupt(
            f"{path} cannot be read: {error}; restore the artifact or train again"
        ) from error
    if keys.dtype.kind != "S" or keys.ndim != 1 or not (keys[:-1] < keys[1:]).all():
        raise ArtifactCorrupt(
            f"{path} holds {keys.dtype} of shape {keys.shape}, not texts that rise; restore the "
            "artifact or train again"
        )
    return keys
