"""How far two histograms are apart, compared with scipy's own answers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import distance

from flyball.errors import InvalidRequest
from flyball.stats.distances import (
    JENSEN_SHANNON,
    KOLMOGOROV_SMIRNOV,
    PSI,
    TOTAL_VARIATION,
    WASSERSTEIN,
    DriftMeasure,
    Histogram,
)
from flyball.testing.measures import DriftMeasureContract

AT = np.array([-3.0, 0.0, 0.5, 10.0, 11.0])
ONE = np.array([3.0, 0.0, 50.0, 20.0, 27.0])
OTHER = np.array([10.0, 5.0, 5.0, 0.0, 30.0])


def both() -> tuple[Histogram, Histogram]:
    """Two histograms on the same bins."""
    return Histogram(counts=tuple(ONE), at=tuple(AT)), Histogram(counts=tuple(OTHER), at=tuple(AT))


class TestEveryMeasure(DriftMeasureContract):
    """Keeps the contract."""

    @pytest.fixture(
        params=[JENSEN_SHANNON, PSI, TOTAL_VARIATION, KOLMOGOROV_SMIRNOV, WASSERSTEIN],
        ids=lambda measure: measure.name,
    )
    def measure(self, request: pytest.FixtureRequest) -> DriftMeasure:
        """By parameter."""
        return request.param  # type: ignore[no-any-return]


class TestAgainstScipy:
    """The formulas are those of the literature."""

    def test_jensen_shannon_is_scipys_to_base_two(self) -> None:
        """So it is 1 at most."""
        assert JENSEN_SHANNON(*both()) == pytest.approx(distance.jensenshannon(ONE, OTHER, base=2))
        apart = Histogram(counts=(1, 0)), Histogram(counts=(0, 1))
        assert JENSEN_SHANNON(*apart) == pytest.approx(1.0)

    def test_wasserstein_is_scipys_in_standard_deviations(self) -> None:
        """Of the reference."""
        raw = stats.wasserstein_distance(AT, AT, ONE, OTHER)
        deviation = np.repeat(AT, ONE.astype(int)).std()
        assert WASSERSTEIN(*both()) == pytest.approx(raw / deviation)

    def test_kolmogorov_smirnov_is_scipys_two_sample_statistic(self) -> None:
        """On the rows that the histograms stand for."""
        one, other = (np.repeat(AT, counts.astype(int)) for counts in (ONE, OTHER))
        assert KOLMOGOROV_SMIRNOV(*both()) == pytest.approx(stats.ks_2samp(one, other).statistic)

    def test_psi_is_both_relative_entropies(self) -> None:
        """Of counts with half a row more in each bin."""
        entropies = stats.entropy(ONE + 0.5, OTHER + 0.5) + stats.entropy(OTHER + 0.5, ONE + 0.5)
        assert PSI(*both()) == pytest.approx(entropies)

    def test_total_variation_is_half_of_the_city_block_distance(self) -> None:
        """Of the shares."""
        expected = distance.cityblock(ONE / ONE.sum(), OTHER / OTHER.sum()) / 2
        assert TOTAL_VARIATION(*both()) == pytest.approx(expected)


class TestAHistogram:
    """Refuses to exist when it is none."""

    @pytest.mark.parametrize("counts", [(), (0.0, 0.0), (-1.0, 2.0), (float("nan"), 1.0)])
    def test_needs_counts(self, counts: tuple[float, ...]) -> None:
        """At least 0, and one row."""
        with pytest.raises(InvalidRequest, match="histogram needs counts"):
            Histogram(counts=counts)

    @pytest.mark.parametrize("at", [(1.0,), (2.0, 1.0), (1.0, 1.0)])
    def test_needs_rising_places_for_each_bin(self, at: tuple[float, ...]) -> None:
        """Or none at all."""
        with pytest.raises(InvalidRequest, match="rising"):
            Histogram(counts=(1.0, 2.0), at=at)

    def test_a_constant_reference_has_the_bins_width_for_a_scale(self) -> None:
        """It has no standard deviation."""
        at = (0.0, 1.0, 4.0)
        moved = WASSERSTEIN(Histogram(counts=(9, 0, 0), at=at), Histogram(counts=(0, 9, 0), at=at))
        assert moved == pytest.approx(0.25)
