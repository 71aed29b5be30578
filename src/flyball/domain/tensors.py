"""Tensors as the Open Inference Protocol has them: named, typed, shaped, flat.

Source: KServe, "Open Inference Protocol (V2)", inference_rest.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from flyball.errors import InvalidRequest


class Datatype(StrEnum):
    """What the elements of a tensor are. ``BYTES`` are texts here, as JSON has no bytes."""

    BOOL = "BOOL"
    UINT8 = "UINT8"
    UINT16 = "UINT16"
    UINT32 = "UINT32"
    UINT64 = "UINT64"
    INT8 = "INT8"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    FP16 = "FP16"
    FP32 = "FP32"
    FP64 = "FP64"
    BYTES = "BYTES"

    def holds(self, value: Any) -> bool:
        """Whether a value of JSON is such an element."""
        if self is Datatype.BYTES:
            return isinstance(value, str)
        if isinstance(value, bool) or self is Datatype.BOOL:
            return isinstance(value, bool) and self is Datatype.BOOL
        if self in _LARGEST:
            return isinstance(value, int | float) and abs(value) <= _LARGEST[self]
        if not isinstance(value, int):
            return False
        signed, bits = self.startswith("INT"), int(self.lstrip("UINT"))
        low, high = (-(1 << bits - 1), 1 << bits - 1) if signed else (0, 1 << bits)
        return low <= value < high


_LARGEST = {Datatype.FP16: 65504.0, Datatype.FP32: 3.4028234663852886e38, Datatype.FP64: math.inf}


MOST_DIMENSIONS, LARGEST = 16, 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A tensor.

    Attributes:
        shape: sizes of its dimensions.
        data: the elements, row by row; as many as the shape says.

    Raises:
        InvalidRequest: a size is below 0, or the elements are not so many or not such.
    """

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    data: Sequence[Any]

    def __post_init__(self) -> None:
        # first of all: the product of many large sizes would take minutes
        if len(self.shape) > MOST_DIMENSIONS or any(not 0 <= n <= LARGEST for n in self.shape):
            raise InvalidRequest(
                f"tensor {self.name!r}: a shape has at most {MOST_DIMENSIONS} sizes, each from 0 "
                f"to {LARGEST}"
            )
        size = math.prod(self.shape)
        if size != len(self.data):
            raise InvalidRequest(
                f"tensor {self.name!r} holds {len(self.data)} elements; its shape "
                f"{list(self.shape)} says {size}"
            )
        for index, value in enumerate(self.data):
            if not self.datatype.holds(value):
                raise InvalidRequest(f"tensor {self.name!r}: element {index} is no {self.datatype}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """What a model takes or gives.

    Attributes:
        shape: sizes of its dimensions; -1 where any will do.
        optional: may be left out; of inputs only.
    """

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    optional: bool = False

    def check(self, tensor: Tensor) -> None:
        """Whether a tensor is such a one.

        Raises:
            InvalidRequest: it is of another type or shape.
        """
        if tensor.datatype is not self.datatype:
            raise InvalidRequest(
                f"input {self.name!r} is {tensor.datatype}; send it as {self.datatype}"
            )
        fits = len(tensor.shape) == len(self.shape) and all(
            wanted in (-1, size) for wanted, size in zip(self.shape, tensor.shape, strict=True)
        )
        if not fits:
            raise InvalidRequest(
                f"input {self.name!r} has the shape {list(tensor.shape)}; send {list(self.shape)}, "
                "where -1 is any size"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a model takes and gives.

    Attributes:
        platform: what it is, for example ``"flyball_games"``.
    """

    platform: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What a model gave.

    Attributes:
        tensors: by the names of its signature's outputs.
        version: that answered; empty where several did.
    """

    tensors: Sequence[Tensor] = field(default_factory=tuple)
    version: str = ""


def flattened(data: Any, depth: int) -> list[Any]:
    """Elements of lists that are nested at most so deep, row by row.

    Raises:
        InvalidRequest: they are nested deeper.
    """
    flat = data
    for _ in range(depth - 1):
        if not any(isinstance(value, list) for value in flat):
            return list(flat)
        if not all(isinstance(value, list) for value in flat):
            raise InvalidRequest("the data holds both lists and elements; nest all of it or none")
        flat = [value for inner in flat for value in inner]
    return list(flat)
