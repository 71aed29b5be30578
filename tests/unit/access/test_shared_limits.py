"""Limits in Redis, while there is none: nobody is refused for that, and nobody waits for it."""

from __future__ import annotations

import time

import pytest
from structlog.testing import capture_logs

from flyball.access import shared
from flyball.access.limiter import Limiter
from flyball.access.shared import Shared
from flyball.errors import ConfigurationError, TooManyRequests

pytest.importorskip("redis", reason="the extra flyball[redis] is not installed")

NOWHERE = "redis://:a-secret@127.0.0.1:1/0"


def test_each_worker_counts_by_itself_while_redis_is_away():
    uncounted: list[None] = []
    with capture_logs() as logs:
        limiter = Limiter(Shared(NOWHERE, on_away=lambda: uncounted.append(None)))
        began = time.monotonic()
        for _ in range(30):
            limiter.take("a", 30, what="requests", reason="r")
        assert time.monotonic() - began < 5.0
        with pytest.raises(TooManyRequests):
            limiter.take("a", 30, what="requests", reason="r")
    assert len(uncounted) == 30
    assert [line["log_level"] for line in logs] == ["warning"]
    assert "a-secret" not in str(logs)


def test_it_is_asked_again_after_a_while():
    at = [1_000_000.0]
    tried = Shared(NOWHERE, now=lambda: at[0])
    tried._strategy.hit = _Counting(tried._strategy.hit)  # type: ignore[method-assign]
    from flyball.access.windows import PerMinute

    for _ in range(10):
        assert tried.taken(PerMinute(5), "a") == 0.0
    assert tried._strategy.hit.calls == 1
    at[0] += shared.AWAY_S
    tried.taken(PerMinute(5), "a")
    assert tried._strategy.hit.calls == 2


class _Counting:
    def __init__(self, real):
        self.calls, self._real = 0, real

    def __call__(self, *arguments, **named):
        self.calls += 1
        return self._real(*arguments, **named)


def test_a_url_that_is_none_is_refused():
    with pytest.raises(ConfigurationError, match=r"access\.limits"):
        Shared("redis://127.0.0.1:no-port")
