"""Whatever the counts are, a judgement is a number between 0 and 1, and no crash."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.domain.schema import Column, ColumnType, Privacy, Schema
from flyball.domain.validation import Verdict
from flyball.stats.calibration import Tail, alarms, histogram_shift, level_shift, share_shift
from flyball.stats.profile import Profile
from flyball.steps.anomalies import judged
from flyball.steps.duplicates import row_hashes
from flyball.steps.profile import Profiler

COUNTS = st.one_of(st.integers(0, 20), st.integers(0, 10**9))
CLUSTERS = st.one_of(st.just(1.0), st.floats(1.0, 1e7))
NOW = datetime(2024, 6, 1, tzinfo=UTC)

SCHEMA = Schema(
    columns=(
        Column(name="user", type=ColumnType.STRING, nullable=True, privacy=Privacy.PERSONAL),
        Column(name="text", type=ColumnType.STRING, nullable=True),
        Column(name="number", type=ColumnType.NUMBER, nullable=True),
        Column(name="other", type=ColumnType.NUMBER, nullable=True),
        Column(name="flag", type=ColumnType.BOOLEAN, nullable=True),
        Column(name="tags", type=ColumnType.STRINGS, nullable=True),
        Column(name="at", type=ColumnType.TIMESTAMP, nullable=True),
    )
)
NUMBERS = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.integers(-2, 2))
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "user": st.one_of(st.none(), st.sampled_from("ab")),
            "text": st.one_of(st.none(), st.sampled_from("xyz"), st.text(max_size=5)),
            "number": NUMBERS,
            "other": NUMBERS,
            "flag": st.one_of(st.none(), st.booleans()),
            "tags": st.one_of(st.none(), st.lists(st.sampled_from("pq"), max_size=2)),
            "at": st.one_of(
                st.none(), st.datetimes(timezones=st.just(UTC), min_value=datetime(1700, 1, 1))
            ),
        }
    ),
    max_size=12,
)
TYPES = {
    "user": pl.String, "text": pl.String, "number": pl.Float64, "other": pl.Float64,
    "flag": pl.Boolean, "tags": pl.List(pl.String), "at": pl.Datetime("us", "UTC"),
}  # fmt: skip


def profile(rows: list[dict[str, object]], left_out: str | None) -> Profile:
    """Of such rows; one column may be absent."""
    frame = pl.DataFrame(rows, schema=TYPES, strict=False)
    frame = frame if left_out is None else frame.drop(left_out)
    profiler = Profiler(SCHEMA)
    profiler.add(frame, row_hashes(frame, frame.columns))
    return profiler.finished(rejected=len(rows) // 2, duplicates=len(rows) // 3)


@given(st.data(), st.integers(1, 6), st.integers(1, 8), CLUSTERS)
def test_a_histogram_has_a_probability(
    data: st.DataObject, batches: int, bins: int, cluster: float
) -> None:
    """Or nothing can be told."""
    row = st.lists(COUNTS, min_size=bins, max_size=bins)
    history = data.draw(st.lists(row, min_size=batches, max_size=batches))
    clusters = data.draw(st.lists(CLUSTERS, min_size=batches, max_size=batches))
    shift = histogram_shift(history, data.draw(row), clusters, cluster)
    if shift is not None:
        assert 0.0 <= shift.p_value <= 1.0
        assert 0.0 <= shift.distance <= 1.0 + 1e-9


@given(
    st.lists(st.tuples(COUNTS, COUNTS), min_size=1, max_size=6), st.tuples(COUNTS, COUNTS), CLUSTERS
)
def test_a_share_has_a_probability_that_falls_with_its_size(
    history: list[tuple[int, int]], current: tuple[int, int], cluster: float
) -> None:
    """More of what is unusual is never less unusual."""
    pairs = [(float(min(pair)), float(max(pair))) for pair in history]
    hits, size = min(current), max(current)
    clusters = np.full(len(pairs), cluster)
    for tail in Tail:
        assert 0.0 <= share_shift(pairs, (hits, size), clusters, cluster, tail=tail) <= 1.0
    if sum(p[0] for p in pairs) + size <= (sum(p[1] for p in pairs) + size) / 2:
        more = share_shift(pairs, (size, size), clusters, cluster)
        assert more <= share_shift(pairs, (hits, size), clusters, cluster) + 1e-9


@given(
    st.lists(st.floats(-50, 50), min_size=1, max_size=8), st.floats(-50, 50), st.floats(0, 10),
    st.sampled_from(Tail),
)  # fmt: skip
def test_a_level_has_a_probability(
    history: list[float], current: float, noise: float, tail: Tail
) -> None:
    """Also where the history does not vary at all."""
    p_value = level_shift(history, current, noise=noise, prior_deviation=0.2, tail=tail)
    assert 0.0 <= p_value <= 1.0


@given(st.lists(st.floats(0, 1), max_size=20), st.floats(0.001, 0.5))
def test_alarms_are_the_least_likely_measures(p_values: list[float], rate: float) -> None:
    """Never one without those that are less likely; and all at or below the rate."""
    raised = alarms(p_values, rate)
    yes = [p for p, alarm in zip(p_values, raised, strict=True) if alarm]
    no = [p for p, alarm in zip(p_values, raised, strict=True) if not alarm]
    assert all(p <= rate for p in yes)
    assert max(yes, default=0.0) <= min(no, default=1.0)
    assert bool(yes) == (min(p_values, default=1.0) <= rate / max(1, len(p_values)))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(ROWS, st.sampled_from([None, *TYPES])), max_size=4),
    st.tuples(ROWS, st.sampled_from([None, *TYPES])),
)
def test_any_batch_can_be_judged(
    history: list[tuple[list[dict[str, object]], str | None]],
    current: tuple[list[dict[str, object]], str | None],
) -> None:
    """Empty, constant, with missing columns or numbers of any size; and told as JSON."""
    past = [profile(*batch) for batch in history]
    found = judged(profile(*current), past, schema=SCHEMA, false_alarms=0.01, now=NOW)
    assert json.dumps([asdict(m) for m in found], allow_nan=False)
    for measured in found:
        if measured.p_value is None:
            assert measured.verdict is Verdict.INCONCLUSIVE
        else:
            assert 0.0 <= measured.p_value <= 1.0
