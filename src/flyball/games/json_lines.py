"""Values that are read when they are asked for: a line of JSON each, in a mapped file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar, overload

import msgspec

from flyball.errors import ArtifactCorrupt
from flyball.games.texts import Texts

T = TypeVar("T")


class JsonLines(Sequence[T], Generic[T]):
    """Immutable: any number of threads may ask at a time.

    Args:
        lines: the JSON.
        kind: what each line holds.
        name: of the file, for errors.
    """

    def __init__(self, lines: Texts, kind: type[T], name: str) -> None:
        self._lines, self._name = lines, name
        self._decoder = msgspec.json.Decoder(kind)

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> list[T]: ...
    def __getitem__(self, place: int | slice) -> T | list[T]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        try:
            return self._decoder.decode(self._lines.raw(place))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ArtifactCorrupt(
                f"line {place + 1} of {self._name} cannot be read ({error}); restore the artifact "
                "or train again"
            ) from error
