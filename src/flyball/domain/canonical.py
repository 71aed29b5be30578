"""One spelling for a value: the same content gives the same bytes, and so the same digest."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from pathlib import PurePath
from typing import Any

from flyball.errors import InvalidRequest


def plain(value: Any) -> Any:
    """``value`` as JSON types: dataclasses become objects, enums their values, times ISO 8601,
    paths text.

    Raises:
        TypeError: a type that has no one spelling (sets, objects of unknown classes).
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, datetime | PurePath):
        return value.isoformat() if isinstance(value, datetime) else str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"{type(value).__name__} has no canonical spelling: {value!r}")


def canonical_json(value: Any) -> bytes:
    """Sorted keys, no spaces, UTF-8, no NaN: equal values give equal bytes.

    Raises:
        InvalidRequest: a number that is not finite, or text that is not Unicode; says what.
    """
    return _json(value, sort_keys=True)


def ordered_json(value: Any) -> bytes:
    """As ``canonical_json``, but mappings keep their order: for storing, not for comparing."""
    return _json(value, sort_keys=False)


def _json(value: Any, *, sort_keys: bool) -> bytes:
    try:
        return json.dumps(
            plain(value),
            sort_keys=sort_keys,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
        ).encode()
    except ValueError as error:
        what = type(value).__name__
        raise InvalidRequest(f"a {what} holds what cannot be stored: {error}") from None


def digest(value: Any) -> str:
    """The SHA-256, in hex, of the value's canonical JSON."""
    return hashlib.sha256(canonical_json(value)).hexdigest()
