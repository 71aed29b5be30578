"""Live traffic: windows add up however grouped, health needs evidence, answers have names."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.domain.traffic import (
    Answers,
    Window,
    claimed_version,
    merged,
)
from flyball.testing.builders import NOON, a_version, a_window

WINDOWS = st.lists(
    st.builds(
        lambda start, seconds, requests, errors, worker, clicks: a_window(
            requests,
            min(errors, requests),
            start=NOON + timedelta(seconds=start),
            seconds=float(seconds),
            worker=f"host:{worker}",
            feedback={"click": clicks} if clicks else {},
        ),
        st.integers(0, 60),
        st.integers(1, 30),
        st.integers(0, 500),
        st.integers(0, 50),
        st.integers(1, 2),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=6,
)


def one(windows: list[Window]) -> Window:
    """All of them as one."""
    found = merged(windows)
    assert found is not None
    return found


class TestMergedWindows:
    """Seconds into minutes, workers into one, in whatever order they come."""

    @given(WINDOWS, st.randoms())
    def test_do_not_depend_on_the_order(self, windows: list[Window], random: object) -> None:
        shuffled = [*windows]
        random.shuffle(shuffled)  # type: ignore[attr-defined]
        assert merged(shuffled) == merged(windows)

    @given(WINDOWS, WINDOWS, WINDOWS)
    def test_do_not_depend_on_the_grouping(
        self, a: list[Window], b: list[Window], c: list[Window]
    ) -> None:
        left = one([one([one(a), one(b)]), one(c)])
        right = one([one(a), one([one(b), one(c)])])
        assert left == right == one([*a, *b, *c])

    @given(WINDOWS)
    def test_lose_and_invent_nothing(self, windows: list[Window]) -> None:
        whole = one(windows)
        assert whole.requests == sum(window.requests for window in windows)
        assert whole.errors == sum(window.errors for window in windows)
        assert sum(whole.latency) == whole.requests
        clicks = sum(window.feedback.get("click", 0) for window in windows)
        assert whole.feedback.get("click", 0) == clicks

    def test_reach_from_the_first_start_to_the_last_end(self) -> None:
        long = a_window(seconds=60.0)
        short = a_window(start=NOON + timedelta(seconds=10))
        late = a_window(start=NOON + timedelta(seconds=59), seconds=3.0)
        assert (one([short, long]).start, one([short, long]).seconds) == (NOON, 60.0)
        assert one([late, long]).seconds == 62.0

    def test_keep_the_worker_only_where_it_is_one(self) -> None:
        assert one([a_window(), a_window()]).worker == "host:1"
        assert one([a_window(), a_window(worker="host:2")]).worker == ""

    def test_of_none_at_all_are_none(self) -> None:
        assert merged([]) is None


class TestAnAnswersId:
    """It says which version gave the answer, so that feedback finds it."""

    def test_names_its_version(self) -> None:
        version = a_version("12.3.45").name
        assert claimed_version(Answers(b"key").new(version, 0, "0a1b2c3d4e")) == version

    @pytest.mark.parametrize(
        "answer",
        ["", ".", "0a1b", f".{a_version().name}", "0a1b.1.0", f"0a1b.{a_version().name}.x", "a.b"],
    )
    def test_that_is_not_ours_names_none(self, answer: str) -> None:
        assert claimed_version(answer) is None
