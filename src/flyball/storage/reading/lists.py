"""Lists of texts: as JSON, divided by semicolons, or of a typed file."""

from __future__ import annotations

import json
import math
from typing import Any

import polars as pl

_TEXTS = pl.List(pl.String())
_OF_TEXTS = r'^\[\s*(?:"(?:[^"\\]|\\["/bfnrt\\])*"\s*(?:,\s*"(?:[^"\\]|\\["/bfnrt\\])*"\s*)*)?\]$'
"""A JSON list of nothing but texts, without \\u: polars reads it as Python does."""


def texts_of(lists: pl.Series) -> pl.Series:
    """A typed file's lists, as lists of text."""
    values = [None if item is None else _texts_in(list(item)) for item in lists.to_list()]
    return pl.Series(lists.name, values, dtype=_TEXTS)


def lists_of(cells: pl.Series) -> pl.Series:
    """Cells as lists of text; null where there is none, or a part of one is no plain value.

    Texts lose the white space around them, and empty ones are left out.
    """
    if not cells.str.contains(_OF_TEXTS).all():
        values = [None if cell is None else _list_in(cell) for cell in cells.to_list()]
        return pl.Series(cells.name, values, dtype=_TEXTS)
    text = pl.element().str.strip_chars()
    stripped = pl.col(cells.name).str.json_decode(_TEXTS).list.eval(text.filter(text != ""))
    return cells.to_frame().select(stripped).to_series()


def _list_in(cell: str) -> list[str] | None:
    if not cell.startswith("["):
        return [part for part in (part.strip() for part in cell.split(";")) if part]
    try:
        items = json.loads(cell)
    except (ValueError, RecursionError):
        return None
    return _texts_in(items)


def _texts_in(items: list[Any]) -> list[str] | None:
    """The items as text; None where one is no plain value."""
    if any(isinstance(item, list | dict) for item in items):
        return None
    spelt = [_spelt(item) for item in items if item is not None]
    return [text for text in spelt if text] if _is_text("".join(spelt)) else None


def _spelt(item: object) -> str:
    if isinstance(item, float) and math.isnan(item):
        return ""
    text = json.dumps(item) if isinstance(item, bool | float) else str(item)
    return text.strip()


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
