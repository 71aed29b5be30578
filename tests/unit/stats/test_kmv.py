"""Distinct values and overlaps from the least hashes."""

from __future__ import annotations

import numpy as np
import pytest

from flyball.stats.kmv import K, LeastHashes, Overlap, RowHashes, hash_numbers


def least(start: int, stop: int) -> LeastHashes:
    """Of the whole numbers from ``start`` to ``stop``."""
    return LeastHashes.of(hash_numbers(np.arange(start, stop, dtype=np.float64)))


class TestDistinctValues:
    """How many there are."""

    def test_few_are_counted_exactly(self) -> None:
        """However often each occurs."""
        assert LeastHashes.of(hash_numbers(np.tile(np.arange(100.0), 50))).distinct == 100

    def test_many_are_estimated_within_ten_per_cent(self) -> None:
        """3% is the standard error."""
        assert least(0, 300_000).distinct == pytest.approx(300_000, rel=0.1)

    def test_few_values_among_many_rows(self) -> None:
        """The short cut past most rows does not lose any."""
        rows = np.random.default_rng(1).permutation(np.tile(np.arange(2000.0), 100))
        assert LeastHashes.of(hash_numbers(rows)) == least(0, 2000)

    def test_parts_add_up_to_the_whole(self) -> None:
        """Also where they overlap."""
        assert LeastHashes.merged([least(0, 6000), least(4000, 10_000)]) == least(0, 10_000)


class TestOverlaps:
    """Which share of one set is in another."""

    def test_of_a_set_with_itself_is_all(self) -> None:
        """A duplicated upload."""
        assert least(0, 50_000).overlap(least(0, 50_000)) == Overlap(compared=K, found=K)

    def test_of_strangers_is_nothing(self) -> None:
        """Not one in a thousand."""
        assert least(0, 50_000).overlap(least(50_000, 90_000)).found == 0

    @pytest.mark.parametrize("size", [40_000, 10_000])
    def test_a_half_is_seen_as_a_half(self, size: int) -> None:
        """Also in a set of another size."""
        share = least(0, size).overlap(least(size // 2, 40_000 + size // 2)).share
        assert share == pytest.approx(0.5, abs=0.15)

    def test_an_empty_set_has_no_share(self) -> None:
        """Rather than 0."""
        assert least(0, 0).overlap(least(0, 10)).share is None

    def test_rows_hashed_otherwise_are_not_compared(self) -> None:
        """The tag says how they were hashed."""
        hashes = least(0, 10)
        first, second = RowHashes(tag="a", least=hashes), RowHashes(tag="b", least=hashes)
        assert first.overlap(second) is None
        assert first.overlap(first) == Overlap(compared=10, found=10)
