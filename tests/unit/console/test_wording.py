"""How values read."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flyball.console import wording


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "just now"),
        (59, "just now"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (7200, "2 h ago"),
        (86400, "1 day ago"),
        (5 * 86400, "5 days ago"),
    ],
)
def test_times_change_once_a_minute_at_most(seconds: int, text: str) -> None:
    assert wording.ago(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, "–"),
        (0, 5, "0%"),
        (1, 100_000, "0.001%"),
        (1, 2000, "0.05%"),
        (1, 100, "1.0%"),
        (1, 2, "50%"),
    ],
)
def test_a_share_that_is_not_zero_never_reads_as_zero(part: int, whole: int, text: str) -> None:
    assert wording.percent(part, whole) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.123, "0.12"), (8.44, "8.4"), (84.4, "84"), (1234.5, "1,234")],
)
def test_latencies_show_the_digits_that_matter(value: float | None, text: str) -> None:
    assert wording.milliseconds(value) == text


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (0.01, "<0.1"), (0.44, "0.4"), (12.3, "12")])
def test_rates(value: float, text: str) -> None:
    assert wording.rate(value) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 MiB"), (100 * 2**20, "100 MiB"), (3 * 2**29, "1.5 GiB")]
)
def test_sizes(count: int, text: str) -> None:
    assert wording.size(count) == text


def test_long_names_are_cut_and_nothing_else() -> None:
    text = "games/1.2.0-0123abcd-89ef4567 on 0123abcd0123abcd0123abcd0123abcd, 1.2.0-rc, 12.5"
    assert wording.shortened(text) == "games/1.2.0 on 0123abcd, 1.2.0-rc, 12.5"


def test_metrics_that_are_large_are_not_cut() -> None:
    assert wording.metric(0.51234) == "0.512"
    assert wording.metric(12345.6) == "12,346"
