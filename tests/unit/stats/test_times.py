"""Distributions of times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from flyball.stats.times import DAY, MAX_DAYS, Times


def at(*moments: datetime) -> np.ndarray:
    """Microseconds since 1970."""
    start = datetime(1970, 1, 1, tzinfo=UTC)
    return np.array([(m - start) // timedelta(microseconds=1) for m in moments], dtype=np.int64)


class TestTimes:
    """Days, hours and quantiles."""

    def test_counts_by_day_and_hour_in_utc(self) -> None:
        """Also before 1970."""
        times = Times.of(
            at(
                datetime(1969, 12, 31, 23, 59, tzinfo=UTC),
                datetime(1970, 1, 1, 23, 0, tzinfo=UTC),
                datetime(1970, 1, 1, 5, 0, tzinfo=UTC),
            )
        )
        assert dict(zip(times.days, times.sizes, strict=True)) == {-1: 1, 0: 2}
        assert (times.hours[23], times.hours[5], sum(times.hours)) == (2, 1, 3)

    def test_the_ends_are_exact_to_the_microsecond(self) -> None:
        """However many times there are between them."""
        micros = np.random.default_rng(1).integers(0, 10**15, 10_000)
        times = Times.of(micros)
        assert (times.min, times.max, times.count) == (micros.min(), micros.max(), 10_000)

    def test_more_days_than_are_kept_apart(self) -> None:
        """Several days become one entry; none is lost."""
        times = Times.of(np.arange(3 * MAX_DAYS, dtype=np.int64) * DAY)
        assert (times.width, len(times.days)) == (4, 3 * MAX_DAYS // 4)
        assert set(times.sizes) == {4}

    def test_parts_add_up_to_the_whole(self) -> None:
        """Also where one part has wider entries."""
        micros = np.arange(3 * MAX_DAYS, dtype=np.int64) * DAY
        merged = Times.merged([Times.of(micros[:100]), Times.of(micros[100:])])
        assert (merged.days, merged.sizes) == (Times.of(micros).days, Times.of(micros).sizes)
        assert merged.hours == Times.of(micros).hours

    def test_how_many_are_later(self) -> None:
        """Whole days exactly, and a part of the day in between."""
        times = Times.of(np.arange(10, dtype=np.int64) * DAY)
        assert times.after(5 * DAY - 1) == 5.0
        assert times.after(20 * DAY) == 0.0
        assert times.after(-DAY) == 10.0

    def test_of_none(self) -> None:
        """Has no ends."""
        empty = Times.of(at())
        assert (empty.min, empty.max, empty.count) == (None, None, 0)
        assert Times.merged([empty, empty]) == empty

    def test_a_year_that_no_calendar_has(self) -> None:
        """It is a number like others."""
        assert Times.of(np.array([2**62], dtype=np.int64)).count == 1
        assert Times.of(np.array([2**62, 0], dtype=np.int64)).max == 2**62
