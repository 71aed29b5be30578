"""How often somebody may ask, in a minute.

Each worker counts by itself; where ``access.limits`` names a Redis, all of them count together
too (``flyball.access.shared``). A limit that each worker counts by itself is not divided by their
number: a client on one open connection is served by one worker, and would get a part of what it
was promised. Without Redis all workers together let through up to their number times the limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Protocol

from flyball.access.windows import MINUTE_S, PerMinute, Windows
from flyball.errors import TooManyRequests

LEAST_WAIT_S = 1.0
SITE_BITS = 64
"""Of an IPv6 address, what one customer holds: he may use every address that begins so."""


class Elsewhere(Protocol):
    """Counts shared with other workers."""

    def taken(self, item: PerMinute, key: str) -> float:
        """Count one more; 0.0 if it fits, else seconds until it may."""
        ...


class Limiter:
    """Limits by key. For one thread: the event loop's.

    Args:
        elsewhere: where the counts of all workers meet; None: nowhere.
        now: seconds since 1970.
    """

    def __init__(
        self, elsewhere: Elsewhere | None = None, *, now: Callable[[], float] = time.time
    ) -> None:
        self._windows = Windows(now)
        self._elsewhere = elsewhere
        self._items: dict[int, PerMinute] = {}

    def take(self, key: str, most: int, *, what: str, reason: str, subject: str = "nobody") -> None:
        """Count one more.

        Args:
            key: whose it is.
            most: so many a minute; 0: no limit.
            what: is counted, for the message: ``"requests of this client"``.
            reason, subject: see ``TooManyRequests``.

        Raises:
            TooManyRequests: it is more than that; it was not counted.
        """
        if not most:
            return
        item = self._items.get(most)
        if item is None:
            item = self._items[most] = PerMinute(most)
        # all that the strategy of ``limits`` does, without the calls on the way
        if not self._windows.acquire_sliding_window_entry(key, most, MINUTE_S):
            wait = self._windows.wait_s(key, most)
        elif self._elsewhere is None or not (wait := self._elsewhere.taken(item, key)):
            return
        wait = max(wait, LEAST_WAIT_S)
        raise TooManyRequests(
            f"more than {most:,} {what} in a minute; try again in {wait:.0f} s",
            retry_after_s=wait,
            reason=reason,
            subject=subject,
        )


@lru_cache(maxsize=4096)
def site_of(address: str) -> str:
    """Whom an address stands for: itself, or all of an IPv6 site; odd ones stand for themselves."""
    try:
        found = ip_address(address)
    except ValueError:
        return address[:100]
    if not isinstance(found, IPv6Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Network((int(found), SITE_BITS), strict=False))
