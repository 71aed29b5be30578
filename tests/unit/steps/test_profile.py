"""What is kept of a batch's shape."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from flyball.steps.profile import profile


class TestNumbers:
    """A column of numbers."""

    def test_has_its_moments_and_quantiles(self) -> None:
        """Nulls do not count in them."""
        facts = profile(pl.DataFrame({"x": [1.0, 2.0, 3.0, 4.0, None]}))["columns"]["x"]
        assert (facts["nulls"], facts["distinct"]) == (1, 4)
        assert (facts["min"], facts["max"], facts["mean"]) == (1.0, 4.0, 2.5)
        assert facts["quantiles"]["0.5"] == 2.5
        assert facts["quantiles"]["0.25"] == 1.75

    def test_the_histogram_holds_every_value(self) -> None:
        """20 bins from the least to the greatest; the last one closed."""
        values = np.random.default_rng(7).gamma(2.0, 5.0, 1000)
        histogram = profile(pl.DataFrame({"x": values}))["columns"]["x"]["histogram"]
        assert sum(histogram["counts"]) == 1000
        assert len(histogram["counts"]) == 20
        assert (histogram["edges"][0], histogram["edges"][-1]) == (values.min(), values.max())

    def test_one_value_only(self) -> None:
        """It is in the first bin."""
        histogram = profile(pl.DataFrame({"x": [5.0, 5.0]}))["columns"]["x"]["histogram"]
        assert histogram["counts"] == [2] + [0] * 19

    @pytest.mark.parametrize("values", [[], [None, None], [float("nan")], [float("inf")]])
    def test_without_a_finite_value_there_are_no_moments(self, values: list[float | None]) -> None:
        """Nothing is made up."""
        facts = profile(pl.DataFrame({"x": values}, schema={"x": pl.Float64}))["columns"]["x"]
        assert set(facts) == {"nulls", "distinct"}

    def test_the_largest_floats_stay_finite(self) -> None:
        """JSON has no infinity."""
        facts = profile(pl.DataFrame({"x": [1.7e308, -1.7e308, 1.7e308]}))["columns"]["x"]
        assert json.dumps(facts, allow_nan=False)
        assert facts["max"] == 1.7e308


class TestOthers:
    """Text and times."""

    def test_text_has_its_most_frequent_values(self) -> None:
        """Ten at most; equal counts by the alphabet."""
        values = ["b", "a", "c", "c", None, *map(str, range(20))]
        facts = profile(pl.DataFrame({"x": values}))["columns"]["x"]
        assert facts["top"][:3] == [
            {"value": "c", "count": 2},
            {"value": "0", "count": 1},
            {"value": "1", "count": 1},
        ]
        assert (len(facts["top"]), facts["nulls"], facts["distinct"]) == (10, 1, 23)

    def test_times_are_iso_8601_in_utc(self) -> None:
        """Their moments and the histogram's edges too."""
        days = [datetime(2020, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
        frame = pl.DataFrame({"t": days}, schema={"t": pl.Datetime("us", "UTC")})
        facts = profile(frame)["columns"]["t"]
        assert facts["min"] == "2020-01-01T00:00:00+00:00"
        assert facts["mean"] == "2020-01-02T00:00:00+00:00"
        assert facts["quantiles"]["0.5"] == "2020-01-02T00:00:00+00:00"
        assert facts["histogram"]["edges"][20] == "2020-01-03T00:00:00+00:00"
        assert sum(facts["histogram"]["counts"]) == 3

    def test_an_empty_frame(self) -> None:
        """Has no rows, and that is all."""
        assert profile(pl.DataFrame()) == {"rows": 0, "columns": {}}
