"""Which values there are, and how often."""

from __future__ import annotations

from flyball.stats.kmv import LeastHashes
from flyball.stats.values import BUCKETS, TOP, Values, topmost


def values(counts: dict[str, int], error: int = 0) -> Values:
    """Some values in the first bucket."""
    return Values(
        counts=counts,
        error=error,
        buckets=(sum(counts.values()),) + (0,) * (BUCKETS - 1),
        hashes=LeastHashes(tuple(sorted({hash(v) % 2**64 for v in counts}))),
        exact=None if error else len(counts),
    )


class TestMerging:
    """Several batches together."""

    def test_exact_counts_stay_exact(self) -> None:
        """Each value with all its rows, the most frequent first."""
        merged = Values.merged([values({"a": 2, "b": 1}), values({"b": 5, "c": 2})])
        assert list(merged.counts.items()) == [("b", 6), ("a", 2), ("c", 2)]
        assert (merged.error, merged.distinct, merged.rest, merged.closed) == (0, 3, 0, True)

    def test_bounds_add_up(self) -> None:
        """A value may have as many rows more as it may in each part."""
        merged = Values.merged([values({"a": 20}, error=3), values({"a": 30, "b": 9}, error=4)])
        assert merged.counts["a"] == 50
        assert merged.error == 7
        assert merged.distinct == 2

    def test_what_is_left_out_widens_the_bound(self) -> None:
        """By the most frequent value that went."""
        many = {f"v{n:04d}": 5 for n in range(TOP)}
        merged = Values.merged([values(many), values({"w": 3})])
        assert "w" not in merged.counts
        assert (merged.error, merged.rest, merged.exact) == (3, 3, TOP + 1)

    def test_nothing_adds_nothing(self) -> None:
        """A batch without values in the column."""
        assert Values.merged([Values(), values({"a": 1})]) == values({"a": 1})
        assert Values.merged([]) == Values()


def test_equally_frequent_values_stand_by_the_alphabet() -> None:
    """So that the same rows give the same profile."""
    assert topmost({"b": 1, "a": 1, "c": 2}, 2) == ({"c": 2, "a": 1}, 1)
