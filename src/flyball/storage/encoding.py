"""Values as JSON text and back, by their types alone: no field is named here, so none is lost."""

from __future__ import annotations

import json
from typing import TypeVar

import msgspec

from flyball.domain.canonical import ordered_json
from flyball.errors import ArtifactCorrupt

T = TypeVar("T")


def encoded(value: object) -> str:
    """``value`` (a dataclass of the domain) as JSON; mappings keep their order.

    Raises:
        InvalidRequest: a number that is not finite, or text that is not Unicode.
    """
    return ordered_json(value).decode()


def decoded(kind: type[T], body: str, *, what: str) -> T:
    """The value of ``kind`` that ``encoded`` wrote.

    Args:
        what: names the value in an error, for example ``"version games/1.0.0-..."``.

    Raises:
        ArtifactCorrupt: the text is not JSON, or no such value.
    """
    try:
        return msgspec.convert(json.loads(body), kind)
    except (ValueError, msgspec.ValidationError) as error:
        raise ArtifactCorrupt(
            f"the stored {what} is damaged ({error}); restore the database from a backup"
        ) from error


def settled(value: T) -> T:
    """``value`` as it will be read back: a whole number in a field for floats is a float there.

    Digests are taken of this form, so that what was written and what was read have the same.
    """
    return decoded(type(value), encoded(value), what=type(value).__name__)
