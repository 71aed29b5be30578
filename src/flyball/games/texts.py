"""Many texts that cost a process no memory of its own: lines of a file that is mapped from disk.

Python's strings take some 75 bytes each, in every process. Here a text is made when it is asked
for; processes share the file's pages.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self, overload

import numpy as np
from numpy.typing import NDArray

from flyball.errors import ArtifactCorrupt, StorageUnavailable
from flyball.recommend.arrays import open_array, write_array

AFTER_ALL = chr(0x10FFFF)


class Texts(Sequence[str]):
    """Texts by place. Immutable: any number of threads may ask at a time.

    Args:
        data: uint8, their UTF-8, a line feed after each.
        starts: int64, shape (n + 1,): where each line begins, and where the last one ends.
    """

    def __init__(self, data: NDArray[np.uint8], starts: NDArray[np.int64]) -> None:
        self._data, self._starts = data, starts

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """In memory; line feeds within a text become spaces."""
        lines = [_encoded(text) + b"\n" for text in texts]
        starts = np.cumsum([0, *map(len, lines)], dtype=np.int64)
        return cls(np.frombuffer(b"".join(lines), dtype=np.uint8), starts)

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        return self.raw(place).decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        return map(self.__getitem__, range(len(self)))

    def raw(self, place: int) -> bytes:
        """One text in UTF-8."""
        if place < 0:
            place += len(self)
        if not 0 <= place < len(self):
            raise IndexError(f"there is no text {place} of {len(self)}")
        return self._data[self._starts[place] : self._starts[place + 1] - 1].tobytes()

    def together(self, first: int, last: int) -> list[str]:
        """The texts from ``first`` to before ``last``; much quicker than one by one."""
        part = self._data[self._starts[first] : self._starts[last]].tobytes()
        return part.decode("utf-8", "surrogatepass").split("\n")[:-1]

    def holding(self, part: str, first: int = 0) -> Iterator[int]:
        """The places, rising from ``first``, of the texts that hold ``part``."""
        position = int(self._starts[min(first, len(self))])
        pattern = re.compile(re.escape(_encoded(part)))
        while (found := pattern.search(self._data.data, position)) is not None:
            place = int(self._starts.searchsorted(found.start(), side="right")) - 1
            if found.end() < self._starts[place + 1]:  # not over the end of the line
                yield place
            position = int(self._starts[place + 1])

    def save(self, directory: Path, name: str) -> None:
        """Write the file ``name``, such as ``"titles.txt"``, and ``titles_starts.npy``.

        Raises:
            StorageUnavailable: the disk refused it.
        """
        path = directory / name
        write_array(directory, f"{path.stem}_starts", self._starts)
        try:
            path.write_bytes(self._data.tobytes())
        except OSError as error:
            raise StorageUnavailable(f"cannot write {path}: {error}; free some space") from error

    @classmethod
    def load(cls, directory: Path, name: str) -> Self:
        """Open what ``save`` wrote, mapped from disk.

        Raises:
            ArtifactCorrupt: a file is missing or damaged, or the two do not fit each other.
        """
        path = directory / name
        starts = open_array(directory, f"{path.stem}_starts", ndim=1, dtype=np.int64)
        try:
            empty = path.stat().st_size == 0
            data = np.asarray(np.memmap(path, np.uint8, mode="r")) if not empty else _NOTHING
        except (OSError, ValueError) as error:
            raise ArtifactCorrupt(
                f"{path} cannot be read: {error}; restore the artifact or train again"
            ) from error
        rises = bool(len(starts)) and starts[0] == 0 and bool((np.diff(starts) > 0).all())
        if not rises or starts[-1] != len(data) or not (data[starts[1:] - 1] == _LINE_FEED).all():
            raise ArtifactCorrupt(
                f"{path} does not fit {path.stem}_starts.npy; restore the artifact or train again"
            )
        return cls(data, starts)


class SortedTexts:
    """Texts that are found by how they begin.

    Args:
        texts: in any order.
        order: int32, shape (n,): the places of the texts, by rising text; equal ones by place.
    """

    def __init__(self, texts: Texts, order: NDArray[np.int32]) -> None:
        self.texts, self._order = texts, order

    @classmethod
    def of(cls, texts: Texts) -> Self:
        """Sort them."""
        order = sorted(range(len(texts)), key=list(texts).__getitem__)
        return cls(texts, np.array(order, dtype=np.int32))

    def begun(self, prefix: str) -> NDArray[np.int32]:
        """The places of the texts that begin so."""
        first = self._rank(prefix)
        return self._order[first : self._rank(prefix + AFTER_ALL, first)]

    def equal(self, text: str) -> NDArray[np.int32]:
        """The places of this very text, rising."""
        first = last = self._rank(text)
        while last < len(self._order) and self.texts[int(self._order[last])] == text:
            last += 1
        return self._order[first:last]

    def save(self, directory: Path, name: str) -> None:
        """Write ``<name>.txt``, ``<name>_starts.npy`` and ``<name>_order.npy``.

        Raises:
            StorageUnavailable: the disk refused it.
        """
        self.texts.save(directory, f"{name}.txt")
        write_array(directory, f"{name}_order", self._order)

    @classmethod
    def load(cls, directory: Path, name: str) -> Self:
        """Open what ``save`` wrote, mapped from disk.

        Raises:
            ArtifactCorrupt: a file is missing or damaged, or they do not fit each other.
        """
        texts = Texts.load(directory, f"{name}.txt")
        order = open_array(directory, f"{name}_order", ndim=1, dtype=np.int32)
        within = not len(order) or 0 <= order.min() <= order.max() < len(texts)
        if len(order) != len(texts) or not within:
            raise ArtifactCorrupt(
                f"{directory / name}_order.npy does not fit its texts; restore the artifact or "
                "train again"
            )
        return cls(texts, order)

    def _rank(self, text: str, first: int = 0) -> int:
        """How many of the texts come before this one."""
        return bisect_left(range(len(self._order)), text, first, key=self._ranked)

    def _ranked(self, rank: int) -> str:
        return self.texts[int(self._order[rank])]


_NOTHING = np.empty(0, dtype=np.uint8)
_LINE_FEED = 10


def _encoded(text: str) -> bytes:
    return text.replace("\n", " ").encode("utf-8", "surrogatepass")
