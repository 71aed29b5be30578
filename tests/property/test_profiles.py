"""What holds for sketches of all values, not only the ones we thought of."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from flyball.domain.schema import Column, ColumnType, Schema
from flyball.stats.profile import Profile
from flyball.stats.sketches import Numbers
from flyball.steps.profile import Profiler, summary

numbers = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=60)
SCHEMA = Schema(
    columns=(
        Column(name="x", type=ColumnType.NUMBER),
        Column(name="s", type=ColumnType.STRING),
        Column(name="b", type=ColumnType.BOOLEAN),
    )
)
cells = st.fixed_dictionaries(
    {
        "x": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "s": st.none() | st.text(st.characters(codec="utf-8"), max_size=8),
        "b": st.none() | st.booleans(),
    }
)
TYPES = {"x": pl.Float64, "s": pl.String, "b": pl.Boolean}


@given(numbers, st.integers(2, 20))
def test_a_sketch_is_in_order_and_loses_no_value(values, bins):
    """Whatever the numbers are, and however few bins there may be."""
    found = Numbers.of(values, bins=bins)
    assert found.count == len(values)
    assert len(found.sizes) <= bins
    assert all(low <= high for low, high in zip(found.low, found.high, strict=True))
    assert all(a < b for a, b in zip(found.high, found.low[1:], strict=False))
    assert found.min == (min(values) if values else None)


@given(st.lists(numbers, max_size=5), st.integers(2, 20))
def test_parts_have_the_bins_of_the_whole(parts, bins):
    """In any order of adding."""
    merged = Numbers.merged((Numbers.of(part, bins=bins) for part in parts), bins=bins)
    stepwise = Numbers()
    for part in reversed(parts):
        stepwise = Numbers.merged([Numbers.of(part, bins=bins), stepwise], bins=bins)
    whole = Numbers.of([value for part in parts for value in part], bins=bins)
    assert (merged.low, merged.high, merged.sizes) == (whole.low, whole.high, whole.sizes)
    assert (stepwise.low, stepwise.high, stepwise.sizes) == (whole.low, whole.high, whole.sizes)


@given(numbers.filter(bool), st.lists(st.floats(0, 1), max_size=5))
def test_quantiles_rise_between_the_ends(values, shares):
    """And counts up to a point rise from 0 to all."""
    found = Numbers.of(values, bins=8)
    quantiles = found.quantiles(sorted(shares))
    assert quantiles == sorted(quantiles)
    assert all(min(values) <= value <= max(values) for value in quantiles)
    below = found.up_to(sorted(values))
    assert (np.diff(below) >= 0).all()
    assert below[-1] == len(values)


@given(numbers.filter(bool))
def test_few_values_are_exact(values):
    """Up to 2,048 distinct ones."""
    found = Numbers.of(values)
    assert found.distinct == len({value + 0.0 for value in values})
    assert found.up_to(values).tolist() == [sum(v <= point for v in values) for point in values]


@given(st.lists(cells, max_size=30), st.integers(1, 7))
def test_any_rows_have_a_profile_that_survives_json(rows, chunk):
    """And whose summary counts every row."""
    frame = pl.DataFrame(rows, schema=TYPES)
    profiler = Profiler(SCHEMA)
    for part in frame.iter_slices(chunk):
        profiler.add(part)
    profile = profiler.finished()
    assert Profile.from_json(profile.to_json()) == profile
    short = summary(profile)
    assert json.dumps(short, allow_nan=False)
    for name, facts in short["columns"].items():
        assert facts["nulls"] == frame[name].null_count()
        assert facts["distinct"] == frame[name].drop_nulls().n_unique()
