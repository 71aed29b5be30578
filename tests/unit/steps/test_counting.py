"""Counting values in bounded memory."""

from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl
import pytest

from flyball.steps.counting import Counting, stable_hashes


def counted(values: list[str], chunk: int, most: int = 1 << 18) -> Counting:
    """Values counted chunk by chunk."""
    counting = Counting(most)
    for start in range(0, len(values), chunk):
        counting.add(pl.Series(values[start : start + chunk], dtype=pl.String))
    return counting


def drawn(size: int) -> list[str]:
    """A few frequent values and many rare ones."""
    return [f"v{n}" for n in np.random.default_rng(1).zipf(1.3, size)]


class TestWhileThereIsRoom:
    """Fewer distinct values than are held."""

    def test_every_count_is_exact(self) -> None:
        """In any chunks."""
        values = drawn(3000)
        assert dict(counted(values, 100).table().iter_rows()) == Counter(values)

    def test_the_sketch_knows_how_many_there_are(self) -> None:
        """Also beyond the number that it names."""
        found, _ = counted(drawn(3000), 500).finished()
        exact = Counter(drawn(3000))
        assert found.distinct == len(exact)
        assert found.count == 3000
        assert next(iter(found.counts.items())) == exact.most_common(1)[0]
        assert all(exact[value] == rows for value, rows in found.counts.items())


class TestWhenItIsFull:
    """More distinct values than are held."""

    def test_no_count_is_off_by_more_than_it_says(self) -> None:
        """And none is too large."""
        values = drawn(20_000)
        found, _ = counted(values, 500, most=256).finished()
        exact = Counter(values)
        assert 0 < found.error < 300
        for value, rows in exact.items():
            assert found.counts.get(value, 0) <= rows <= found.counts.get(value, 0) + found.error

    def test_buckets_lengths_and_the_number_of_values_lose_nothing(self) -> None:
        """They do not need the values by name."""
        values = drawn(20_000)
        tight, text = counted(values, 500, most=256).finished()
        roomy, whole = counted(values, 500).finished()
        assert tight.buckets == roomy.buckets
        assert (tight.hashes, text.lengths.sizes) == (roomy.hashes, whole.lengths.sizes)
        assert tight.distinct == pytest.approx(roomy.distinct, rel=0.1)

    def test_values_that_occur_once_each(self) -> None:
        """The frequent one among them is found."""
        values = [f"id{n}" for n in range(10_000)] + ["bot"] * 500
        order = np.random.default_rng(3).permutation(len(values))
        found, _ = counted([values[n] for n in order], 400, most=256).finished()
        assert next(iter(found.counts)) == "bot"
        assert len(counted([values[n] for n in order], 400, most=256).table()) <= 256


def test_a_text_has_the_same_hash_everywhere() -> None:
    """These are kept with batches: a change would make old ones look different."""
    assert stable_hashes(pl.Series(["Dota 2", ""])).tolist() == [
        4263987056792798924,
        16294208416658607535,
    ]
