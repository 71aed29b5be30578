"""Counts of requests, kept in this process: a storage for the package ``limits``.

The package's own ``MemoryStorage`` starts a thread every 10 ms while there are requests, and looks
at every key it knows in it: with a limit for each user that would be the server's main work. Here
the counts of two minutes lie in two dicts, which change places when a minute ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import floor

from limits import RateLimitItemPerMinute
from limits.storage import SlidingWindowCounterSupport, Storage

MINUTE_S = 60
MOST_KEYS = 250_000
"""Keys counted in one minute; more are let in uncounted, so that memory has a bound."""


class PerMinute(RateLimitItemPerMinute):
    """So many a minute, under a key that is taken as it is."""

    def key_for(self, *identifiers: bytes | str | int | float) -> str:
        """The first identifier."""
        return str(identifiers[0])


class Windows(Storage, SlidingWindowCounterSupport):
    """Counts per minute. For one thread.

    Limits are of sliding minutes, estimated as ``limits`` does: what was counted in the minute
    before weighs as much as its share of the last 60 s.

    Args:
        now: seconds since 1970.
    """

    STORAGE_SCHEME = ["flyball-windows"]  # noqa: RUF012 - as the package declares it

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._now = now
        self._minute = 0
        self._current: dict[str, int] = {}
        self._previous: dict[str, int] = {}

    @property
    def base_exceptions(self) -> type[Exception]:
        """Of wrong arguments; nothing else can fail."""
        return ValueError

    def acquire_sliding_window_entry(
        self, key: str, limit: int, _expiry: int, amount: int = 1
    ) -> bool:
        """Count, unless that would be more than the limit."""
        passed = self._turned() / MINUTE_S
        count = self._current.get(key, 0) + amount
        if floor(self._previous.get(key, 0) * (1.0 - passed)) + count > limit:
            return False
        if count > amount or len(self._current) < MOST_KEYS:
            self._current[key] = count
        return True

    def wait_s(self, key: str, limit: int) -> float:
        """Seconds until one more fits."""
        passed = self._turned()
        before, now = self._previous.get(key, 0), self._current.get(key, 0)
        if now < limit:  # what is left of the minute before still weighs too much
            return max(0.0, (1.0 - (limit - now) / max(before, 1)) * MINUTE_S - passed)
        return MINUTE_S - passed + max(0.0, 1.0 - limit / now) * MINUTE_S

    def get_sliding_window(self, key: str, _expiry: int) -> tuple[int, float, int, float]:
        """Of the minute before and of this one: the count, and seconds until it weighs nothing."""
        left = MINUTE_S - self._turned()
        return self._previous.get(key, 0), left, self._current.get(key, 0), left + MINUTE_S

    def clear_sliding_window(self, key: str, _expiry: int) -> None:
        """Forget a key."""
        self.clear(key)

    def incr(self, key: str, _expiry: float, amount: int = 1) -> int:
        """Count without a limit; returns this minute's count."""
        self._turned()
        self._current[key] = self._current.get(key, 0) + amount
        return self._current[key]

    def get(self, key: str) -> int:
        """This minute's count."""
        self._turned()
        return self._current.get(key, 0)

    def get_expiry(self, _key: str) -> float:
        """When this minute ends."""
        self._turned()
        return float((self._minute + 1) * MINUTE_S)

    def check(self) -> bool:
        """It works."""
        return True

    def reset(self) -> int | None:
        """Forget everything; returns how many keys there were."""
        known = len(self._current.keys() | self._previous.keys())
        self._current, self._previous = {}, {}
        return known

    def clear(self, key: str) -> None:
        """Forget a key."""
        self._current.pop(key, None)
        self._previous.pop(key, None)

    def _turned(self) -> float:
        """Let the dicts change places if a minute has ended; seconds since this one began."""
        now = self._now()
        minute = int(now // MINUTE_S)
        if minute != self._minute:
            follows = minute == self._minute + 1
            self._previous = self._current if follows else {}
            self._current = {}
            self._minute = minute
        return now - minute * MINUTE_S
