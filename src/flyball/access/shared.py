"""Limits that all workers count together, in Redis.

The event loop asks Redis itself, so it asks seldom and never waits long: a worker tells what it
counted in steps of a twentieth of the limit (a limit under 40 is asked for each time, so is one
that was reached), and leaves Redis alone for some seconds once it did not answer in time. Meanwhile
each worker's own count holds. Redis is told no names, only digests of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog
from limits.errors import ConfigurationError as Missing
from limits.errors import StorageError
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from flyball.access.windows import MINUTE_S, MOST_KEYS, PerMinute
from flyball.errors import ConfigurationError

if TYPE_CHECKING:
    from redis.retry import Retry

STEPS = 20
"""A worker lets at most one part in so many of a limit through that others do not know of."""

ANSWER_S = 0.05
"""Redis answers within this, or is away."""

AWAY_S = 5.0
"""Seconds in which it is not asked again after that."""

LEAST_WAIT_S = 1.0
ATTEMPTS = 3
"""How often ``trouble`` asks before it says that there is no answer."""


class Shared:
    """Counts in Redis. For one thread: the event loop's.

    Args:
        url: of Redis.
        on_away: called for each request that could not be counted there.
        now: seconds since 1970.

    Raises:
        ConfigurationError: the client is not installed, or the URL is none.
    """

    def __init__(
        self,
        url: str,
        *,
        on_away: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._strategy = SlidingWindowCounterRateLimiter(_storage(url))
        self._on_away, self._now = on_away, now
        self._host = host_of(url)
        self._minute = 0
        self._untold: dict[str, int] = {}
        self._reached: set[str] = set()
        self._until: dict[str, float] = {}
        self._back_at = 0.0
        self._log = structlog.get_logger("flyball.access")

    def taken(self, item: PerMinute, key: str) -> float:
        """Count one more; 0.0 if it fits, else seconds until it may."""
        now = self._now()
        self._turn(now)
        if (left := self._until.get(key, 0.0) - now) > 0.0:
            return left
        count = self._untold.get(key, 0) + 1
        new = count == 1 and len(self._untold) >= MOST_KEYS  # asked for each time: nothing is kept
        step = 1 if new or key in self._reached else max(1, item.amount // STEPS)
        if count < step:
            self._untold[key] = count
            return 0.0
        return self._told(item, key, count, now)

    def _told(self, item: PerMinute, key: str, count: int, now: float) -> float:
        """Tell Redis of so many."""
        if now < self._back_at:
            self._on_away()
            return 0.0
        self._untold.pop(key, None)
        name = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        try:
            if self._strategy.hit(item, name, cost=count):
                self._answered()
                return 0.0
            stats = self._strategy.get_window_stats(item, name)
        except StorageError as error:
            self._away(str(error), now)
            return 0.0
        self._answered()
        self._reached.add(key)
        wait = max(LEAST_WAIT_S, stats.reset_time - time.time())
        self._until[key] = now + wait
        return wait

    def _turn(self, now: float) -> None:
        """A minute later what was noted of keys is of no use; memory stays bounded."""
        if (minute := int(now // MINUTE_S)) != self._minute:
            self._minute = minute
            self._untold.clear()
            self._reached.clear()
            self._until = {key: until for key, until in self._until.items() if until > now}

    def _away(self, reason: str, now: float) -> None:
        if not self._back_at:
            self._log.warning(
                "Redis is away; until it is back each worker counts limits by itself",
                redis=self._host,
                reason=reason,
            )
        self._back_at = now + AWAY_S
        self._on_away()

    def _answered(self) -> None:
        if self._back_at:
            self._log.info("Redis is back", redis=self._host)
        self._back_at = 0.0


def host_of(url: str) -> str:
    """What messages call a Redis. Never the URL: it may hold a password."""
    return urlsplit(url).hostname or "a socket"


def trouble(url: str) -> str:
    """Why a Redis cannot count; empty where it answers as fast as a worker wants it to.

    The first answer may take longer: the connection is made for it.

    Raises:
        ConfigurationError: the client is not installed, or the URL is none.
    """
    from redis.exceptions import RedisError

    storage, reason = _storage(url), ""
    for _ in range(ATTEMPTS):
        try:
            storage.storage.ping()
        except RedisError as error:
            reason = str(error) or type(error).__name__
        else:
            return ""
    return reason


def _storage(url: str) -> RedisStorage:
    options: dict[str, Any] = {"socket_timeout": ANSWER_S, "socket_connect_timeout": ANSWER_S}
    try:
        options["retry"] = _no_retry()
        return RedisStorage(url, key_prefix="flyball", wrap_exceptions=True, **options)
    except (Missing, ImportError) as error:
        raise ConfigurationError(
            "access.limits names a Redis, and its client is not installed: "
            "pip install 'flyball[redis]'"
        ) from error
    except ValueError as error:
        raise ConfigurationError(f"access.limits is no URL of a Redis: {error}") from None


def _no_retry() -> Retry:
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return Retry(NoBackoff(), 0)
