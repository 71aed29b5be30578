"""How often somebody may ask in a minute, and when they may again."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from flyball.access import windows
from flyball.access.limiter import Limiter, site_of
from flyball.access.windows import MINUTE_S, PerMinute, Windows
from flyball.errors import TooManyRequests

NOON = 29_000_000 * MINUTE_S  # a minute begins


@dataclass
class Time:
    """Seconds since 1970, set by the test."""

    at: float = NOON

    def __call__(self) -> float:
        return self.at


def taken(limiter: Limiter, key: str, most: int, times: int) -> int:
    """How many of so many requests are let through."""
    through = 0
    for _ in range(times):
        try:
            limiter.take(key, most, what="requests", reason="client_rate")
        except TooManyRequests:
            continue
        through += 1
    return through


class TestALimit:
    def test_lets_so_many_through_in_a_minute(self):
        assert taken(Limiter(now=Time()), "a", 5, 20) == 5

    def test_is_everybodys_own(self):
        limiter = Limiter(now=Time())
        assert [taken(limiter, key, 3, 5) for key in ("a", "b", "a")] == [3, 3, 0]

    def test_of_zero_is_none(self):
        assert taken(Limiter(now=Time()), "a", 0, 100) == 100

    def test_says_how_much_was_too_much_and_when_to_come_back(self):
        time = Time(NOON + 40)
        limiter = Limiter(now=time)
        taken(limiter, "a", 5, 5)
        with pytest.raises(TooManyRequests, match="more than 5 calls in a minute") as refused:
            limiter.take("a", 5, what="calls", reason="client_rate", subject="key:a")
        assert (refused.value.reason, refused.value.subject) == ("client_rate", "key:a")
        assert refused.value.retry_after_s == pytest.approx(20.0)

    def test_forgets_two_minutes_later(self):
        time = Time()
        limiter = Limiter(now=time)
        assert taken(limiter, "a", 5, 9) == 5
        time.at += 2 * MINUTE_S
        assert taken(limiter, "a", 5, 9) == 5

    def test_does_not_let_twice_as_many_through_around_the_end_of_a_minute(self):
        time = Time(NOON + 59)
        limiter = Limiter(now=time)
        assert taken(limiter, "a", 100, 200) == 100
        time.at += 2
        assert taken(limiter, "a", 100, 200) <= 3

    @given(
        most=st.integers(1, 50),
        steps=st.lists(st.tuples(st.floats(0.0, 90.0), st.integers(1, 60)), max_size=12),
    )
    def test_lets_whoever_waits_as_long_as_told_through(self, most, steps):
        time = Time()
        limiter = Limiter(now=time)
        for seconds, times in steps:
            time.at += seconds
            taken(limiter, "a", most, times)
        try:
            limiter.take("a", most, what="requests", reason="r")
        except TooManyRequests as refused:
            time.at += refused.retry_after_s + 0.001
            limiter.take("a", most, what="requests", reason="r")

    @given(
        most=st.integers(1, 30),
        steps=st.lists(st.tuples(st.floats(0.0, 50.0), st.integers(1, 40)), max_size=12),
    )
    def test_never_lets_more_than_twice_the_limit_through_in_any_minute(self, most, steps):
        """The estimate assumes an even flow; this is how wrong it can be."""
        time = Time()
        limiter = Limiter(now=time)
        through: list[float] = []
        for seconds, times in steps:
            time.at += seconds
            through += [time.at] * taken(limiter, "a", most, times)
        for start in through:
            assert sum(start <= at < start + MINUTE_S for at in through) <= 2 * most


def test_counts_as_the_packages_own_storage_does(monkeypatch):
    """The storage is ours as the package's is slow with many keys; its answers are the same."""
    at = Time(NOON + 7)
    monkeypatch.setattr("time.time", at)
    theirs = SlidingWindowCounterRateLimiter(MemoryStorage())
    ours = SlidingWindowCounterRateLimiter(Windows(at))
    item = PerMinute(10)
    for step in (0.0, 0.3, 11.0, 25.0, 20.0, 3.0, 31.0, 12.0, 59.0, 0.5, 100.0, 1.0):
        at.at += step
        for cost in (1, 4, 1):
            assert ours.hit(item, "k", cost=cost) == theirs.hit(item, "k", cost=cost), at.at - NOON


def test_memory_has_a_bound(monkeypatch):
    monkeypatch.setattr(windows, "MOST_KEYS", 10)
    storage = Windows(Time())
    strategy = SlidingWindowCounterRateLimiter(storage)
    for number in range(30):
        assert strategy.hit(PerMinute(1), f"user {number}")
    assert storage.reset() == 10


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("not an address", "not an address"),
        ("x" * 500, "x" * 100),
    ],
)
def test_an_address_stands_for_its_site(address, site):
    assert site_of(address) == site
