"""As much of FlatBuffers as the messages of Arrow need: fields of tables, vectors of structs.

(FlatBuffers internals, "Tables", "Unions" and "Vectors".)
"""

from __future__ import annotations

import struct
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """A table in some bytes, at a place. Its methods raise struct.error where they point out."""

    data: bytes
    at: int

    @classmethod
    def root(cls, data: bytes) -> Table:
        """The table that a message is."""
        return cls(data, struct.unpack_from("<I", data, 0)[0])

    def number(self, field: int, form: str) -> int:
        """A number of a table; 0 where it is left out."""
        place = self._place(field)
        return int(struct.unpack_from(form, self.data, place)[0]) if place else 0

    def table(self, field: int) -> Table | None:
        """A table of a table; None where it is left out."""
        place = self._place(field)
        return Table(self.data, self._pointed(place)) if place else None

    def structs(self, field: int, form: str) -> list[tuple[int, ...]]:
        """A vector of structs of numbers; empty where it is left out."""
        place = self._place(field)
        if not place:
            return []
        start = self._pointed(place)
        count = struct.unpack_from("<I", self.data, start)[0]
        end = start + 4 + struct.calcsize(form) * count
        if end > len(self.data):
            raise struct.error("a vector longer than its message")
        return list(struct.iter_unpack(form, self.data[start + 4 : end]))

    def _pointed(self, place: int) -> int:
        return int(place + struct.unpack_from("<I", self.data, place)[0])

    def _place(self, field: int) -> int:
        fields = self.at - struct.unpack_from("<i", self.data, self.at)[0]
        if fields < 0:
            raise struct.error("a table before its message")
        slot = 4 + 2 * field
        if slot + 2 > struct.unpack_from("<H", self.data, fields)[0]:
            return 0
        offset = struct.unpack_from("<H", self.data, fields + slot)[0]
        return int(self.at + offset) if offset else 0
