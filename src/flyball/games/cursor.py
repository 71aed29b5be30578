"""Cursors of pages that are ordered by id: the last id of a page, in letters fit for a URL."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error

from flyball.errors import InvalidRequest


def cursor_after(last_id: str) -> str:
    """The cursor of the page that follows one that ends with this id."""
    return urlsafe_b64encode(last_id.encode()).decode("ascii").rstrip("=")


def last_id(cursor: str) -> str:
    """The id that a page ended with.

    Raises:
        InvalidRequest: ``cursor_after`` could not have made this cursor.
    """
    try:
        found = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode()
    except (Base64Error, UnicodeError):
        found = ""
    if not found or cursor_after(found) != cursor:
        raise InvalidRequest(
            f"cursor {cursor[:80]!r} is not one of ours; pass back the cursor of the page before, "
            "or none for the first page"
        )
    return found
