"""Reading requests: whatever was sent is understood, or refused with a reason; never a crash."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from flyball.errors import InvalidRequest

S = TypeVar("S")
MOST_SAID = 300
"""Characters of a message: it may quote the name of a field, which may be megabytes long."""


def read(decoder: msgspec.json.Decoder[S], body: bytes | msgspec.Raw) -> S:
    """Decode JSON.

    Raises:
        InvalidRequest: it is not JSON, or not of that shape; says where.
    """
    try:
        return decoder.decode(body)
    except RecursionError as error:
        raise InvalidRequest("the JSON is nested too deeply; send a flat document") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _invalid(error) from error


def read_texts(type_: type[S], texts: Mapping[str, Any]) -> S:
    """Read path or query parameters, which are all text. Unknown ones are passed over.

    Raises:
        InvalidRequest: one does not fit; says which.
    """
    try:
        return msgspec.convert(texts, type_, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid(error) from error


def _invalid(error: Exception) -> InvalidRequest:
    said = str(error)
    if len(said) > MOST_SAID:
        said = f"{said[: MOST_SAID // 2]}...{said[-MOST_SAID // 2 :]}"  # its end says where
    return InvalidRequest(f"{said}; see /docs for what this endpoint takes")
