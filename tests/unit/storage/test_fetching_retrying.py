"""A transfer is tried again for as long as it promises anything, and no longer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flyball.errors import EnvironmentFailed, InvalidRequest, NotFound
from flyball.storage.fetching.patterns import matcher
from flyball.storage.fetching.retrying import (
    ENOUGH_BYTES,
    LEAST_BYTES,
    Interruption,
    Pace,
    Patience,
    persistently,
)


def failing(*errors: Exception) -> Callable[[], str]:
    left = list(errors)

    def attempt() -> str:
        if left:
            raise left.pop(0)
        return "whole"

    return attempt


def test_it_ends_with_the_first_success() -> None:
    waits: list[float] = []
    patience = Patience(wait=waits.append, chance=lambda: 1.0)
    assert persistently("it", failing(*[Interruption("cut")] * 4), patience) == "whole"
    assert waits == [0.5, 1.0, 2.0, 4.0]


def test_it_is_given_up_after_so_many_vain_attempts() -> None:
    patience = Patience(wait=lambda _: None, attempts=3)
    with pytest.raises(
        EnvironmentFailed, match=r"it could not be fetched in 3 attempts; .*: cut 3;"
    ):
        persistently("it", failing(*[Interruption(f"cut {n}") for n in (1, 2, 3)]), patience)


def test_an_attempt_that_brought_much_was_not_in_vain() -> None:
    cuts = [Interruption("cut", gained=ENOUGH_BYTES)] * 50
    assert persistently("it", failing(*cuts), Patience(wait=lambda _: None)) == "whole"


def test_other_errors_are_not_tried_again() -> None:
    with pytest.raises(NotFound):
        persistently("it", failing(NotFound("gone")), Patience(wait=lambda _: None))


def test_pauses_are_random_bounded_and_as_long_as_the_server_asks() -> None:
    for chance in (0.0, 0.999):
        patience = Patience(chance=lambda chance=chance: chance, longest_wait_s=10.0)
        assert 5.0 <= patience.pause_s(50) <= 10.0
        assert patience.pause_s(1, asked_s=8.0) == 8.0
        assert patience.pause_s(1, asked_s=9999.0) == 10.0


def test_a_trickle_is_noticed_and_a_slow_stream_is_not() -> None:
    now = [0.0]
    pace = Pace(Patience(monotonic=lambda: now[0], stall_s=60))
    for _ in range(100):
        now[0] += 30
        pace.saw(LEAST_BYTES // 2)
    now[0] += 59
    pace.saw(1)
    now[0] += 2
    with pytest.raises(Interruption, match="only 2 bytes came in 61 s"):
        pace.saw(1)


class TestAPattern:
    @pytest.mark.parametrize(
        ("pattern", "fits", "does_not"),
        [
            ("*.csv", "a.csv", "in/a.csv"),
            ("**/*.csv", "in/deep/a.csv", "in/.git/a.csv"),
            ("**/*.csv", "a.csv", "a.csvx"),
            ("in/**", "in/deep/a", "in/.a"),
            ("in/x*", "in/x.csv", "in/y.csv"),
            (".h*", ".hid", "hid"),
            ("[a-c].csv", "b.csv", "d.csv"),
            ("[!a-c].csv", "d.csv", "b.csv"),
            ("[^a].csv", "^.csv", "b.csv"),
            ("a.c?v", "a.csv", "a.c/v"),
            ("a[b.csv", "a[b.csv", "ab.csv"),
            ("*", "data", "_SUCCESS"),
        ],
    )
    def test_means_what_it_means_in_a_shell(self, pattern: str, fits: str, does_not: str) -> None:
        matches = matcher(pattern)
        assert matches(fits)
        assert not matches(does_not)

    def test_with_a_range_that_runs_backwards_is_refused(self) -> None:
        with pytest.raises(InvalidRequest, match="cannot be read"):
            matcher("[z-a]")
