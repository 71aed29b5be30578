"""Distributions of numbers in bounded space."""

from __future__ import annotations

import numpy as np
import pytest

from flyball.errors import InvalidRequest
from flyball.stats.sketches import MAX_BINS, Numbers


class TestFewDistinctValues:
    """Up to 2,048 distinct values, nothing is approximate."""

    def test_the_median_of_1_1_2_is_1(self) -> None:
        """Not a value near it."""
        numbers = Numbers.of([1.0, 1.0, 2.0])
        assert numbers.quantile(0.5) == 1.0
        assert (numbers.count, numbers.distinct, numbers.mean) == (3, 2, pytest.approx(4 / 3))

    def test_quantiles_are_numpys(self) -> None:
        """With numpy's usual interpolation."""
        values = np.round(np.random.default_rng(1).normal(3.0, 40.0, 5000), 0)
        shares = [0.0, 0.01, 0.3333, 0.5, 0.9, 0.999, 1.0]
        assert Numbers.of(values).quantiles(shares) == pytest.approx(np.quantile(values, shares))

    def test_counts_up_to_a_point_are_exact(self) -> None:
        """At the values and between them, with or without the point itself."""
        numbers = Numbers.of([-2.0, 0.0, 0.0, 5.0])
        points = [-3.0, -2.0, -1.0, 0.0, 1.0, 5.0, 6.0]
        assert numbers.up_to(points).tolist() == [0, 1, 1, 3, 3, 4, 4]
        assert numbers.up_to(points, inclusive=False).tolist() == [0, 0, 1, 1, 3, 3, 4]
        assert numbers.cdf(0.0) == 0.75

    def test_zero_has_no_sign(self) -> None:
        """0.0 and -0.0 are one value."""
        assert Numbers.of([0.0, -0.0]).distinct == 1

    def test_neighbouring_years_are_kept_apart(self) -> None:
        """Though they differ by far less than one part in a hundred."""
        years = np.repeat(np.arange(1990.0, 2021.0), 100)
        assert Numbers.of(years).distinct == 31

    def test_weights_count_as_repetitions(self) -> None:
        """A value with weight 3 is there three times."""
        assert Numbers.of([2.0, 1.0], [3, 1]) == Numbers.of([2.0, 1.0, 2.0, 2.0])


class TestManyDistinctValues:
    """More values than bins."""

    @pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
    def test_quantiles_are_within_one_per_cent(self, scale: float) -> None:
        """At every share, for values over six orders of magnitude and both signs."""
        rng = np.random.default_rng(2)
        values = rng.lognormal(1.0, 1.5, 200_000) * rng.choice([-1.0, 1.0], 200_000) * scale
        numbers = Numbers.of(values)
        shares = np.linspace(0.0, 1.0, 101)
        exact = np.quantile(values, shares, method="nearest")
        assert len(numbers.sizes) <= MAX_BINS
        assert numbers.quantiles(shares.tolist()) == pytest.approx(exact, rel=0.01)
        assert (numbers.min, numbers.max) == (values.min(), values.max())

    def test_chunks_do_not_matter(self) -> None:
        """The bins of the parts together are the bins of the whole."""
        values = np.random.default_rng(3).gamma(0.3, 1e4, 100_000)
        whole = Numbers.of(values)
        for parts in (2, 7, 50):
            merged = Numbers.merged(Numbers.of(part) for part in np.array_split(values, parts))
            assert (merged.low, merged.high, merged.sizes) == (whole.low, whole.high, whole.sizes)
            assert merged.mean == pytest.approx(whole.mean)

    def test_a_value_repeated_often_stays_exact(self) -> None:
        """Alone in its bin, it is reported as it is."""
        values = np.concatenate([np.full(10_000, 59.99), np.random.default_rng(4).random(10_000)])
        assert Numbers.of(values).quantile(0.9) == 59.99

    def test_counts_between_cuts_add_up(self) -> None:
        """And each interval has about its share."""
        values = np.random.default_rng(5).exponential(10.0, 50_000)
        numbers = Numbers.of(values)
        cuts = numbers.cuts(16)
        counts = numbers.counts(cuts)
        assert counts.sum() == 50_000
        assert counts == pytest.approx(np.full(16, 50_000 / 16), rel=0.1)

    def test_the_largest_floats_do_not_overflow(self) -> None:
        """The mean and quantiles stay finite."""
        values = np.concatenate([np.full(9, 1.7e308), np.linspace(-1.7, 1.7, 5000) * 1e308])
        numbers = Numbers.of(values)
        assert np.isfinite(numbers.mean)
        assert np.isfinite(numbers.quantiles([0.0, 0.3, 1.0])).all()
        assert np.isfinite(numbers.up_to([0.0, 1e308])).all()


class TestNothing:
    """Empty distributions and wrong questions."""

    def test_no_values(self) -> None:
        """Nothing is made up."""
        empty = Numbers.of([])
        assert empty == Numbers.merged([]) == Numbers.of([float("nan"), float("inf")])
        assert (empty.min, empty.quantile(0.5), empty.cdf(1.0), empty.count) == (None,) * 3 + (0,)
        assert empty.counts([1.0]).tolist() == [0, 0]

    def test_one_value_needs_no_cut(self) -> None:
        """A constant column has one interval."""
        assert Numbers.of([7.0] * 10).cuts(16).size == 0

    def test_a_share_beyond_one_is_refused(self) -> None:
        """With the share in the message."""
        with pytest.raises(InvalidRequest, match=r"1\.5"):
            Numbers.of([1.0]).quantile(1.5)
