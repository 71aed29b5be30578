"""How two columns go together."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from flyball.stats.pairs import CLOSED, Crossed, Moments, Split
from flyball.stats.sketches import Numbers


class TestMoments:
    """Pearson's correlation."""

    def test_is_scipys_from_any_parts(self) -> None:
        """Also with a mean far from zero."""
        rng = np.random.default_rng(1)
        x = rng.normal(1e6, 3.0, 4000)
        y = 2.0 * x + rng.normal(0.0, 5.0, 4000)
        parts = zip(np.array_split(x, 7), np.array_split(y, 7), strict=True)
        merged = Moments.merged(Moments.of("x", "y", a, b) for a, b in parts)
        assert merged.correlation == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-9)

    def test_rows_with_a_missing_number_do_not_count(self) -> None:
        """Nor do numbers too large to be squared."""
        x, y = np.array([1.0, np.nan, 2.0, 1e300]), np.array([1.0, 5.0, 2.0, 1.0])
        moments = Moments.of("x", "y", x, y)
        assert (moments.rows, moments.correlation) == (2, pytest.approx(1.0))

    def test_of_a_constant_column_there_is_none(self) -> None:
        """Rather than 0."""
        assert Moments.of("x", "y", np.ones(5), np.arange(5.0)).correlation is None
        assert Moments.merged([Moments(first="x", second="y")]).correlation is None


class TestCrossed:
    """Two columns of few values."""

    def test_cramers_v_is_scipys(self) -> None:
        """Without a correction for size."""
        table = [[30, 5], [10, 40], [7, 7]]
        counts = {(f"r{i}", f"c{j}"): n for i, row in enumerate(table) for j, n in enumerate(row)}
        crossed = Crossed(first="a", second="b", counts=counts)
        expected = stats.contingency.association(np.array(table), method="cramer")
        assert crossed.correlation == pytest.approx(expected)

    def test_one_value_correlates_with_nothing(self) -> None:
        """There is no number for it."""
        crossed = Crossed(first="a", second="b", counts={("x", "p"): 3, ("x", "q"): 4})
        assert crossed.correlation is None

    def test_too_many_values_together_end_the_pair(self) -> None:
        """Each batch had few; all of them have not."""
        batches = [
            Crossed(first="a", second="b", counts={(f"v{n}", "x"): 1}) for n in range(CLOSED + 1)
        ]
        assert Crossed.merged(batches) is None
        merged = Crossed.merged(batches[:2] + batches[:1])
        assert merged is not None
        assert merged.counts == {("v0", "x"): 2, ("v1", "x"): 1}


def test_numbers_beside_each_value_add_up() -> None:
    """A value that only one batch has included."""
    first = Split(by="event", of="value", parts={"play": Numbers.of([1.0, 2.0])})
    second = Split(
        by="event", of="value", parts={"play": Numbers.of([9.0]), "purchase": Numbers.of([1.0])}
    )
    merged = Split.merged([first, second])
    assert merged is not None
    assert merged.parts["play"] == Numbers.of([1.0, 2.0, 9.0])
    assert merged.parts["purchase"].count == 1


class TestSplit:
    """A column of numbers beside one of few values."""

    def test_the_correlation_ratio_is_that_of_the_variances(self) -> None:
        """The share between the values, from an analysis of variance."""
        groups = [[1.0, 2.0, 3.0], [11.0, 12.0, 13.5], [5.0, 5.5]]
        split = Split(by="s", of="x", parts={str(n): Numbers.of(g) for n, g in enumerate(groups)})
        every = np.concatenate(groups)
        between = sum(len(g) * (np.mean(g) - every.mean()) ** 2 for g in groups)
        expected = np.sqrt(between / ((every - every.mean()) ** 2).sum())
        assert split.correlation == pytest.approx(expected)

    def test_there_is_none_without_variance(self) -> None:
        """One value, or equal numbers, or numbers too large to be squared."""
        for parts in ([[1.0, 2.0]], [[1.0], [1.0]], [[1e300], [1.0]], []):
            named = {str(n): Numbers.of(part) for n, part in enumerate(parts)}
            split = Split(by="s", of="x", parts=named)
            assert split.correlation is None
