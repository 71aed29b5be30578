"""Ids for events: unique without asking anybody, and rising with time."""

from __future__ import annotations

import os
import time
from uuid import UUID


def new_event_id() -> str:
    """A UUID of version 7 (RFC 9562, 5.7): 48 bits of milliseconds since 1970, then 74 random bits.

    Ids that rise with time are stored side by side, which is several times quicker for a database
    than ids at random.
    """
    milliseconds = time.time_ns() // 1_000_000
    drawn = int.from_bytes(os.urandom(10), "big")
    version, variant = 7 << 76, 2 << 62
    low = drawn & ((1 << 62) - 1)
    middle = (drawn >> 62) & ((1 << 12) - 1)
    return str(UUID(int=(milliseconds << 80) | version | (middle << 64) | variant | low))
