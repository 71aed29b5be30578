"""What holds of evidence for any counts at all."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.domain.judging import Measure, Promises, Seen, Split
from flyball.domain.validation import Verdict
from flyball.stats import latency
from flyball.stats.sequential import mismatch, rate, split
from flyball.stats.sequential.judge import judge

counts = st.integers(0, 5000)
some_split = st.builds(Split, share=st.floats(0.001, 0.999), champion=counts, challenger=counts)
some_splits = st.lists(some_split, max_size=4)
restarts = st.booleans()


@given(some_splits, restarts)
def test_one_more_hit_of_the_challenger_never_lowers_the_evidence(splits, restart):
    if not splits:
        return
    more = [*splits[:-1], replace(splits[-1], challenger=splits[-1].challenger + 1)]
    before = split.log_evidence(splits, restarts=restart)
    assert split.log_evidence(more, restarts=restart) >= before - 1e-9


@given(some_splits, restarts)
def test_one_more_hit_of_the_champion_never_raises_it(splits, restart):
    if not splits:
        return
    more = [*splits[:-1], replace(splits[-1], champion=splits[-1].champion + 1)]
    before = split.log_evidence(splits, restarts=restart)
    assert split.log_evidence(more, restarts=restart) <= before + 1e-9


@given(some_splits)
def test_the_order_of_steps_is_irrelevant_but_for_what_begins_late(splits):
    turned = list(reversed(splits))
    assert split.log_evidence(splits) == pytest.approx(split.log_evidence(turned), abs=1e-6)
    assert split.ratio_interval(splits, 0.05) == pytest.approx(split.ratio_interval(turned, 0.05))


@given(some_splits)
def test_a_step_without_hits_changes_nothing(splits):
    empty = Split(share=0.3, champion=0, challenger=0)
    assert split.log_evidence([*splits, empty], restarts=True) == split.log_evidence(
        splits, restarts=True
    )
    assert split.ratio_interval([empty, *splits], 0.05) == split.ratio_interval(splits, 0.05)


@given(some_splits, st.floats(0.1, 10.0), st.floats(1.0, 3.0))
def test_what_refutes_a_ratio_refutes_every_smaller_one_more(splits, above, factor):
    larger = split.log_evidence(splits, above=above * factor)
    assert split.log_evidence(splits, above=above) >= larger - 1e-6


@given(some_splits, st.floats(0.2, 5.0))
def test_it_is_never_shown_to_be_both_above_and_below_a_ratio(splits, ratio):
    both = [
        split.log_evidence(splits, above=ratio),
        split.log_evidence_below(splits, below=ratio),
    ]
    assert min(both) < math.log(2.0)


@given(some_splits, st.floats(0.001, 0.5))
def test_an_interval_is_one_and_a_stricter_one_is_wider(splits, alpha):
    low, high = split.ratio_interval(splits, alpha)
    wide = split.ratio_interval(splits, alpha / 2)
    assert 0.0 <= wide[0] <= low * (1 + 4e-3) <= high * (1 + 1e-2) <= wide[1] * (1 + 2e-2)


@given(st.integers(0, 2000), st.integers(1, 2000), st.floats(0.001, 0.5))
def test_bounds_of_a_rate_hold_it_between_them(hits, misses, alpha):
    low = rate.lower(hits, hits + misses, alpha)
    high = rate.upper(hits, hits + misses, alpha)
    assert 0.0 <= low <= hits / (hits + misses) <= high <= 1.0


@given(some_splits)
def test_evidence_of_a_mismatch_is_a_number(splits):
    assert math.isfinite(mismatch.log_evidence(splits))


measures = st.dictionaries(st.sampled_from(list(Measure)), some_splits.map(tuple))


@given(
    measures,
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.lists(st.floats(0.0, 70.0), max_size=5),
    st.booleans(),
)
def test_every_judgement_is_whole_whatever_was_seen(splits, requests, errors, step, seconds, last):
    seen = Seen(
        splits=splits,
        requests=requests,
        errors=errors,
        failed_units=errors,
        step_requests=step,
        latency=tuple(latency.add(latency.empty(), seconds)) if seconds else (),
    )
    found = judge(seen, Promises(), last=last)
    assert [part.what for part in found.parts] == [
        "crash", "split", "service level", "errors", "latency", "clicks", "purchases", "value",
    ]  # fmt: skip
    assert found.reason
    assert all(part.detail for part in found.parts)
    assert all(math.isfinite(x) for part in found.parts for x in part.figures.values())
    if step < 100:
        assert found.verdict is not Verdict.PASS
