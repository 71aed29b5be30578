"""As much of Thrift's compact protocol as Parquet's metadata needs: structs of numbers and lists.

(Thrift compact protocol encoding: "Struct encoding", "List and set", "Binary".)
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

Value = int | float | bytes | list["Value"] | Mapping[int, "Value"]

_STOP, _TRUE, _FALSE, _BYTE, _I64, _DOUBLE, _BINARY = 0, 1, 2, 3, 6, 7, 8
_LIST, _SET, _STRUCT = 9, 10, 12
_DEEPEST = 16
"""Parquet's own structs lie at most eight deep."""


@dataclass(slots=True)
class Compact:
    """Reads the struct that begins at a place of some bytes; ``at`` is then the place after it.

    Its methods raise IndexError where the bytes end too soon, ValueError for what no writer writes.
    """

    data: bytes
    at: int = 0

    def fields(self, depth: int = 0) -> dict[int, Value]:
        """The struct's fields, by number."""
        if depth > _DEEPEST:
            raise ValueError("its metadata is nested too deeply")
        found: dict[int, Value] = {}
        field = 0
        while head := self._byte():
            field = field + (head >> 4) if head >> 4 else self._number()
            kind = head & 15
            found[field] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)
        return found

    def _value(self, kind: int, depth: int) -> Value:
        if _BYTE < kind <= _I64:
            return self._number()
        if kind == _BINARY:
            return self._bytes(self._varint())
        if kind == _STRUCT:
            return self.fields(depth + 1)
        if kind in (_LIST, _SET):
            return self._list(depth + 1)
        if kind in (_TRUE, _FALSE, _BYTE):  # a truth is a byte where it is an item
            return self._byte()
        if kind == _DOUBLE:
            return float(struct.unpack("<d", self._bytes(8))[0])
        raise ValueError(f"its metadata has a field of the unknown type {kind}")

    def _list(self, depth: int) -> list[Value]:
        if depth > _DEEPEST:
            raise ValueError("its metadata is nested too deeply")
        head = self._byte()
        count = head >> 4 if head >> 4 < 15 else self._varint()
        return [self._value(head & 15, depth) for _ in range(count)]

    def _bytes(self, size: int) -> bytes:
        found = self.data[self.at : self.at + size]
        if len(found) < size:
            raise IndexError
        self.at += size
        return found

    def _byte(self) -> int:
        byte = self.data[self.at]
        self.at += 1
        return byte

    def _number(self) -> int:
        spelt = self._varint()
        return (spelt >> 1) ^ -(spelt & 1)

    def _varint(self) -> int:
        number = shift = 0
        while (byte := self._byte()) & 128:
            number |= (byte & 127) << shift
            shift += 7
            if shift > 63:
                raise ValueError("its metadata has a number without an end")
        return number | byte << shift
