"""A histogram that counts many at once says what it would say had it counted one by one."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from flyball.telemetry.durations import Durations
from flyball.telemetry.metrics import SECONDS, Metrics

SOME = st.sampled_from([*SECONDS, 0.0, math.inf]) | st.floats(0.0, 100.0)


def written(kind: type[Histogram], observed: list[tuple[str, float, int]]) -> list[str]:
    """What a scrape says of it, sums aside, which are added up in another order."""
    registry = CollectorRegistry()
    made = kind("seconds", "Some.", ("what",), buckets=SECONDS, registry=registry)
    for what, seconds, count in observed:
        child = made.labels(what)
        if isinstance(child, Durations):
            child.observe_many(seconds, count)
        else:
            for _ in range(count):
                child.observe(seconds)
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if "_sum" not in line and "_created" not in line]


@given(st.lists(st.tuples(st.sampled_from("ab"), SOME, st.integers(0, 40)), max_size=10))
def test_many_at_once_fall_where_each_would(observed):
    assert written(Durations, observed) == written(Histogram, observed)


@given(st.lists(st.tuples(st.floats(0.0, 100.0), st.integers(1, 40)), min_size=1, max_size=10))
def test_many_at_once_add_up_to_what_each_would(observed):
    registry = CollectorRegistry()
    made = Durations("seconds", "Some.", buckets=SECONDS, registry=registry)
    for seconds, count in observed:
        made.observe_many(seconds, count)
    expected = math.fsum(seconds * count for seconds, count in observed)
    assert registry.get_sample_value("seconds_sum") == pytest.approx(expected)
    assert registry.get_sample_value("seconds_count") == sum(count for _, count in observed)


def test_answers_counted_together_are_as_many_in_what_is_published():
    ours, others = Metrics(), Metrics()
    for status, answers in ((200, 7), (500, 2)):
        ours.served("games", "v1", "search", 0.004, status, answers=answers)
        for _ in range(answers):
            others.served("games", "v1", "search", 0.004, status)

    def said(metrics: Metrics) -> list[str]:
        lines = metrics.exposition()[0].decode().splitlines()
        return [line for line in lines if "_created" not in line and "_sum" not in line]

    assert said(ours) == said(others)
    assert any("inference_requests_total" in line and line.endswith(" 7.0") for line in said(ours))
