"""The contract of ``flyball.stats.distances.DriftMeasure``: what a comparison relies on."""

from __future__ import annotations

import math
import re

import pytest

from flyball.errors import InvalidRequest
from flyball.stats.distances import DriftMeasure, Histogram

AT = (1.0, 2.0, 4.0, 8.0)


def histogram(*counts: float, at: tuple[float, ...] = AT) -> Histogram:
    """A histogram on four bins."""
    return Histogram(counts=counts, at=at)


class DriftMeasureContract:
    """Inherit and give one fixture: ``measure``."""

    @pytest.fixture
    def measure(self) -> DriftMeasure:
        """The measure under test."""
        raise NotImplementedError

    def test_is_zero_where_nothing_changed(self, measure: DriftMeasure) -> None:
        """Also with empty bins."""
        for same in (histogram(10, 20, 30, 40), histogram(0, 5, 0, 0)):
            assert measure(same, same) == pytest.approx(0.0, abs=1e-9)

    def test_grows_with_what_moved(self, measure: DriftMeasure) -> None:
        """Twice the rows moved to the same bin are further away."""
        reference = histogram(400, 300, 200, 100)
        little, much = histogram(350, 300, 200, 150), histogram(300, 300, 200, 200)
        assert 0.0 < measure(reference, little) < measure(reference, much)

    def test_compares_shares_not_sizes(self, measure: DriftMeasure) -> None:
        """A thousand times the rows hardly matter: small counts may be smoothed."""
        reference, current = histogram(4e6, 3e6, 2e6, 1e6), histogram(1e6, 2e6, 3e6, 4e6)
        larger = histogram(1e9, 2e9, 3e9, 4e9)
        assert measure(reference, larger) == pytest.approx(measure(reference, current), rel=1e-3)

    @pytest.mark.parametrize(
        ("reference", "current"),
        [
            ((10, 0, 0, 0), (0, 0, 0, 10)),
            ((1, 0, 0, 0), (0, 0, 1e12, 0)),
            ((0, 9, 9, 0), (9, 0, 0, 9)),
        ],
    )
    def test_is_finite_and_positive_where_no_bin_is_shared(
        self, measure: DriftMeasure, reference: tuple[float, ...], current: tuple[float, ...]
    ) -> None:
        """Empty bins are usual in live traffic."""
        distance = measure(histogram(*reference), histogram(*current))
        assert math.isfinite(distance)
        assert distance > 0.0

    def test_refuses_histograms_on_other_bins(self, measure: DriftMeasure) -> None:
        """Neither another number of bins nor other places."""
        reference = histogram(1, 2, 3, 4)
        for other in (
            histogram(1, 2, at=(1.0, 2.0)),
            histogram(1, 2, 3, 4, at=(1.0, 2.0, 3.0, 4.0)),
        ):
            with pytest.raises(InvalidRequest, match="same bins"):
                measure(reference, other)

    def test_needs_an_order_only_where_it_says_so(self, measure: DriftMeasure) -> None:
        """Categories have none."""
        reference, current = histogram(1, 2, 3, 4, at=()), histogram(4, 3, 2, 1, at=())
        if measure.ordered:
            with pytest.raises(InvalidRequest, match="order"):
                measure(reference, current)
        else:
            assert measure(reference, current) > 0.0

    def test_has_a_name_and_a_unit(self, measure: DriftMeasure) -> None:
        """Metrics and pages show them."""
        assert re.fullmatch(r"[a-z][a-z0-9_]*", measure.name)
        assert measure.unit
