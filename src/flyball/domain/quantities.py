"""Durations and sizes as people write them."""

from __future__ import annotations

import re
from datetime import timedelta

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration(value: object) -> timedelta:
    """``"90s"``, ``"15m"``, ``"24h"``, ``"2d"`` or a number of seconds.

    Raises:
        ValueError: it is none of these, or longer than any duration can be.
    """
    if isinstance(value, timedelta):
        return value
    text = str(value) if isinstance(value, str | int | float) else ""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd])?\s*", text)
    if found is None:
        raise ValueError("not a duration; write for example '90s', '15m', '24h' or '2d'")
    try:
        return timedelta(seconds=float(found[1]) * _SECONDS[found[2] or "s"])
    except OverflowError:
        raise ValueError("longer than any duration can be") from None


def size(value: object) -> int:
    """``"800MiB"``, ``"2GiB"``, ``"512kB"`` or a number of bytes, in bytes.

    Raises:
        ValueError: it is none of these.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kKMGT]?)(i?)B?\s*", str(value))
    if found is None or isinstance(value, bool):
        raise ValueError("not a size; write for example '800MiB', '2GiB' or a number of bytes")
    power = " KMGT".index(found[2].upper() or " ")
    return int(float(found[1]) * (1024 if found[3] else 1000) ** power)
